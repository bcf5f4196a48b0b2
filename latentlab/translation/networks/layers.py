"""Layers that the translators' networks share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.translation.sizes import nearest_size, size_name
from stylegan2.defaults import plain_defaults

Norm = Literal["batch", "instance", "instance-affine", "none"]
Upsampling = Literal["transposed", "resize"]
"""How a decoder doubles height and width: by a transposed convolution, or by resizing and then convolving, which leaves
no checkerboards (Odena et al. 2016, "Deconvolution and Checkerboard Artifacts")."""


def norm_layer(kind: Norm, channels: int) -> nn.Module:
    """Return a normalisation layer: batch (with a learnt scale), instance (without or with one), or none."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "none":
        return nn.Identity()
    return InstanceNorm(channels, affine=kind == "instance-affine")


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation whose gradients are right in every layout, with float32 statistics even for bfloat16.

    Torch's own mistakes a gradient in `channels_last`, as the next convolution sends it, for one in its own layout:
    with a batch of one, the gradients are silently wrong. It also copies the features to its own layout. Here, a single
    image is batch-normalised, which is the same and needs no copy; on a CPU, so is each image of a batch.
    """

    def forward(self, input: Tensor) -> Tensor:
        """See the class."""
        count, channels = input.shape[:2]
        if count == 0 or (count > 1 and input.device.type != "cpu"):
            return super().forward(input)
        scale, shift = self.weight, self.bias
        if scale is None and input.dtype in (torch.bfloat16, torch.float16):
            # Torch keeps the statistics in the type of the scale; without one, it rounds them to that of the input.
            scale, shift = (torch.full((channels,), value, device=input.device) for value in (1.0, 0.0))
        alone = torch.split(input, 1)
        made = [F.batch_norm(image, None, None, scale, shift, training=True, eps=self.eps) for image in alone]
        return made[0] if count == 1 else torch.cat(made)


class ReflectConv(nn.Conv2d):
    """Convolution of features that are padded by reflection, `(b, c, h, w)` to `(b, c', h, w)`."""

    def __init__(self, channels: int, out_channels: int, kernel: int, bias: bool = True):
        super().__init__(channels, out_channels, kernel, padding=kernel // 2, padding_mode="reflect", bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """See the class."""
        # On a CPU, autocast pads in float32, for no reason that applies here: four bytes per value, and two copies.
        with torch.autocast(input.device.type, enabled=False):
            padded = F.pad(input, self._reversed_padding_repeated_twice, mode="reflect")
        return F.conv2d(padded, self.weight, self.bias)


def leave_biases(convs: Iterable[nn.Module], norms: Iterable[nn.Module]) -> None:
    """Do not train biases of convolutions whose instance norm cancels them: their gradients are rounding errors."""
    for conv, norm in zip(convs, norms, strict=True):
        if isinstance(norm, nn.InstanceNorm2d) and isinstance(conv.bias, nn.Parameter):
            conv.bias.requires_grad_(False)


def check_norm(kind: str) -> None:
    """Raise UserError unless `kind` is a normalisation."""
    if kind not in get_args(Norm):
        raise UserError(f"a normalisation is one of {', '.join(get_args(Norm))}, not {kind!r}")


def check_counts(**counts: int) -> None:
    """Raise UserError for a number of channels or blocks that no network has, before one is built and takes memory."""
    for name, count in counts.items():
        least, most = (0, 64) if name == "blocks" else (1, 1024)
        if not least <= count <= most:
            raise UserError(f"a network's {name} is a number from {least} to {most}, not {count}")


def check_upsampling(kind: str) -> None:
    """Raise UserError unless `kind` is a way to double features."""
    if kind not in get_args(Upsampling):
        raise UserError(f"features are doubled by {' or '.join(get_args(Upsampling))}, not {kind!r}")


class ResizeConv(nn.Conv2d):
    """Resize to twice the height and width and convolve, 3×3: `(b, c, h, w)` to `(b, c', 2h, 2w)`."""

    def __init__(self, channels: int, out_channels: int, bias: bool):
        super().__init__(channels, out_channels, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """See the class."""
        return super().forward(F.interpolate(input, scale_factor=2.0))


def doubling_layer(kind: Upsampling, channels: int, out_channels: int, kernel: int, bias: bool) -> nn.Module:
    """Return the layer of a decoder that doubles height and width; `kernel` is that of the transposed convolution."""
    if kind == "resize":
        return ResizeConv(channels, out_channels, bias)
    return nn.ConvTranspose2d(channels, out_channels, kernel, 2, 1, output_padding=kernel % 2, bias=bias)


def has_bias(kind: Norm) -> bool:
    """Return whether a convolution before this normalisation has a bias: batch normalisation brings its own."""
    return kind != "batch"


@torch.no_grad()
@plain_defaults()
def initialise_(network: nn.Module, spread: float = 0.02, seed: int = 0) -> None:
    """Draw weights as the papers do: N(0, spread²); scales of norms N(1, spread²); biases 0.

    Isola et al. 2017, section 6.2; Zhu et al. 2017, section 7.1. Other parameters are left alone.
    """
    rng = torch.Generator().manual_seed(seed)
    # Torch draws the start of spectral norm's power iterations from its global generator, which no seed determines.
    power = torch.Generator().manual_seed(seed)
    norms = (nn.BatchNorm2d, nn.InstanceNorm2d)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, *norms)) and module.weight is not None:
            mean = 1.0 if isinstance(module, norms) else 0.0
            reparametrised: Any = getattr(module, "parametrizations", None)  # spectral norm computes the weight
            weight: Tensor = module.weight if reparametrised is None else reparametrised.weight.original
            for start in () if reparametrised is None else reparametrised.weight.buffers():
                start.copy_(F.normalize(torch.randn(start.shape, generator=power), dim=0))
            weight.copy_(mean + spread * torch.randn(weight.shape, generator=rng))
            if module.bias is not None:
                module.bias.zero_()


def infer(network: nn.Module, dropout: bool) -> None:
    """Put a network in evaluation mode with dropout on or off: in pix2pix it is the only source of noise."""
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.train(dropout)


def check_size(x: Tensor, multiple: int, least: int, network: str) -> None:
    """Raise UserError unless height and width of `x (b, c, h, w)` are multiples of `multiple` and at least `least`."""
    height, width = x.shape[2:]
    check_sides(height, width, multiple, least, network)


def check_sides(height: int, width: int, multiple: int, least: int, network: str) -> None:
    """Raise UserError unless both are multiples of `multiple` and at least `least`, naming the nearest that are."""
    if height % multiple or width % multiple or min(height, width) < least:
        raise UserError(
            f"{network} takes images whose height and width are multiples of {multiple}, {least} at least, not "
            f"{size_name(height, width)}; the nearest are {size_name(*nearest_size(height, width, multiple, least))}"
        )
