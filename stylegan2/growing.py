"""What Progressive GAN and StyleGAN share: networks that grow, level by level, and how their layers are scaled.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation", 2018 ("the paper" below).
A network has blocks from 4x4 up, each of which can read or write an image. Its level of detail says how far it has
grown: at 0 it works at full resolution, at 1 at half of it; between two whole numbers a new level fades in.
Letters in shape comments: b batch, i and o channels in and out, r side of a block's feature maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan2 import ops
from stylegan2.config import added, check_counts, check_real, check_resolution, check_switch, resolutions
from stylegan2.discriminator import minibatch_std
from stylegan2.layers import check_rows, resample_buffer

NEAREST = (1.0, 1.0)
"""Taps of the filter that repeats each pixel when it enlarges, and averages pixels when it reduces."""
BLUR = (1.0, 2.0, 1.0)
"""Taps of the filter that StyleGAN applies next to every change of resolution."""


def check_growing(config: Any, *counts: str) -> None:
    """Refuse a configuration that no network can have.

    Parameters
    ----------
    config
        The configuration of a network that grows.
    counts
        Names of further fields that must be whole numbers, 1 or more.

    Raises
    ------
    ValueError
        A field is out of range; the message says which.
    """
    check_resolution(config.resolution, 8)
    check_counts(config, {"c_dim": 0, **dict.fromkeys(("img_channels", "channel_base", "channel_max", *counts), 1)})
    if config.channel_base < config.resolution:
        raise ValueError(
            f"channel_base must be the resolution, {config.resolution}, or more, not {config.channel_base}"
        )
    check_real("lod", config.lod, 0, config.resolution.bit_length() - 3)


@dataclass(frozen=True)
class Level:
    """How far a network of some resolution has grown.

    Attributes
    ----------
    resolution
        Side of the image that it works at.
    share
        Weight of this image, up to 1; the rest is the weight of the image at half the resolution, from which it grows.
    """

    resolution: int
    share: float

    @classmethod
    def of(cls, lod: float, resolution: int) -> Level:
        """Level of a network for images of `resolution` at the level of detail `lod`."""
        whole = math.floor(lod)
        return cls(resolution >> whole, 1 - (lod - whole))

    @property
    def fades_in(self) -> bool:
        """Whether the image of half the resolution takes part."""
        return self.share < 1


def fixed_filter(taps: Sequence[float]) -> Tensor:
    """The filter with sum 1, `(n, n)`; it has values even if the default device is meta, as no file has them."""
    place = torch.get_default_device()
    with torch.device("cpu" if place.type == "meta" else place):
        return resample_buffer(taps)


def enlarge(x: Tensor, factor: int) -> Tensor:
    """Repeat each pixel of `x (b, c, h, w)`: `(b, c, h factor, w factor)`."""
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="nearest")


def reduce(x: Tensor, factor: int) -> Tensor:
    """Average blocks of `factor` × `factor` pixels of `x (b, c, h, w)`."""
    return x if factor == 1 else F.avg_pool2d(x, factor)


class EqualizedConv(nn.Module):
    """A convolution whose weights are scaled when used (the paper, section 4.1), and a bias, which is not.

    Where it enlarges, it repeats pixels first; where it reduces, it averages 2×2 pixels afterwards. The code of the
    released networks fuses both into one convolution from some resolution on: the values are the same, but the weights
    of a fused enlarging layer are convolved and those of others correlated. Here, as in `ops.conv2d_resample`, the
    weights of enlarging layers are convolved, and those of others correlated; checkpoints are read accordingly.
    """

    nearest: Tensor

    def __init__(self, i: int, o: int, kernel: int, gain: float = ops.LRELU_GAIN, up: int = 1, down: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, i, kernel, kernel, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(o, dtype=torch.float32))
        self.register_buffer("nearest", fixed_filter(NEAREST), persistent=False)
        self.weight_gain = gain / math.sqrt(i * kernel * kernel)
        self.up, self.down = up, down

    def convolve(self, x: Tensor) -> Tensor:
        """`(b, i, r, r)` to `(b, o, r up / down, r up / down)`, without the bias."""
        return ops.conv2d_resample(x, (self.weight * self.weight_gain).to(x.dtype), self.nearest, self.up, self.down)

    def forward(self, x: Tensor, lrelu: bool = True) -> Tensor:
        """`(b, i, r, r)` to `(b, o, r up / down, r up / down)`, with bias and, unless told not to, the leaky ReLU."""
        return ops.bias_act(self.convolve(x), self.bias.to(x.dtype), lrelu=lrelu, inplace=True)

    if TYPE_CHECKING:
        __call__ = forward


class EqualizedDense(nn.Module):
    """A linear layer whose weights are scaled when used, and a bias, which is not."""

    def __init__(self, i: int, o: int, gain: float = ops.LRELU_GAIN) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, i, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(o, dtype=torch.float32))
        self.weight_gain = gain / math.sqrt(i)

    def forward(self, x: Tensor) -> Tensor:
        """`(b, i)` to `(b, o)`."""
        return torch.addmm(self.bias, x, self.weight.T, alpha=self.weight_gain)

    if TYPE_CHECKING:
        __call__ = forward


# --- discriminator ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GrowingDiscriminatorConfig:
    """The shape and settings of a discriminator that grows.

    Attributes
    ----------
    resolution
        Height and width of the image in pixels: a power of two from 8.
    blur
        Whether features are blurred before they are reduced: StyleGAN's are, Progressive GAN's are not.
    img_channels
        Channels of the image.
    channel_base, channel_max
        A block of resolution r has min(channel_base / r, channel_max) feature maps.
    mbstd_group_size
        Group of the mini-batch standard deviation; None for the whole batch.
    lod
        Level of detail, from 0.
    c_dim
        Width of the condition (0: unconditional). With `blur`, as in StyleGAN, there is an output for each label, from
        which the condition chooses (Mescheder et al. 2018); without it, as in Progressive GAN, there are logits of the
        labels beside the one for real images (AC-GAN, Odena et al. 2017).
    fromrgb_activation, widens_first
        Whether a leaky ReLU follows where an image is read, and whether a block changes the number of feature maps in
        its first convolution instead of its second. The defaults are the releases'; rosinality's networks differ.
    pools_activated
        Whether a block averages features that have been through the leaky ReLU, as the part of Progressive GAN's code
        that is not fused does; by default the leaky ReLU follows the averaging.
    """

    resolution: int
    blur: bool
    img_channels: int = 3
    channel_base: int = 16384
    channel_max: int = 512
    mbstd_group_size: int | None = 4
    lod: float = 0.0
    c_dim: int = added(0)
    fromrgb_activation: bool = added(True)
    widens_first: bool = added(False)
    pools_activated: bool = added(False)

    def __post_init__(self) -> None:
        check_growing(self, *(() if self.mbstd_group_size is None else ("mbstd_group_size",)))
        check_switch("blur", self.blur)
        check_switch("fromrgb_activation", self.fromrgb_activation)
        check_switch("widens_first", self.widens_first)
        check_switch("pools_activated", self.pools_activated)

    def channels(self, resolution: int) -> int:
        """Feature maps of the block of `resolution`."""
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def block_resolutions(self) -> list[int]:
        """The resolutions of the blocks, the image's first and 4 last."""
        return resolutions(self.resolution)[::-1]


class GrowingBlock(nn.Module):
    """Two convolutions, the second of which halves the resolution."""

    blur_filter: Tensor

    def __init__(self, resolution: int, config: GrowingDiscriminatorConfig) -> None:
        super().__init__()
        i, o = config.channels(resolution), config.channels(resolution // 2)
        between = o if config.widens_first else i
        self.fromrgb = EqualizedConv(config.img_channels, i, 1)
        self.conv0 = EqualizedConv(i, between, 3)
        self.conv1 = EqualizedConv(between, o, 3, down=1 if config.pools_activated else 2)
        self.blur, self.pools_activated = config.blur, config.pools_activated
        self.register_buffer("blur_filter", fixed_filter(BLUR), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(b, i, r, r)` to `(b, o, r / 2, r / 2)`."""
        x = self.conv0(x)
        if self.blur:
            x = ops.upfirdn2d(x, self.blur_filter, padding=(1, 1, 1, 1))
        x = self.conv1(x)
        return reduce(x, 2) if self.pools_activated else x

    if TYPE_CHECKING:
        __call__ = forward


class GrowingEpilogue(nn.Module):
    """The 4x4 features to the logits that the network has."""

    def __init__(self, config: GrowingDiscriminatorConfig) -> None:
        super().__init__()
        i = config.channels(4)
        self.group_size = config.mbstd_group_size
        self.fromrgb = EqualizedConv(config.img_channels, i, 1)
        self.conv = EqualizedConv(i + 1, i, 3)
        self.fc = EqualizedDense(i * 4 * 4, i)
        self.out = EqualizedDense(i, max(config.c_dim, 1) if config.blur else 1 + config.c_dim, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """`(b, i, 4, 4)` to logits `(b, 1)`, more in a conditional network."""
        x = self.conv(minibatch_std(x, self.group_size, 1))
        return self.out(F.leaky_relu(self.fc(x.flatten(1)), ops.LRELU_SLOPE))

    if TYPE_CHECKING:
        __call__ = forward


class GrowingDiscriminator(nn.Module):
    """The discriminator of Progressive GAN and of StyleGAN: a logit for each image, given its condition if any.

    A conditional one of Progressive GAN does not need the condition, but predicts it: see `classify`.
    """

    def __init__(self, config: GrowingDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.resolution, self.c_dim = config.resolution, config.c_dim
        for r in config.block_resolutions[:-1]:
            self.add_module(f"b{r}", GrowingBlock(r, config))
        self.b4 = GrowingEpilogue(config)

    @property
    def lod(self) -> float:
        """Level of detail, which training lowers; part of the configuration."""
        return self.config.lod

    @lod.setter
    def lod(self, lod: float) -> None:
        self.config = replace(self.config, lod=lod)

    def _from_image(self, images: Tensor, resolution: int) -> Tensor:
        """Features of the images at `resolution`."""
        conv = self.get_submodule(f"b{resolution}.fromrgb")
        features: Tensor = conv(reduce(images, self.resolution // resolution), self.config.fromrgb_activation)
        return features

    def forward(self, images: Tensor, c: Tensor | None = None) -> Tensor:
        """Compute how real images look.

        Parameters
        ----------
        images
            `(batch, img_channels, resolution, resolution)`, float, about [-1, 1]; at every level of detail.
        c
            `(batch, c_dim)` for a conditional network of StyleGAN; one of Progressive GAN needs none.

        Returns
        -------
        Tensor
            Logits `(batch, 1)`: above zero for real.

        Raises
        ------
        ValueError
            Images or c of the wrong shape or type, a condition for an unconditional network, or a batch that is not a
            multiple of the group.
        """
        if self.c_dim and (self.config.blur or c is not None):
            c = check_rows("c", c, self.c_dim, len(images))
        elif c is not None and c.shape[-1]:
            raise ValueError(f"this network is not conditional (c_dim 0), but was given c {tuple(c.shape)}")
        logits = self._logits(images)
        if not self.c_dim or not self.config.blur:
            return logits[:, :1]
        assert c is not None  # as was checked
        return (logits * c.to(logits)).sum(dim=1, keepdim=True)

    def classify(self, images: Tensor) -> Tensor:
        """Predict the labels of images with a conditional network of Progressive GAN.

        Parameters
        ----------
        images
            As in `forward`.

        Returns
        -------
        Tensor
            Logits of the labels `(batch, c_dim)`, which a softmax turns into probabilities.

        Raises
        ------
        ValueError
            The network is of another kind, or `forward` would refuse the images.
        """
        if self.config.blur or not self.c_dim:
            raise ValueError("this discriminator tells no labels: a conditional one of Progressive GAN does")
        return self._logits(images)[:, 1:]

    def _logits(self, images: Tensor) -> Tensor:
        """All that the last layer gives, `(batch, outputs)`."""
        expected = (self.config.img_channels, self.resolution, self.resolution)
        if images.dim() != 4 or tuple(images.shape[1:]) != expected or not images.is_floating_point():
            raise ValueError(
                f"images must be float (batch, {', '.join(map(str, expected))}), not {images.dtype} "
                f"{tuple(images.shape)}"
            )
        images = ops.to_fast_layout(images.to(self.b4.conv.weight.dtype))
        level = Level.of(self.config.lod, self.resolution)
        x = self._from_image(images, level.resolution)
        for r in resolutions(level.resolution)[:0:-1]:
            x = self.get_submodule(f"b{r}")(x)
            if r == level.resolution and level.fades_in:
                x = torch.lerp(self._from_image(images, r // 2), x, level.share)
        return self.b4(x)

    if TYPE_CHECKING:
        __call__ = forward
