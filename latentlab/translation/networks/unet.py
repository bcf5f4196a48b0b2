"""pix2pix's generators: the U-Net, and the plain encoder-decoder that it is compared with.

Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", sections 3.2.1 and 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.translation.networks.layers import Norm, check_norm, check_size, has_bias, norm_layer


@dataclass(frozen=True)
class UNetConfig:
    """The shape of a U-Net or, without skips, of the encoder-decoder.

    Attributes
    ----------
    size
        A power of two from 4: it halves a picture of this side down to 1×1. Larger pictures go through, too.
    ngf
        Feature maps of the first level; each next one has twice as many, up to eight times.
    input_channels, output_channels
        3 for pictures.
    norm
        Of every level but the outermost; the innermost has one on the way up only.
    dropout
        Half of the values, in the inner levels of full width: three of them at 256².
    skips
        Whether each level's input is stacked to what comes back up.
    """

    size: int = 256
    ngf: int = 64
    input_channels: int = 3
    output_channels: int = 3
    norm: Norm = "batch"
    dropout: bool = True
    skips: bool = True

    def __post_init__(self) -> None:
        check_norm(self.norm)
        if self.size < 4 or self.size & (self.size - 1):
            raise UserError(f"a U-Net's size is a power of two from 4, not {self.size}")

    @property
    def depth(self) -> int:
        """How many times it halves the picture."""
        return self.size.bit_length() - 1

    def width(self, level: int) -> int:
        """Feature maps below `level`, 0 being the outermost."""
        return self.ngf * min(2**level, 8)

    def drops(self, level: int) -> bool:
        """Whether `level` has dropout on the way up."""
        return self.dropout and 4 <= level <= self.depth - 2


class UNet(nn.Module):
    """Pictures `(b, input_channels, h, w)` to `(b, output_channels, h, w)` in [-1, 1]; h, w multiples of `size`.

    Level k halves: leaky ReLU, 4×4 convolution, norm. Coming back it doubles: ReLU, transposed convolution,
    norm, dropout. The outermost has no activation on the way down and ends in tanh.
    """

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        self.down, self.down_norm = nn.ModuleList(), nn.ModuleList()
        self.up, self.up_norm, self.dropout = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        depth, bias = config.depth, has_bias(config.norm)
        for level in range(depth):
            outer = config.input_channels if level == 0 else config.width(level - 1)
            back = config.output_channels if level == 0 else outer
            inner, innermost = config.width(level), level == depth - 1
            stacked = 2 if config.skips and not innermost else 1
            self.down.append(nn.Conv2d(outer, inner, 4, 2, 1, bias=bias))
            self.down_norm.append(nn.Identity() if level == 0 or innermost else norm_layer(config.norm, inner))
            self.up.append(nn.ConvTranspose2d(stacked * inner, back, 4, 2, 1, bias=bias or level == 0))
            self.up_norm.append(nn.Identity() if level == 0 else norm_layer(config.norm, back))
            self.dropout.append(nn.Dropout(0.5) if config.drops(level) else nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        """See the class.

        Raises
        ------
        UserError
            The sides are not multiples of `size`.
        """
        check_size(x, self.config.size, self.config.size, f"this U-Net of size {self.config.size}")
        skips: list[Tensor] = []
        for level, (conv, norm) in enumerate(zip(self.down, self.down_norm, strict=True)):
            if level:
                skips.append(x)
                x = F.leaky_relu(x, 0.2)
            x = norm(conv(x))
        for level in reversed(range(len(self.up))):
            x = self.dropout[level](self.up_norm[level](self.up[level](F.relu(x))))
            if level and self.config.skips:
                x = torch.cat([skips[level - 1], x], dim=1)
        return x.tanh()
