"""Write figures to files, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.errors import UserError
from latentlab.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".pdf", ".svg")
"""Suffixes of the files that figures are written to."""

# matplotlib writes the date into these; the salt below is for names within an SVG, which it would draw at random.
_UNDATED: dict[str, dict[str, Any]] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}


def check_format(path: str | Path) -> None:
    """Refuse a file name whose suffix is not one of `FORMATS`; UserError then."""
    if Path(path).suffix.lower() not in FORMATS:
        raise UserError(f"cannot draw {path}: the file name of a figure ends in one of {', '.join(FORMATS)}")


def save_figure(figure: Figure, path: str | Path, dpi: float | None = None) -> None:
    """Write a figure atomically, the same figure always as the same bytes; missing parent folders are made.

    Parameters
    ----------
    figure
        Figure, of this package or any other.
    path
        File; its suffix chooses the format: .png, .pdf or .svg.
    dpi
        Pixels per inch of a PNG; None for the figure's own.

    Raises
    ------
    UserError
        If the format is unknown or the file cannot be written.
    """
    from matplotlib import rc_context

    check_format(path)
    undated = _UNDATED.get(Path(path).suffix.lower())
    with atomic_path(path) as temporary, rc_context({"svg.hashsalt": "latentlab"}):
        figure.savefig(temporary, dpi="figure" if dpi is None else dpi, metadata=undated)
