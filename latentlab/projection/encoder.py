"""A feed-forward guess at the latents of an image: linear in features of LPIPS's backbone.

The features of VGG16's middle layers, of unit length at each position as LPIPS compares them (Zhang et al.
2018, equation 1), are averaged over a 4×4 grid; a matrix of low rank, fitted by ridge regression on the
generator's own images, takes them to ws. So the guess is a cautious one: what an image does not show stays at
the mean of w. `scripts/train_encoder.py` fits it; the encoder of `mobile-ffhq` comes with the package.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from latentlab import cards, perceptual
from latentlab.errors import UserError
from latentlab.files import check_regular
from latentlab.filling import check_fits
from stylegan2.defaults import own_draws, plain_defaults
from stylegan2.protocol import Generator

RESOLUTION = 128  # of the image that the backbone sees
MIN_RESOLUTION = 64  # a smaller image tells too little
GRID = 4
LAYERS = (1, 2, 3)  # in the pyramid: relu2_2, relu3_3, relu4_3
_FEATURES = (128 + 256 + 512) * GRID**2  # channels of these layers in VGG16
_KIND = cards.Kind("", 1, "an encoder", "scripts/train_encoder.py writes one")


class Backbone(nn.Module):
    """Features of images in which the encoder is linear."""

    def __init__(self, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.vgg = perceptual.load_perceptual("vgg", dtype=dtype)

    def forward(self, images: Tensor) -> Tensor:
        """Compute features `(b, features)` of `images (b, 3, h, h)` in [-1, 1], layer by layer.

        Raises
        ------
        UserError
            If they are not square images of 64 pixels or more, or not finite.
        """
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
            raise UserError(f"an encoder takes square images (b, 3, h, h), not {tuple(images.shape)}")
        if images.shape[2] < MIN_RESOLUTION:
            raise UserError(f"an encoder takes images of at least {MIN_RESOLUTION} pixels, not {images.shape[2]}")
        if not images.isfinite().all():
            raise UserError("the images to encode hold numbers that are not finite")
        layers = self.vgg.pyramid(_resized(images.float())).layers
        return torch.cat([F.adaptive_avg_pool2d(layers[k], GRID).flatten(1) for k in LAYERS], dim=1)


def _resized(images: Tensor) -> Tensor:
    """The images at 128 pixels: averaged down, or interpolated up."""
    if images.shape[2] >= RESOLUTION:
        return F.interpolate(images, (RESOLUTION, RESOLUTION), mode="area")
    return F.interpolate(images, (RESOLUTION, RESOLUTION), mode="bilinear", align_corners=False)


class Encoder(nn.Module):
    """Images to ws, for one generator; differentiable in the images, its own weights frozen.

    Parameters
    ----------
    tensors
        Fitted tensors: `reduce` (rank, features) and `expand` (groups · w_dim, rank), the factors of the
        matrix; `bias` (groups · w_dim); `rows` (num_ws), the group that each row of ws takes.
    metadata
        Card of the encoder: `generator`, its fingerprint, and what the encoder was fitted on.
    backbone
        Network of the features; None loads it.

    Attributes
    ----------
    generator
        Fingerprint of the generator whose ws it gives.
    card
        The metadata.
    """

    reduce: Tensor
    expand: Tensor
    bias: Tensor
    rows: Tensor

    def __init__(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], backbone: Backbone | None = None):
        super().__init__()
        self.card = dict(metadata)
        self.generator = self.card["generator"]
        self.backbone = backbone or Backbone()
        for name in ("reduce", "expand", "bias"):
            self.register_buffer(name, tensors[name].float())
        self.register_buffer("rows", tensors["rows"].long())

    def forward(self, images: Tensor) -> Tensor:
        """Guess ws `(b, num_ws, w_dim)` of `images (b, 3, h, h)` in [-1, 1], in FFHQ's crop, of 64 pixels or more.

        Raises
        ------
        UserError
            If they are not square images of 64 pixels or more, or not finite.
        """
        groups = F.linear(F.linear(self.backbone(images), self.reduce), self.expand, self.bias)
        return groups.view(len(groups), int(self.rows.max()) + 1, -1)[:, self.rows]

    @classmethod
    @plain_defaults()
    @own_draws()
    def load(cls, path: str | os.PathLike[str]) -> Encoder:
        """Read an encoder that scripts/train_encoder.py wrote.

        Raises
        ------
        UserError
            If the file is missing, broken or not an encoder, or if the backbone is not available.
        """
        check_regular(path)
        with cards.guard(Path(path), _KIND):
            tensors, metadata = cards.tensors_of(Path(path), lambda metadata: metadata["generator"])
            _check_tensors(tensors)
        return cls(tensors, metadata)


def _check_tensors(tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors that do not fit each other, or the backbone's features; UserError says which."""
    shape, rows = tensors["reduce"].shape, tensors["rows"]
    rank, groups = shape[0], int(rows.max()) + 1
    wanted = {"reduce": (rank, _FEATURES), "expand": (len(tensors["bias"]), rank), "bias": tensors["bias"].shape[:1]}
    check_fits(tensors, {**{name: torch.empty(size, device="meta") for name, size in wanted.items()}, "rows": rows})
    if rows.ndim != 1 or rows.is_floating_point() or int(rows.min()) < 0 or not rank or len(tensors["bias"]) % groups:
        raise UserError(f"its rows do not name groups of {len(tensors['bias'])} numbers")


@plain_defaults()
def load_encoder(generator: Generator) -> Encoder | None:
    """Load the package's encoder for `generator`, on its device; None if there is none.

    Raises
    ------
    UserError
        If there is one, but the backbone that it needs is not available.
    """
    folder = resources.files("latentlab").joinpath("data")
    with resources.as_file(folder) as files:
        for path in sorted(Path(files).glob("encoder-*.safetensors")):
            with safe_open(path, framework="pt") as file:
                fits = file.metadata()["generator"] == generator.fingerprint
            if fits:
                return Encoder.load(path).to(generator.w_avg.device)
    return None
