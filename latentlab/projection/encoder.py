"""A feed-forward guess at the latents of a picture: linear in features of LPIPS's backbone.

The features of VGG16's middle layers, of unit length at each position as LPIPS compares them (Zhang et al.
2018, equation 1), are averaged over a 4×4 grid; a matrix of low rank, fitted by ridge regression on the
generator's own pictures, takes them to ws. So the guess is a cautious one: what a picture does not tell stays at
the mean of w. `scripts/train_encoder.py` fits it; the encoder of `mobile-ffhq` comes with the package.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from latentlab import perceptual
from latentlab.errors import UserError
from stylegan2.protocol import Generator

SIDE = 128  # of the picture that the backbone sees
MIN_SIDE = 64  # a smaller picture tells too little
GRID = 4
LAYERS = (1, 2, 3)  # of the pyramid: relu2_2, relu3_3, relu4_3
_TENSORS = {"reduce", "expand", "bias", "rows"}


class Backbone(nn.Module):
    """The features that the encoder is linear in."""

    def __init__(self, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.vgg = perceptual.load_perceptual("vgg", dtype=dtype)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features `(b, features)` of `pictures (b, 3, h, h)` in [-1, 1], layer by layer.

        Raises
        ------
        UserError
            No pictures, or not square, or smaller than 64 pixels, or not finite.
        """
        if pictures.ndim != 4 or pictures.shape[1] != 3 or pictures.shape[2] != pictures.shape[3]:
            raise UserError(f"an encoder takes square pictures (b, 3, h, h), not {tuple(pictures.shape)}")
        if pictures.shape[2] < MIN_SIDE:
            raise UserError(f"an encoder takes pictures of at least {MIN_SIDE} pixels, not {pictures.shape[2]}")
        if not pictures.isfinite().all():
            raise UserError("the pictures to encode hold numbers that are not finite")
        layers = self.vgg.pyramid(_to_side(pictures.float())).layers
        return torch.cat([F.adaptive_avg_pool2d(layers[k], GRID).flatten(1) for k in LAYERS], dim=1)


def _to_side(pictures: Tensor) -> Tensor:
    """The pictures at 128 pixels: averaged down, or interpolated up."""
    if pictures.shape[2] >= SIDE:
        return F.interpolate(pictures, (SIDE, SIDE), mode="area")
    return F.interpolate(pictures, (SIDE, SIDE), mode="bilinear", align_corners=False)


class Encoder(nn.Module):
    """Pictures to ws, for one generator; differentiable in the pictures, its own weights frozen.

    Parameters
    ----------
    tensors
        What was fitted: `reduce` (rank, features) and `expand` (groups · w_dim, rank), the factors of the
        matrix; `bias` (groups · w_dim); `rows` (num_ws), the group that each row of ws takes.
    metadata
        The card: `generator`, its fingerprint, and what the encoder was fitted on.
    backbone
        Its features; None loads them.

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

    def forward(self, pictures: Tensor) -> Tensor:
        """ws `(b, num_ws, w_dim)` of `pictures (b, 3, h, h)` in [-1, 1], FFHQ's crop, from 64 pixels.

        Raises
        ------
        UserError
            As `Backbone`.
        """
        groups = F.linear(F.linear(self.backbone(pictures), self.reduce), self.expand, self.bias)
        return groups.unflatten(1, (int(self.rows.max()) + 1, -1))[:, self.rows]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Encoder:
        """The encoder in a file that scripts/train_encoder.py wrote.

        Raises
        ------
        UserError
            The file is missing, broken or no encoder, or the backbone cannot be had.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata, names = file.metadata() or {}, set(file.keys())
                if names != _TENSORS or "generator" not in metadata:
                    raise UserError(f"{path} is no encoder: scripts/train_encoder.py writes one")
                tensors = {name: file.get_tensor(name) for name in names}
        except (OSError, SafetensorError) as error:
            raise UserError(f"cannot read the encoder {path}: {error}") from error
        return cls(tensors, metadata)


def for_generator(generator: Generator) -> Encoder | None:
    """The encoder of the package that belongs to `generator`, on its device; None if there is none.

    Raises
    ------
    UserError
        There is one, but the backbone that it needs cannot be had.
    """
    folder = resources.files("latentlab").joinpath("data")
    with resources.as_file(folder) as files:
        for path in sorted(Path(files).glob("encoder-*.safetensors")):
            with safe_open(path, framework="pt") as file:
                fits = file.metadata()["generator"] == generator.fingerprint
            if fits:
                return Encoder.load(path).to(generator.w_avg.device)
    return None
