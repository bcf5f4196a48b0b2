"""Checkpoints: load files of all common formats without running their code, and save the project's own."""

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from stylegan2.checkpoints.inspecting import Inspected, inspect
    from stylegan2.checkpoints.loading import convert, load
    from stylegan2.checkpoints.native import save


__all__ = ["Inspected", "convert", "inspect", "load", "save"]

# Imported at first use: they need torch.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "inspecting": ("Inspected", "inspect"),
            "loading": ("convert", "load"),
            "native": ("save",),
        },
    )
