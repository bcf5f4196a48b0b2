"""Cutting a face out of a photo as FFHQ does it."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.faces.geometry import Array, CropGeometry

# Samples are taken for so many pixels beyond the crop, so that its border is averaged like its middle.
_MARGIN = 2


def crop(photo: Tensor, quad: Array, side: int) -> tuple[Tensor, CropGeometry]:
    """The crop of `photo (1, 3, h, w)` in [-1, 1] whose corners are `quad (4, 2)`, at `side` pixels.

    Returns
    -------
    Tensor
        `(1, 3, side, side)` in [-1, 1], float32.
    CropGeometry
        Where it lies.
    """
    geometry = CropGeometry.plan(quad, side, (photo.shape[3], photo.shape[2]))
    return cut(photo, geometry), geometry


def cut(photo: Tensor, geometry: CropGeometry) -> Tensor:
    """What `geometry` cuts out of `photo (1, 3, h, w)`: `(1, 3, side, side)`.

    The photo is reduced, cut out and padded as planned, and sampled at the crop's pixels. Where one of these
    covers more than a pixel, samples are taken densely enough not to miss any and averaged; FFHQ's own
    program always takes 4 × 4 samples a pixel. Sampling is bicubic (FFHQ: bilinear, which blurs).

    Raises
    ------
    ValueError
        The photo's size is not the geometry's.
    """
    if photo.shape[:2] != (1, 3) or (photo.shape[3], photo.shape[2]) != geometry.photo_size:
        raise ValueError(f"a photo of size {geometry.photo_size} is wanted, not {tuple(photo.shape)}")
    picture = photo.float()
    if geometry.shrink > 1:
        picture = F.interpolate(picture, geometry.reduced_size[::-1], mode="bicubic", antialias=True)
    left, top, right, bottom = geometry.crop
    picture = picture[:, :, top:bottom, left:right]
    if any(geometry.pad):
        picture = _padded(picture, geometry)
    samples = max(math.ceil(geometry.length / geometry.shrink / geometry.side), 1)
    margin = _MARGIN if samples > 1 else 0
    count = geometry.side + 2 * margin
    fine = np.diag([1 / samples, 1 / samples, 1.0])  # pixels of the samples' grid to pixels of the crop
    fine[:2, 2] = -margin
    sampled = sample(picture, geometry.to_padded() @ geometry.homography() @ fine, count * samples, count * samples)
    if samples > 1:
        sampled = F.interpolate(sampled, (count, count), mode="bicubic", antialias=True)
        sampled = sampled[:, :, margin:-margin, margin:-margin]
    return sampled.clamp(-1, 1)


def sample(picture: Tensor, matrix: Array, height: int, width: int) -> Tensor:
    """`picture (1, c, h, w)` at the pixels of another frame, `(1, c, height, width)`.

    Bicubic; beyond the picture its edge goes on.

    Parameters
    ----------
    picture
        Float32.
    matrix
        `(3, 3)`, from pixels of that frame to pixels of the picture.
    height, width
        The frame's size.
    """
    rows, columns = picture.shape[2:]
    # grid_sample wants both frames in -1 … 1.
    here = np.diag([2 / columns, 2 / rows, 1.0])
    here[:2, 2] = -1
    there = np.diag([width / 2, height / 2, 1.0])
    there[:2, 2] = [width / 2, height / 2]
    theta = torch.from_numpy((here @ matrix @ there)[None, :2]).to(picture)
    grid = F.affine_grid(theta, [1, 1, height, width], align_corners=False)
    return F.grid_sample(picture, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _padded(picture: Tensor, geometry: CropGeometry) -> Tensor:
    """Reflected beyond its edges, blurred there by 2 % of the quad's side and faded to the median."""
    height, width = picture.shape[2:]
    left, top, right, bottom = geometry.pad
    picture = picture[:, :, _reflected(height, top, bottom)][:, :, :, _reflected(width, left, right)]
    height, width = picture.shape[2:]
    columns, rows = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    towards = geometry.towards_edge(columns + 0.5, rows[:, None] + 0.5)
    weight = torch.from_numpy(towards).to(picture)
    blurred = _blurred(picture, geometry.length / geometry.shrink * 0.02)
    picture = torch.lerp(picture, blurred, (3 * weight + 1).clamp(0, 1))
    return torch.lerp(picture, picture.flatten(2).median(2).values[:, :, None, None], weight.clamp(0, 1))


def _reflected(count: int, before: int, after: int) -> Tensor:
    """Indices that continue 0 … count − 1 by reflection about the first and the last."""
    if count == 1:
        return torch.zeros(before + 1 + after, dtype=torch.long)
    folded = torch.arange(-before, count + after) % (2 * count - 2)
    return torch.minimum(folded, 2 * count - 2 - folded)


def _blurred(picture: Tensor, sigma: float) -> Tensor:
    """`picture (1, c, h, w)` blurred by a Gaussian of `sigma` pixels.

    A wide one is applied to a reduced copy, which holds all that is left after it.
    """
    height, width = picture.shape[2:]
    factor = max(int(sigma / 4), 1)
    size = -(-height // factor), -(-width // factor)
    reduced = F.interpolate(picture, size, mode="bilinear", antialias=True) if factor > 1 else picture
    for axis, (reduced_extent, extent) in enumerate(zip(size, (height, width), strict=True)):
        reduced = _gaussian(reduced, sigma * reduced_extent / extent, 2 + axis)
    return F.interpolate(reduced, (height, width), mode="bilinear") if factor > 1 else reduced


def _gaussian(picture: Tensor, sigma: float, axis: int) -> Tensor:
    reach = math.ceil(4 * sigma)
    offsets = torch.arange(-reach, reach + 1, device=picture.device, dtype=picture.dtype)
    kernel = torch.exp(-((offsets / sigma) ** 2) / 2)
    kernel = (kernel / kernel.sum())[None, None]
    indices = _reflected(picture.shape[axis], reach, reach).to(picture.device)
    lines = picture.index_select(axis, indices).movedim(axis, -1)
    result = F.conv1d(lines.reshape(-1, 1, lines.shape[-1]), kernel)
    return result.reshape(*lines.shape[:-1], -1).movedim(-1, axis)
