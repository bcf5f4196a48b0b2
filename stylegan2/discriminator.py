"""The StyleGAN2 discriminator: residual blocks down to 4², the mini-batch standard deviation, one logit.

Parameters and buffers carry the names of the PyTorch release, so its state dicts load as they are.
Letters in shape comments: b batch, i and o channels in and out, r side of a block's feature maps; for images
that are not square, read its height and its width.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stylegan2 import ops
from stylegan2.config import DiscriminatorConfig
from stylegan2.layers import Conv2d, FullyConnected, block_dtype, check_rows, resample_buffer
from stylegan2.networks import MappingNetwork


def minibatch_std(x: Tensor, group_size: int | None, channels: int) -> Tensor:
    """Append how much the images of a group differ (Karras et al. 2018, section 3).

    Parameters
    ----------
    x
        `(batch, i, height, width)`; image k is in the same group as k + batch / size, k + 2 batch / size, …
    group_size
        Images in a group (None: all); a smaller batch is one group. Must divide the batch.
    channels
        Feature maps to append; must divide i.

    Returns
    -------
    Tensor
        `(batch, i + channels, height, width)`.

    Raises
    ------
    ValueError
        The batch is not a multiple of the group.
    """
    b, i, height, width = x.shape
    size = b if group_size is None else min(group_size, b)
    if b % size:
        raise ValueError(f"a batch of {b} does not divide into groups of {size} for the mini-batch deviation")
    y = x.to(torch.promote_types(x.dtype, torch.float32))
    y = y.reshape(size, b // size, channels, i // channels, height, width)
    y = (y.var(dim=0, unbiased=False) + 1e-8).sqrt()  # (b / size, channels, i / channels, height, width)
    y = y.mean(dim=(2, 3, 4)).repeat(size, 1)  # (b, channels)
    return torch.cat([x, y.to(x.dtype)[:, :, None, None].expand(-1, -1, height, width)], dim=1)


class DiscriminatorBlock(nn.Module):
    """Two convolutions, the second of which halves the resolution; as a residual block, or in sequence."""

    resample_filter: Tensor

    def __init__(self, resolution: int, config: DiscriminatorConfig) -> None:
        super().__init__()
        i, o = config.channels(resolution), config.channels(resolution // 2)
        taps, clamp = config.resample_filter, config.conv_clamp
        self.resolution, self.config = resolution, config
        self.register_buffer("resample_filter", resample_buffer(taps))
        if config.architecture == "skip" or resolution == config.resolution:
            self.fromrgb = Conv2d(config.img_channels, i, 1, taps, conv_clamp=clamp)
        self.conv0 = Conv2d(i, i, 3, taps, conv_clamp=clamp)
        self.conv1 = Conv2d(i, o, 3, taps, down=2, conv_clamp=clamp)
        if config.architecture == "resnet":
            self.skip = Conv2d(i, o, 1, taps, linear=True, down=2)

    def forward(self, x: Tensor | None, img: Tensor) -> tuple[Tensor, Tensor]:
        """Features `(b, i, r, r)` (None in the first block) and the image at r to both at r / 2."""
        dtype = block_dtype(self.resolution, self.config, self.conv0.weight)
        if hasattr(self, "fromrgb"):
            y = self.fromrgb(img.to(dtype))  # (b, i, r, r)
            x = y if x is None else x.to(dtype) + y
        if self.config.architecture == "skip":
            img = ops.downsample2d(img, self.resample_filter)  # (b, img_channels, r / 2, r / 2)
        assert x is not None  # the first block has a fromrgb
        x = x.to(dtype)
        if self.config.architecture != "resnet":
            return self.conv1(self.conv0(x)), img  # (b, o, r / 2, r / 2)
        y = self.skip(x, gain=math.sqrt(0.5))  # (b, o, r / 2, r / 2)
        return y + self.conv1(self.conv0(x), gain=math.sqrt(0.5)), img


class DiscriminatorEpilogue(nn.Module):
    """The 4x4 features to a logit, to a logit for each label, or to a vector to be projected on the condition's."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        i, taps = config.channels(4), config.resample_filter
        self.group_size, self.mbstd_channels = config.mbstd_group_size, config.mbstd_channels
        if config.architecture == "skip":
            self.fromrgb = Conv2d(config.img_channels, i, 1, taps)
        self.conv = Conv2d(i + self.mbstd_channels, i, 3, taps, conv_clamp=config.conv_clamp)
        self.fc = FullyConnected(i * math.prod(config.base_size), i, lrelu=True)
        self.out = FullyConnected(i, 1 if not config.c_dim else config.c_dim if config.label_switch else i)

    def forward(self, x: Tensor, img: Tensor) -> Tensor:
        """Features `(b, i, 4, 4)`, and the image at 4x4 for 'skip', to `(b, 1, c_dim or i)`."""
        x = x.to(self.conv.weight.dtype)  # (b, i, 4, 4)
        if hasattr(self, "fromrgb"):
            x = x + self.fromrgb(img)
        if self.mbstd_channels:
            x = minibatch_std(x, self.group_size, self.mbstd_channels)  # (b, i + mbstd_channels, 4, 4)
        x = self.conv(x)  # (b, i, 4, 4)
        return self.out(self.fc(x.flatten(1)))

    if TYPE_CHECKING:
        __call__ = forward


class Discriminator(nn.Module):
    """The discriminator: a logit for each image, given its condition if there is one.

    Conditional networks project on an embedding of c (Miyato & Koyama 2018), or use c to choose among outputs; see
    `DiscriminatorConfig.label_switch`.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.c_dim, self.resolution = config.c_dim, config.resolution
        for r in config.block_resolutions[:-1]:
            self.add_module(f"b{r}", DiscriminatorBlock(r, config))
        self.b4 = DiscriminatorEpilogue(config)
        if config.c_dim and not config.label_switch:
            self.mapping = MappingNetwork(0, config.c_dim, config.channels(4), None, config.mapping_layers)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of its input images in pixels."""
        return self.config.image_size

    def forward(self, images: Tensor, c: Tensor | None = None) -> Tensor:
        """Compute how real images look.

        Parameters
        ----------
        images
            `(batch, img_channels, height, width)` of the configuration's `image_size`, float, about [-1, 1].
        c
            `(batch, c_dim)` for a conditional network.

        Returns
        -------
        Tensor
            Logits `(batch, 1)`: above zero for real.

        Raises
        ------
        ValueError
            Images or c of the wrong shape or type, or a batch that is not a multiple of the group.
        """
        expected = (self.config.img_channels, *self.image_size)
        if images.dim() != 4 or tuple(images.shape[1:]) != expected or not images.is_floating_point():
            raise ValueError(
                f"images must be float (batch, {', '.join(map(str, expected))}), "
                f"not {images.dtype} {tuple(images.shape)}"
            )
        if self.c_dim:
            c = check_rows("c", c, self.c_dim, len(images))
        x, img = None, ops.to_fast_layout(images.to(self.b4.conv.weight.dtype))
        for r in self.config.block_resolutions[:-1]:
            x, img = self.get_submodule(f"b{r}")(x, img)
        assert x is not None  # resolutions start at 8
        x = self.b4(x, img)  # (b, 1), conditional (b, i) or (b, c_dim)
        if not self.c_dim:
            return x
        assert c is not None  # as was checked
        if self.config.label_switch:
            return (x * c.to(x)).sum(dim=1, keepdim=True)
        cmap = self.mapping(None, c)  # (b, i)
        return (x * cmap).sum(dim=1, keepdim=True) / math.sqrt(cmap.shape[1])  # (b, 1)

    if TYPE_CHECKING:
        __call__ = forward
