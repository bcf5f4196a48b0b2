"""Sample tables, with seed, w and scores in each row: in memory, on disk, and drawn from a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.samples.drawing import draw_samples
    from latentlab.samples.edits import EditTable
    from latentlab.samples.store import SampleSettings, SampleStore, check_distinct_seeds, check_psi
    from latentlab.samples.table import SampleTable, concatenate, join, split

__all__ = [
    "EditTable",
    "SampleSettings",
    "SampleStore",
    "SampleTable",
    "check_distinct_seeds",
    "check_psi",
    "concatenate",
    "draw_samples",
    "join",
    "split",
]

# Drawing takes torch and a store pyarrow; a table by itself takes numpy.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "drawing": ("draw_samples",),
            "edits": ("EditTable",),
            "store": ("SampleSettings", "SampleStore", "check_distinct_seeds", "check_psi"),
            "table": ("SampleTable", "concatenate", "join", "split"),
        },
    )
