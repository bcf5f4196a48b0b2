"""The sample table, seed to w to scores: what a row is, where it lies, how it is drawn."""

from latentlab.samples.drawing import draw_samples, score_pictures
from latentlab.samples.store import SampleSettings, SampleStore
from latentlab.samples.table import SampleTable, concatenate, is_positive, score_column, split

__all__ = [
    "SampleSettings",
    "SampleStore",
    "SampleTable",
    "concatenate",
    "draw_samples",
    "is_positive",
    "score_column",
    "score_pictures",
    "split",
]
