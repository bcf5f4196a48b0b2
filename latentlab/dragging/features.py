"""Features of one inner layer, and their values at points between its pixels."""

from __future__ import annotations

import re
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.dragging.settings import UNITS
from latentlab.errors import UserError
from latentlab.projection.features import shared_copy
from latentlab.rendering import synthesis_module
from stylegan2.protocol import Generator


class _Reached(Exception):
    """The features are there: what follows in the network need not be computed."""

    def __init__(self, features: Tensor):
        super().__init__()
        self.features = features


class InnerFeatures:
    """Features `(1, c, r, r)` of one block of a generator, differentiable in ws; each channel has a mean square of 1.

    Those of a generator that was refined on a photo contain its residual, as the image does, which is there to be
    tracked. The residual stays in its place, but it fades where the features move, and holds no point back.

    The network's later blocks are not computed. The generator is not changed, and may render meanwhile in another
    thread.

    Parameters
    ----------
    generator
        Generator whose synthesis is a torch module with blocks b4, b8, ….
    resolution
        Resolution of the features; where there are none at it, the finest ones below it.

    Raises
    ------
    UserError
        The generator has no such blocks.
    """

    def __init__(self, generator: Generator, resolution: int):
        module = synthesis_module(generator)
        # An optimised network keeps the plain one beside what the compiler made, in which nothing can stop half-way.
        # A refined one keeps its residual: in the features of the latent alone points are not where they look.
        own: nn.Module = shared_copy(getattr(module, "plain", module))
        named = {int(name[1:]): block for name, block in own.named_children() if re.fullmatch(r"b[1-9]\d*", name)}
        fitting = [one for one in named if one <= resolution]
        if not fitting:
            raise UserError("this generator has no blocks of features b4, b8, …, in which points could be dragged")
        self.resolution = max(fitting)
        self._network: Any = own
        named[self.resolution].register_forward_hook(_stop)

    def __call__(self, ws: Tensor) -> Tensor:
        """Features of `ws (1, num_ws, w_dim)`."""
        try:
            self._network(ws, noise_mode="const")
        except _Reached as reached:
            features = reached.features.to(ws.dtype)
        else:
            raise UserError("this generator does not use its blocks of features: no points can be dragged in it")
        size: Tensor = features.detach().square().mean(dim=(0, 2, 3), keepdim=True).sqrt()
        return features / size.clamp_min(1e-8)


def _stop(block: object, given: object, made: Any) -> None:
    raise _Reached(made[0] if isinstance(made, tuple) else made)


def sample(features: Tensor, places: Tensor) -> Tensor:
    """Values `(n, m, c)` of features `(1, c, r, r)` at places `(n, m, 2)`, (x, y) in units; beyond the border its own.

    Interpolated bilinearly: the centre of the upper left pixel lies at half a pixel's width in both directions.
    """
    grid = places * (2 / UNITS) - 1
    # (1, n, m, 2) to (1, c, n, m)
    values = F.grid_sample(features, grid[None].to(features), padding_mode="border", align_corners=False)
    return values[0].permute(1, 2, 0)
