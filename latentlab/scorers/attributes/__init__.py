"""A small classifier of many attributes of a face at once: the network, its training, what it scores."""

from latentlab.scorers.attributes.network import AttributeNet
from latentlab.scorers.attributes.scorer import SHIPPED, AttributeScorer, load_attributes
from latentlab.scorers.attributes.training import TrainingPlan, train

__all__ = ["SHIPPED", "AttributeNet", "AttributeScorer", "TrainingPlan", "load_attributes", "train"]
