"""Generated faces and photos made of them, rendered once for the whole run."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

import stylegan2
from latentlab import faces, images


@cache
def face(seed: int = 600, psi: float = 0.7) -> Tensor:
    """A face in FFHQ's framing, (1, 3, 1024, 1024), in whole bytes."""
    generator = _generator()
    with torch.inference_mode():
        picture = generator(stylegan2.z_from_seeds([seed], generator.z_dim), psi=psi)
    return (images.to_bytes(picture).float() / 127.5 - 1).clone()


@cache
def _generator():
    return stylegan2.load("mobile-ffhq")


@cache
def detector(name: str = "dlib68"):
    return faces.load_detector(name)


@cache
def aligned(side: int = 256, seed: int = 600) -> tuple[Tensor, faces.AlignedFace]:
    """A photo with some space around a face, and the face."""
    photo = on_grey(resized(face(seed), 640), 900, 800, 120, 90)
    return photo, faces.align(photo, detector(), side)[0]


def resized(picture: Tensor, side: int) -> Tensor:
    return F.interpolate(picture, (side, side), mode="bicubic", antialias=True).clamp(-1, 1)


def on_grey(picture: Tensor, width: int, height: int, left: int, top: int) -> Tensor:
    """A grey photo with a picture in it."""
    photo = torch.zeros(1, 3, height, width)
    photo[:, :, top : top + picture.shape[2], left : left + picture.shape[3]] = picture
    return photo


def psnr(one: Tensor, other: Tensor, where: Tensor | None = None) -> float:
    """Decibels between pictures in [-1, 1], over the pixels `where (h, w)` is true."""
    square = ((one - other) / 2).square().mean(1)[0]
    return float(-10 * torch.log10(square.mean() if where is None else square[where].mean()))
