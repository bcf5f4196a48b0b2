"""The sample table, seed to w to scores: what a row is, where it lies, how it is drawn."""

from latentlab.samples.drawing import draw_samples
from latentlab.samples.edits import EditTable
from latentlab.samples.store import SampleSettings, SampleStore
from latentlab.samples.table import SampleTable, concatenate, split

__all__ = [
    "EditTable",
    "SampleSettings",
    "SampleStore",
    "SampleTable",
    "concatenate",
    "draw_samples",
    "split",
]
