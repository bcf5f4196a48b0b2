"""InstaGAN's networks, for an image and the set of masks of its instances, whatever their number and order.

Mo et al. 2019, "InstaGAN: Instance-aware Image-to-Image Translation", section 2.1. Masks are `(b, n, h, w)` in
[-1, 1], 1 within an instance. Images of a batch may have fewer than n: a mask that is -1 everywhere is no instance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from latentlab.errors import UserError
from latentlab.translation.networks.base import NetworkConfig, TranslationGenerator
from latentlab.translation.networks.layers import (
    Norm,
    Upsampling,
    check_counts,
    check_norm,
    check_size,
    check_upsampling,
    leave_biases,
    norm_layer,
)
from latentlab.translation.networks.multiscale import MultiScale, check_scales
from latentlab.translation.networks.resnet import Decoder, Encoder
from stylegan2.defaults import plain_defaults

AT_ONCE = 2
"""Instances of a sequential mini-batch, unless a configuration says otherwise."""


@dataclass(frozen=True)
class InstaGeneratorConfig(NetworkConfig):
    """Shape of InstaGAN's generator; fields as in `ResNetConfig`."""

    blocks: int = 9
    ngf: int = 64
    channels: int = 3
    norm: Norm = "instance"
    upsampling: Upsampling = "transposed"

    kind: ClassVar[str] = "instagan-generator"

    def __post_init__(self) -> None:
        check_norm(self.norm)
        check_upsampling(self.upsampling)
        check_counts(blocks=self.blocks, ngf=self.ngf, channels=self.channels)

    @plain_defaults()
    def build(self) -> InstaGenerator:
        """See `NetworkConfig`."""
        return InstaGenerator(self)


@dataclass(frozen=True)
class InstaDiscriminatorConfig(NetworkConfig):
    """Shape of InstaGAN's discriminator; fields as in `PatchConfig`."""

    ndf: int = 64
    channels: int = 3
    norm: Norm = "instance"
    scales: int = 1

    kind: ClassVar[str] = "instagan-discriminator"

    def __post_init__(self) -> None:
        check_norm(self.norm)
        check_scales(self.scales)
        check_counts(ndf=self.ndf, channels=self.channels)

    @plain_defaults()
    def build(self) -> InstaDiscriminator | MultiScale:
        """See `NetworkConfig`."""
        return InstaDiscriminator(self) if self.scales == 1 else MultiScale(InstaDiscriminator, self)


def present(masks: Tensor) -> Tensor:
    """Return which of `masks (b, n, h, w)` are instances: `(b, n)` bool."""
    return (masks > -1).flatten(2).any(dim=2)


def sum_of_sets(encode: Callable[[Tensor], Tensor], masks: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the features of every instance, and their sum over the set of each image.

    Parameters
    ----------
    encode
        Encoder of masks `(m, 1, h, w)` to features `(m, c, h', w')`.
    masks
        `(b, n, h, w)`.
    like
        `(b, c, h', w')`: a tensor shaped like the sums, which are 0 for an image without an instance.

    Returns
    -------
    tuple of Tensor
        Features `(m, c, h', w')` of the m instances, in the order of the masks, and their sums.
    """
    there = present(masks)
    owners = there.nonzero()[:, 0]
    if not len(owners):
        return like[:0], torch.zeros_like(like)
    features = encode(masks[there][:, None])
    return features, torch.zeros_like(like, dtype=features.dtype).index_add(0, owners, features)


class InstaGenerator(TranslationGenerator):
    """Translates an image and its instances to another image and its instances, whose order does not matter.

    One encoder serves all masks. The image is decoded from its features and the sum of the instances' features, and
    each mask from its own features, those of the image and the sum.
    """

    takes_masks = True
    size_multiple, least_size = 4, 8

    def __init__(self, config: InstaGeneratorConfig):
        super().__init__()
        self.config = config
        features = 4 * config.ngf
        self.encoder_img = Encoder(config.channels, config.ngf, config.blocks, config.norm, dropout=False)
        self.encoder_seg = Encoder(1, config.ngf, config.blocks, config.norm, dropout=False)
        self.decoder_img = Decoder(2 * features, config.channels, config.norm, config.upsampling)
        self.decoder_seg = Decoder(3 * features, 1, config.norm, config.upsampling)

    def forward(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Translate images `(b, 3, h, w)` and masks `(b, n, h, w)`, all instances at once; empty masks stay empty.

        Raises
        ------
        UserError
            Images and masks differ in size, or their height and width are not multiples of 4 and at least 8.
        """
        check_masks(images, masks)
        check_size(images, self.size_multiple, self.least_size, "InstaGAN's generator")
        h_x = self.encoder_img(images)
        h_a, total = sum_of_sets(self.encoder_seg, masks, h_x)
        translated = self.decoder_img(torch.cat([h_x, total], dim=1))
        out = torch.full_like(masks, -1, dtype=translated.dtype)
        if len(h_a):
            there = present(masks)
            owners = there.nonzero()[:, 0]
            decoded = self.decoder_seg(torch.cat([h_a, h_x[owners], total[owners]], dim=1))
            out = out.masked_scatter(there[:, :, None, None].expand_as(out), decoded[:, 0])
        return translated, out

    def translate(
        self, images: Tensor, masks: Tensor | None, settings: Mapping[str, Any], strengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """See `TranslationGenerator`; `settings` may say how many instances are translated `at_once`."""
        if masks is None:
            raise UserError("InstaGAN's generator needs masks")
        return translate_instances(self, images, masks, settings.get("at_once", AT_ONCE))


def translate_instances(generator: nn.Module, images: Tensor, masks: Tensor, at_once: int) -> tuple[Tensor, Tensor]:
    """Translate images `(b, 3, h, w)` with all their instances `(b, n, h, w)`, `at_once` instances in each step.

    Mo et al. 2019, section 2.3: sequential mini-batches of instances.
    """
    translated = []
    for start in range(0, masks.shape[1], at_once):
        some = masks[:, start : start + at_once]
        rows = present(some).any(dim=1).nonzero()[:, 0]
        out = some.clone()
        if len(rows):
            made, out_rows = generator(images[rows], some[rows])
            images, out = images.index_copy(0, rows, made), out.index_copy(0, rows, out_rows)
        translated.append(out)
    return images, torch.cat(translated, dim=1) if translated else masks


class InstaDiscriminator(nn.Module):
    """Maps an image and its instances to a logit for each patch, `(b, 1, h', w')`; spectral norm throughout."""

    def __init__(self, config: InstaDiscriminatorConfig):
        super().__init__()
        self.config = config
        self.feature_img = _extractor(config.channels, config)
        self.feature_seg = _extractor(1, config)
        channels = 16 * config.ndf
        self.classifier = nn.Sequential(
            spectral_norm(nn.Conv2d(8 * config.ndf, channels, 4, 1, 1)),
            norm_layer(config.norm, channels),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(channels, 1, 4, 1, 1)),
        )
        leave_biases(self.classifier[:1], self.classifier[1:2])

    def forward(self, images: Tensor, masks: Tensor) -> Tensor:
        """Compute logits of images `(b, 3, h, w)` with masks `(b, n, h, w)`.

        Raises
        ------
        UserError
            Images and masks differ in size, or are too small.
        """
        check_masks(images, masks)
        check_size(images, 1, 24, "InstaGAN's discriminator")
        features = self.feature_img(images)
        _, total = sum_of_sets(self.feature_seg, masks, features)
        logits: Tensor = self.classifier(torch.cat([features, total], dim=1))
        return logits


def _extractor(channels: int, config: InstaDiscriminatorConfig) -> nn.Sequential:
    """Build a feature extractor: `(b, channels, h, w)` to `(b, 4 ndf, h/8, w/8)`."""
    widths = [channels, config.ndf, 2 * config.ndf, 4 * config.ndf]
    layers: list[nn.Module] = []
    for k, (i, o) in enumerate(zip(widths, widths[1:], strict=False)):
        norm = [norm_layer(config.norm, o)] if k else []
        conv = spectral_norm(nn.Conv2d(i, o, 4, 2, 1))
        leave_biases([conv] * len(norm), norm)
        layers += [conv, *norm, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def check_masks(images: Tensor, masks: Tensor) -> None:
    """Raise UserError unless masks `(b, n, h, w)` fit images `(b, c, h, w)`."""
    if masks.ndim != 4 or len(masks) != len(images) or masks.shape[2:] != images.shape[2:]:
        size = f"{len(images)}, n, {images.shape[2]}, {images.shape[3]}"
        raise UserError(f"masks of these images are ({size}), not {tuple(masks.shape)}")
