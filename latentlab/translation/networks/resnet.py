"""CycleGAN's generator: an encoder with residual blocks, and a decoder; InstaGAN's generator is built from both.

Johnson et al. 2016, "Perceptual Losses for Real-Time Style Transfer"; Zhu et al. 2017, "Unpaired Image-to-Image
Translation using Cycle-Consistent Adversarial Networks", section 7.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.translation.networks.base import NetworkConfig, TranslationGenerator
from latentlab.translation.networks.layers import (
    Norm,
    ReflectConv,
    Upsampling,
    check_counts,
    check_norm,
    check_sides,
    check_size,
    check_upsampling,
    doubling_layer,
    has_bias,
    leave_biases,
    norm_layer,
)
from latentlab.translation.sizes import Size, sides_of
from stylegan2.defaults import plain_defaults


@dataclass(frozen=True)
class ResNetConfig(NetworkConfig):
    """Shape of a ResNet generator.

    Attributes
    ----------
    blocks
        Residual blocks at a quarter of the resolution: see `blocks_for`.
    ngf
        Base channel count: channels at full resolution.
    input_channels, output_channels
        3 for images.
    norm
        Normalisation after every convolution but the last.
    dropout
        Whether each block drops half of its values.
    upsampling
        How the decoder doubles the resolution.
    """

    blocks: int = 9
    ngf: int = 64
    input_channels: int = 3
    output_channels: int = 3
    norm: Norm = "instance"
    dropout: bool = False
    upsampling: Upsampling = "transposed"

    kind: ClassVar[str] = "resnet"

    def __post_init__(self) -> None:
        check_norm(self.norm)
        check_upsampling(self.upsampling)
        channels = {"input_channels": self.input_channels, "output_channels": self.output_channels}
        check_counts(blocks=self.blocks, ngf=self.ngf, **channels)

    @plain_defaults()
    def build(self) -> ResNetGenerator:
        """See `NetworkConfig`."""
        return ResNetGenerator(self)


def blocks_for(resolution: Size) -> int:
    """Return the number of residual blocks: 6 up to 128², 9 beyond (Zhu et al. 2017, section 7.2).

    Raises
    ------
    UserError
        The network does not accept images of this size.
    """
    sides = sides_of(resolution)
    check_sides(*sides, ResNetGenerator.size_multiple, ResNetGenerator.least_size, "a ResNet generator")
    return 6 if max(sides) <= 128 else 9


class ResNetBlock(nn.Module):
    """Residual block of two 3×3 convolutions, padded by reflection: `(b, c, h, w)` to `(b, c, h, w)`."""

    def __init__(self, channels: int, norm: Norm, dropout: bool):
        super().__init__()
        self.conv0 = ReflectConv(channels, channels, 3, bias=has_bias(norm))
        self.norm0 = norm_layer(norm, channels)
        self.dropout = nn.Dropout(0.5) if dropout else nn.Identity()
        self.conv1 = ReflectConv(channels, channels, 3, bias=has_bias(norm))
        self.norm1 = norm_layer(norm, channels)
        leave_biases((self.conv0, self.conv1), (self.norm0, self.norm1))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        residual: Tensor = self.norm1(self.conv1(self.dropout(F.relu(self.norm0(self.conv0(x))))))
        return x + residual


class Encoder(nn.Module):
    """`(b, channels, h, w)` to `(b, 4 ngf, h/4, w/4)`: a 7×7 convolution, two that halve, residual blocks."""

    def __init__(self, channels: int, ngf: int, blocks: int, norm: Norm, dropout: bool):
        super().__init__()
        bias = has_bias(norm)
        convs = [
            ReflectConv(channels, ngf, 7, bias=bias),
            nn.Conv2d(ngf, 2 * ngf, 3, 2, 1, bias=bias),
            nn.Conv2d(2 * ngf, 4 * ngf, 3, 2, 1, bias=bias),
        ]
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList(norm_layer(norm, conv.out_channels) for conv in convs)
        leave_biases(self.convs, self.norms)
        self.blocks = nn.ModuleList(ResNetBlock(4 * ngf, norm, dropout) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        for block in self.blocks:
            x = block(x)
        return x


class Decoder(nn.Module):
    """`(b, features, h, w)` to `(b, channels, 4h, 4w)` in [-1, 1]: two convolutions that double, a 7×7 one, tanh."""

    def __init__(self, features: int, channels: int, norm: Norm, upsampling: Upsampling = "transposed"):
        super().__init__()
        widths = (features, features // 2, features // 4)
        self.convs = nn.ModuleList(
            doubling_layer(upsampling, i, o, 3, has_bias(norm)) for i, o in zip(widths, widths[1:], strict=False)
        )
        self.norms = nn.ModuleList(norm_layer(norm, o) for o in widths[1:])
        leave_biases(self.convs, self.norms)
        self.head = ReflectConv(features // 4, channels, 7)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        out: Tensor = self.head(x).tanh()
        return out


class ResNetGenerator(TranslationGenerator):
    """Images `(b, input_channels, h, w)` to `(b, output_channels, h, w)` in [-1, 1]; h, w multiples of 4, from 8."""

    size_multiple, least_size = 4, 8

    def __init__(self, config: ResNetConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.input_channels, config.ngf, config.blocks, config.norm, config.dropout)
        self.decoder = Decoder(4 * config.ngf, config.output_channels, config.norm, config.upsampling)

    def forward(self, x: Tensor) -> Tensor:
        """See the class.

        Raises
        ------
        UserError
            Height or width is not a multiple of 4, or is less than 8: features at a quarter of the resolution could not
            be mirrored.
        """
        check_size(x, self.size_multiple, self.least_size, "a ResNet generator")
        out: Tensor = self.decoder(self.encoder(x))
        return out
