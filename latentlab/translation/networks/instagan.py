"""InstaGAN's networks: a picture and the set of its instances' masks, whatever their number and order.

Mo et al. 2019, "InstaGAN: Instance-aware Image-to-Image Translation", section 2.1. Masks travel as `(b, n, h, w)`
in [-1, 1], 1 within an instance. Pictures of a batch may have fewer than n: a mask that is -1 everywhere is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from latentlab.errors import UserError
from latentlab.translation.networks.layers import Norm, check_norm, check_size, norm_layer
from latentlab.translation.networks.resnet import Decoder, Encoder


@dataclass(frozen=True)
class InstaGeneratorConfig:
    """The shape of InstaGAN's generator; fields as in `ResNetConfig`."""

    blocks: int = 9
    ngf: int = 64
    channels: int = 3
    norm: Norm = "instance"

    def __post_init__(self) -> None:
        check_norm(self.norm)


@dataclass(frozen=True)
class InstaDiscriminatorConfig:
    """The shape of InstaGAN's discriminator; fields as in `PatchConfig`."""

    ndf: int = 64
    channels: int = 3
    norm: Norm = "instance"

    def __post_init__(self) -> None:
        check_norm(self.norm)


def present(masks: Tensor) -> Tensor:
    """Which of `masks (b, n, h, w)` are instances: `(b, n)` bool."""
    return (masks > -1).flatten(2).any(dim=2)


def sum_of_sets(encode: Callable[[Tensor], Tensor], masks: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Features of every instance, and their sum over each picture's set.

    Parameters
    ----------
    encode
        Masks `(m, 1, h, w)` to features `(m, c, h', w')`.
    masks
        `(b, n, h, w)`.
    like
        `(b, c, h', w')`: of the shape of the sums, which are 0 for a picture without an instance.

    Returns
    -------
    tuple of Tensor
        Features `(m, c, h', w')` of the m instances there are, in the order of the masks, and sums.
    """
    there = present(masks)
    owners = there.nonzero()[:, 0]
    if not len(owners):
        return like[:0], torch.zeros_like(like)
    features = encode(masks[there][:, None])
    return features, torch.zeros_like(like, dtype=features.dtype).index_add(0, owners, features)


class InstaGenerator(nn.Module):
    """A picture and its instances to another picture and theirs; the order of the instances does not matter.

    One encoder serves all masks. The picture is decoded from its features and the sum of the instances', each
    mask from its own features, the picture's and the sum.
    """

    def __init__(self, config: InstaGeneratorConfig):
        super().__init__()
        self.config = config
        width = 4 * config.ngf
        self.encoder_img = Encoder(config.channels, config.ngf, config.blocks, config.norm, dropout=False)
        self.encoder_seg = Encoder(1, config.ngf, config.blocks, config.norm, dropout=False)
        self.decoder_img = Decoder(2 * width, config.channels, config.norm)
        self.decoder_seg = Decoder(3 * width, 1, config.norm)

    def forward(self, pictures: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures `(b, 3, h, w)` and masks `(b, n, h, w)` to the same; what was no instance stays none.

        Raises
        ------
        UserError
            Pictures and masks are not of one size, or their sides not multiples of 4, from 8.
        """
        check_masks(pictures, masks)
        check_size(pictures, 4, 8, "InstaGAN's generator")
        h_x = self.encoder_img(pictures)
        h_a, total = sum_of_sets(self.encoder_seg, masks, h_x)
        translated = self.decoder_img(torch.cat([h_x, total], dim=1))
        out = torch.full_like(masks, -1, dtype=translated.dtype)
        if len(h_a):
            there = present(masks)
            owners = there.nonzero()[:, 0]
            decoded = self.decoder_seg(torch.cat([h_a, h_x[owners], total[owners]], dim=1))
            out = out.masked_scatter(there[:, :, None, None].expand_as(out), decoded[:, 0])
        return translated, out


class InstaDiscriminator(nn.Module):
    """A picture and its instances to a logit for each patch, `(b, 1, h', w')`; spectral norm throughout."""

    def __init__(self, config: InstaDiscriminatorConfig):
        super().__init__()
        self.config = config
        self.feature_img = _extractor(config.channels, config)
        self.feature_seg = _extractor(1, config)
        width = 16 * config.ndf
        self.classifier = nn.Sequential(
            spectral_norm(nn.Conv2d(8 * config.ndf, width, 4, 1, 1)),
            norm_layer(config.norm, width),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, 1, 4, 1, 1)),
        )

    def forward(self, pictures: Tensor, masks: Tensor) -> Tensor:
        """Logits of pictures `(b, 3, h, w)` with masks `(b, n, h, w)`.

        Raises
        ------
        UserError
            Pictures and masks are not of one size, or too small.
        """
        check_masks(pictures, masks)
        check_size(pictures, 1, 24, "InstaGAN's discriminator")
        features = self.feature_img(pictures)
        _, total = sum_of_sets(self.feature_seg, masks, features)
        return self.classifier(torch.cat([features, total], dim=1))


def _extractor(channels: int, config: InstaDiscriminatorConfig) -> nn.Sequential:
    """`(b, channels, h, w)` to `(b, 4 ndf, h/8, w/8)`."""
    widths = [channels, config.ndf, 2 * config.ndf, 4 * config.ndf]
    layers: list[nn.Module] = []
    for k, (i, o) in enumerate(zip(widths, widths[1:], strict=False)):
        norm = [norm_layer(config.norm, o)] if k else []
        layers += [spectral_norm(nn.Conv2d(i, o, 4, 2, 1)), *norm, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def check_masks(pictures: Tensor, masks: Tensor) -> None:
    """UserError unless masks `(b, n, h, w)` fit pictures `(b, c, h, w)`."""
    if masks.ndim != 4 or len(masks) != len(pictures) or masks.shape[2:] != pictures.shape[2:]:
        size = f"{len(pictures)}, n, {pictures.shape[2]}, {pictures.shape[3]}"
        raise UserError(f"masks of these pictures are ({size}), not {tuple(masks.shape)}")
