"""The look that all figures share, and the figure that a notebook displays."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

# Colour-blind safe (Okabe & Ito 2008): blue, vermilion, green, purple.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
INK = "#222222"
PALE = "#6E6E6E"

# Lengths in inches.
GAP = 0.05
MARGIN = 0.06


class NotebookFigure(Figure):
    """A figure that a notebook displays as a PNG, whether or not pyplot was ever imported there."""

    def _repr_png_(self) -> bytes:
        stream = BytesIO()
        self.savefig(stream, format="png", dpi="figure")
        return stream.getvalue()


def new_figure(width: float, height: float, dpi: float, layout: Literal["constrained"] | None = None) -> Figure:
    """Return an empty figure on white; `width` and `height` in inches, `layout` as in matplotlib."""
    return NotebookFigure(figsize=(width, height), dpi=dpi, layout=layout, facecolor="white")


def draw_image(figure: Figure, image: Tensor, box: tuple[float, float, float, float]) -> Axes:
    """Draw `image (3, h, w)` in [-1, 1] without axes in a box of (left, bottom, width, height) in inches."""
    width, height = figure.get_size_inches()
    left, bottom, wide, tall = box
    axes = figure.add_axes((left / width, bottom / height, wide / width, tall / height))
    axes.imshow((image.detach().float().cpu() / 2 + 0.5).clamp(0, 1).expand(3, -1, -1).permute(1, 2, 0).numpy())
    axes.set_axis_off()
    return axes


def signed(value: float) -> str:
    """Format a strength with its sign: two decimals, or the first two digits of a small one."""
    text = f"{value:+.2f}" if abs(value) >= 0.1 else f"{value:+.2g}"
    return text.replace("-", "\N{MINUS SIGN}")
