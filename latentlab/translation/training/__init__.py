"""Training of translators: the loop, its settings, and what it keeps on disk."""

from latentlab.training import launch
from latentlab.translation.training.loop import MODEL, take_step, train
from latentlab.translation.training.settings import RunOptions, TrainingSettings

__all__ = ["MODEL", "RunOptions", "TrainingSettings", "launch", "take_step", "train"]
