"""pix2pix's generators: the U-Net, and the plain encoder-decoder that it is compared with.

Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", sections 3.2.1 and 6.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.translation.networks.base import NetworkConfig, TranslationGenerator
from latentlab.translation.networks.layers import (
    Norm,
    Upsampling,
    check_counts,
    check_norm,
    check_size,
    check_upsampling,
    doubling_layer,
    has_bias,
    leave_biases,
    norm_layer,
)
from latentlab.translation.sizes import Size, sides_of
from stylegan2.defaults import plain_defaults

LEAST_HALVINGS = 5
"""A U-Net that halves less often sees patches of fewer than 100 pixels."""

# Where images are padded: the largest number of pixels that become one in the middle, and how much larger they become.
_LARGEST_PADDED, _MOST_PADDING = 256, 1.1


@dataclass(frozen=True)
class UNetConfig(NetworkConfig):
    """Shape of a U-Net or, without skips, of the encoder-decoder.

    Attributes
    ----------
    size
        Number of pixels that become one in the middle, a power of two from 4 on: images of this height and width are
        halved down to 1×1, and multiples of it are accepted, too.
    ngf
        Base channel count: channels of the first level; they double with each level, up to eight times.
    input_channels, output_channels
        3 for images.
    norm
        Normalisation of every level but the outermost; the innermost has it on the way up only.
    dropout
        Whether the inner levels of full width, three at 256², drop half of their values.
    skips
        Whether the input of each level is stacked with what comes back up.
    upsampling
        How the resolution doubles on the way up.
    """

    size: int = 256
    ngf: int = 64
    input_channels: int = 3
    output_channels: int = 3
    norm: Norm = "batch"
    dropout: bool = True
    skips: bool = True
    upsampling: Upsampling = "transposed"

    kind: ClassVar[str] = "unet"

    def __post_init__(self) -> None:
        check_norm(self.norm)
        check_upsampling(self.upsampling)
        check_counts(ngf=self.ngf, input_channels=self.input_channels, output_channels=self.output_channels)
        if not 4 <= self.size <= 1 << 30 or self.size & (self.size - 1):
            raise UserError(f"a U-Net's size is a power of two from 4, not {self.size}")

    @classmethod
    def for_resolution(cls, resolution: Size, base_channels: int) -> UNetConfig:
        """Return the shape for images of a size: halved down to 1×1, or as often as both sides can be.

        Where that is fewer than `LEAST_HALVINGS` times, which would leave the network without a view of the whole, it
        takes images that are padded: by a tenth at most, if that goes, for as many halvings as possible.
        """
        sides = sides_of(resolution)
        size = math.gcd(*sides, 1 << 30)
        if size < min(1 << LEAST_HALVINGS, *sides):
            size = 1 << LEAST_HALVINGS
            while size < _LARGEST_PADDED and _padded(sides, 2 * size) <= _MOST_PADDING * math.prod(sides):
                size *= 2
        return cls(size, base_channels)

    @plain_defaults()
    def build(self) -> UNet:
        """See `NetworkConfig`."""
        return UNet(self)

    @property
    def depth(self) -> int:
        """Number of times that the image is halved."""
        return self.size.bit_length() - 1

    def channels(self, level: int) -> int:
        """Return the number of channels below `level`, 0 being the outermost."""
        return self.ngf * min(1 << level, 8)

    def drops(self, level: int) -> bool:
        """Return whether `level` has dropout on the way up."""
        return self.dropout and 4 <= level <= self.depth - 2


def _padded(sides: tuple[int, int], multiple: int) -> int:
    """Return the pixels of images whose sides are padded to multiples of a number."""
    return math.prod(-(-side // multiple) * multiple for side in sides)


class UNet(TranslationGenerator):
    """Images `(b, input_channels, h, w)` to `(b, output_channels, h, w)` in [-1, 1]; h, w multiples of `size`.

    On the way down, level k halves: leaky ReLU, 4×4 convolution, norm. On the way up, it doubles: ReLU, transposed or
    resized convolution, norm, dropout. The outermost level has no activation on the way down and ends in tanh.
    """

    config: UNetConfig

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        self.size_multiple = self.least_size = config.size
        self.down, self.down_norm = nn.ModuleList(), nn.ModuleList()
        self.up, self.up_norm, self.dropout = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        depth, bias = config.depth, has_bias(config.norm)
        for level in range(depth):
            outer = config.input_channels if level == 0 else config.channels(level - 1)
            back = config.output_channels if level == 0 else outer
            inner, innermost = config.channels(level), level == depth - 1
            stacked = 2 if config.skips and not innermost else 1
            self.down.append(nn.Conv2d(outer, inner, 4, 2, 1, bias=bias))
            self.down_norm.append(nn.Identity() if level == 0 or innermost else norm_layer(config.norm, inner))
            self.up.append(doubling_layer(config.upsampling, stacked * inner, back, 4, bias or level == 0))
            self.up_norm.append(nn.Identity() if level == 0 else norm_layer(config.norm, back))
            self.dropout.append(nn.Dropout(0.5) if config.drops(level) else nn.Identity())
        leave_biases((*self.down, *self.up), (*self.down_norm, *self.up_norm))

    def forward(self, x: Tensor) -> Tensor:
        """See the class.

        Raises
        ------
        UserError
            Height or width is not a multiple of `size`.
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
