"""Sample tables, with seed, w and scores in each row: in memory, on disk, and drawn from a generator."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Drawing takes torch and a store pyarrow; a table by itself takes numpy.
_MODULES = {
    "drawing": ("draw_samples",),
    "edits": ("EditTable",),
    "store": ("SampleSettings", "SampleStore"),
    "table": ("SampleTable", "concatenate", "split"),
}
_LATER = {name: module for module, names in _MODULES.items() for name in names}

if not TYPE_CHECKING:  # where a type checker sees it, it takes any name for an attribute

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
