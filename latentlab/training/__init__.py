"""What every training here shares: processes and devices, the order of samples, the history of losses."""

from latentlab.training.boards import open_tensorboard
from latentlab.training.history import FIELDS, History
from latentlab.training.launch import FabricProcesses, launch
from latentlab.training.losses import Losses, RecentLosses
from latentlab.training.order import place_in_order

__all__ = [
    "FIELDS",
    "FabricProcesses",
    "History",
    "Losses",
    "RecentLosses",
    "launch",
    "open_tensorboard",
    "place_in_order",
]
