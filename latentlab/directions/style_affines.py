"""The affine maps from W to the styles of a generator, read off the styles themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.errors import UserError
from latentlab.rendering import styles_of
from stylegan2.protocol import Generator

StyleAffines = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Weight `(channels, w_dim)` and bias `(channels,)` of each layer's style, by layer in the order of use."""


@torch.no_grad()
def style_affines(generator: Generator, rows: Sequence[int] | None = None) -> StyleAffines:
    """Read the affine map of each layer off the styles of the unit vectors of W.

    Whatever a generator calls its layers, their styles are affine in ws: differences give the weights exactly, to
    float tolerance.

    Parameters
    ----------
    generator
        Any generator with styles.
    rows
        Rows of ws that vary; None for all. Layers with styles of other rows have weights of zero.

    Raises
    ------
    UserError
        If the generator has no space S, or no such row.
    """
    num_ws = generator.num_ws
    chosen = list(range(num_ws) if rows is None else rows)
    outside = [row for row in chosen if not 0 <= row < num_ws]
    if outside or not chosen:
        raise UserError(f"the generator's ws have the layers 0 to {num_ws - 1}, not {outside[:1] or 'none of them'}")
    units = torch.eye(generator.w_dim, dtype=generator.w_avg.dtype, device=generator.w_avg.device)
    ws = units.new_zeros(generator.w_dim + 1, num_ws, generator.w_dim)  # the last one stays zero
    ws[:-1, chosen] = units[:, None]
    styles = {layer: style.double().cpu().numpy() for layer, style in styles_of({"ws": ws}, generator).items()}
    return {layer: ((style[:-1] - style[-1]).T, style[-1]) for layer, style in styles.items()}
