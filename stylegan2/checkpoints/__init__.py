"""Checkpoints: load files of all common formats without running their code, and save the project's own."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylegan2.checkpoints.loading import convert, load
    from stylegan2.checkpoints.native import save

# Imported at first use: they need torch.
_LATER = {"convert": "loading", "load": "loading", "save": "native"}

__all__ = ["convert", "load", "save"]

if not TYPE_CHECKING:  # where a type checker sees it, it takes any name for an attribute

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
