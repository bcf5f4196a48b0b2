"""Training a translator: the loop, what it is set to, and what it keeps on disk."""

from latentlab.translation.training.loop import train
from latentlab.translation.training.settings import TrainingSettings

__all__ = ["TrainingSettings", "train"]
