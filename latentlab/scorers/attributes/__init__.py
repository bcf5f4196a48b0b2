"""A small classifier of many attributes of a face at once: the network, its training, what it scores."""

from latentlab.scorers.attributes.network import AttributeNet
from latentlab.scorers.attributes.scorer import AttributeScorer
from latentlab.scorers.attributes.training import TrainingPlan, train

__all__ = ["AttributeNet", "AttributeScorer", "TrainingPlan", "train"]
