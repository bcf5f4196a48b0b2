"""Patch discriminator, which tells real from generated for each patch of an image.

Isola et al. 2017, sections 3.2.2 and 6.1.2: patches of 70 pixels by default; 1, 16 and 286 are those of the ablation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from latentlab.errors import UserError
from latentlab.translation.networks.base import NetworkConfig
from latentlab.translation.networks.layers import (
    Norm,
    check_counts,
    check_norm,
    check_size,
    has_bias,
    leave_biases,
    norm_layer,
)
from latentlab.translation.networks.multiscale import MultiScale, check_scales
from stylegan2.defaults import plain_defaults

# Receptive field in pixels -> number of convolutions that halve the resolution; for one pixel, all are 1×1.
LAYERS = {1: 0, 16: 1, 34: 2, 70: 3, 142: 4, 286: 5}


@dataclass(frozen=True)
class PatchConfig(NetworkConfig):
    """Shape of a patch discriminator.

    Attributes
    ----------
    receptive_field
        Height and width in pixels of the patch that one logit depends on: 1, 16, 34, 70, 142 or 286.
    ndf
        Base channel count: channels of the first convolution; they double with each layer, up to eight times.
    channels
        Input channels: 3 for an image, 6 for an image stacked with the one that it was made from.
    norm
        Normalisation after every convolution but the first and the last; 'spectral' normalises the weights of all of
        them instead (Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks").
    scales
        Number of discriminators, each of which sees the images at half the resolution of the one before.
    """

    receptive_field: int = 70
    ndf: int = 64
    channels: int = 3
    norm: Norm | Literal["spectral"] = "instance"
    scales: int = 1

    kind: ClassVar[str] = "patch"

    def __post_init__(self) -> None:
        if self.norm != "spectral":
            check_norm(self.norm)
        check_scales(self.scales)
        check_counts(ndf=self.ndf, channels=self.channels)
        if self.receptive_field not in LAYERS:
            known = ", ".join(map(str, LAYERS))
            raise UserError(f"a patch discriminator sees {known} pixels, not {self.receptive_field}")

    @plain_defaults()
    def build(self) -> PatchDiscriminator | MultiScale:
        """See `NetworkConfig`."""
        return PatchDiscriminator(self) if self.scales == 1 else MultiScale(PatchDiscriminator, self)


class PatchDiscriminator(nn.Module):
    """Images `(b, channels, h, w)` to a logit for each patch, `(b, 1, h', w')`: large where the patch looks real."""

    def __init__(self, config: PatchConfig):
        super().__init__()
        self.config = config
        ndf, layers = config.ndf, LAYERS[config.receptive_field]
        norm: Norm = "none" if config.norm == "spectral" else config.norm
        bias = has_bias(norm)
        if layers == 0:
            widths, kernel, strides, padding = [ndf, 2 * ndf], 1, [1, 1], 0
        else:
            widths = [ndf * min(2**k, 8) for k in range(layers + 1)]
            kernel, strides, padding = 4, [2] * layers + [1], 1
        self.stem = nn.Conv2d(config.channels, ndf, kernel, strides[0], padding)
        self.body = nn.ModuleList(
            nn.Conv2d(i, o, kernel, stride, padding, bias=bias)
            for i, o, stride in zip(widths, widths[1:], strides[1:], strict=False)
        )
        self.norms = nn.ModuleList(norm_layer(norm, width) for width in widths[1:])
        leave_biases(self.body, self.norms)
        # The last convolution of the published pixel discriminator has a bias only if those before it have one; that
        # of a patch discriminator always has one.
        self.head = nn.Conv2d(widths[-1], 1, kernel, 1, padding, bias=bias or layers > 0)
        if config.norm == "spectral":
            for conv in (self.stem, *self.body, self.head):
                spectral_norm(conv)

    def forward(self, x: Tensor) -> Tensor:
        """See the class.

        Raises
        ------
        UserError
            The images are smaller than three pixels of the last features.
        """
        layers = LAYERS[self.config.receptive_field]
        check_size(x, 1, 3 * 2**layers if layers else 1, f"a discriminator of {self.config.receptive_field} pixels")
        x = F.leaky_relu(self.stem(x), 0.2)
        for conv, norm in zip(self.body, self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), 0.2)
        logits: Tensor = self.head(x)
        return logits
