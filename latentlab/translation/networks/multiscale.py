"""Discriminators at several scales, whatever they discriminate.

Wang et al. 2018, "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs", section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.errors import UserError

Config = TypeVar("Config")
_MOST = 4


def check_scales(scales: int) -> None:
    """Raise UserError unless this number of scales makes sense."""
    if not 1 <= scales <= _MOST:
        raise UserError(f"there are discriminators at 1 to {_MOST} scales, not {scales}")


class MultiScale(nn.Module):
    """Discriminators of one shape, the first at full resolution and each further one at half that of the one before.

    Parameters
    ----------
    discriminator
        Class of the discriminators, whose logits are `(b, 1, h', w')`.
    config
        Their shape, with the number of `scales`.
    """

    def __init__(self, discriminator: Callable[[Config], nn.Module], config: Config):
        super().__init__()
        self.scales = nn.ModuleList(discriminator(config) for _ in range(config.scales))  # type: ignore[attr-defined]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute logits `(b, scales, h', w')` of inputs `(b, c, h, w)`.

        Logits of the coarser scales are repeated to match the number of those of the first, so that every scale has the
        same weight in a mean over all.
        """
        found: list[Tensor] = []
        for k, discriminator in enumerate(self.scales):
            if k:
                inputs = tuple(F.avg_pool2d(x, 3, 2, 1, count_include_pad=False) for x in inputs)
            logits: Tensor = discriminator(*inputs)
            found.append(F.interpolate(logits, found[0].shape[2:]) if k else logits)
        return torch.cat(found, dim=1)
