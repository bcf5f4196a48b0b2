"""Cutting a face out of a photo as FFHQ does it."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.faces.geometry import Array, CropGeometry

# Samples are taken for this many pixels beyond the crop, so that its border is averaged like its middle.
_MARGIN = 2


def crop(photo: Tensor, quad: Array, resolution: int) -> tuple[Tensor, CropGeometry]:
    """Cut the crop with the corners `quad (4, 2)` out of `photo (1, 3, h, w)` in [-1, 1], at `resolution` pixels.

    Returns
    -------
    Tensor
        `(1, 3, resolution, resolution)` in [-1, 1], float32.
    CropGeometry
        Place of the crop in the photo.
    """
    geometry = CropGeometry.plan(quad, resolution, (photo.shape[3], photo.shape[2]))
    return cut(photo, geometry), geometry


def cut(photo: Tensor, geometry: CropGeometry) -> Tensor:
    """Cut a crop of known geometry out of `photo (1, 3, h, w)`: `(1, 3, resolution, resolution)`.

    The photo is reduced, cut out and padded as planned, and sampled at the crop's pixels. Where one of these
    covers more than a pixel, samples are taken densely enough not to miss any and averaged; FFHQ's own
    program always takes 4 × 4 samples a pixel. Sampling is bicubic (FFHQ: bilinear, which blurs).

    Raises
    ------
    ValueError
        If the photo's size is not the geometry's.
    """
    if photo.shape[:2] != (1, 3) or (photo.shape[3], photo.shape[2]) != geometry.photo_size:
        raise ValueError(f"the photo must be of size {geometry.photo_size}, not {tuple(photo.shape)}")
    image = photo.float()
    if geometry.shrink > 1:
        image = F.interpolate(image, geometry.reduced_size[::-1], mode="bicubic", antialias=True)
    left, top, right, bottom = geometry.crop
    image = image[:, :, top:bottom, left:right]
    if any(geometry.pad):
        image = _padded(image, geometry)
    samples = max(math.ceil(geometry.length / geometry.shrink / geometry.resolution), 1)
    margin = _MARGIN if samples > 1 else 0
    count = geometry.resolution + 2 * margin
    fine = np.diag([1 / samples, 1 / samples, 1.0])  # pixels of the samples' grid to pixels of the crop
    fine[:2, 2] = -margin
    sampled = sample(image, geometry.to_padded() @ geometry.homography() @ fine, count * samples, count * samples)
    if samples > 1:
        sampled = F.interpolate(sampled, (count, count), mode="bicubic", antialias=True)
        sampled = sampled[:, :, margin:-margin, margin:-margin]
    return sampled.clamp(-1, 1)


def sample(image: Tensor, matrix: Array, height: int, width: int) -> Tensor:
    """Sample `image (1, c, h, w)` at the pixels of another frame, `(1, c, height, width)`.

    Bicubic; beyond the image its edge is continued.

    Parameters
    ----------
    image
        Float32.
    matrix
        `(3, 3)`, from pixels of that frame to pixels of the image.
    height, width
        Size of the frame.
    """
    rows, columns = image.shape[2:]
    # grid_sample wants both frames in -1 … 1.
    here = np.diag([2 / columns, 2 / rows, 1.0])
    here[:2, 2] = -1
    there = np.diag([width / 2, height / 2, 1.0])
    there[:2, 2] = [width / 2, height / 2]
    theta = torch.from_numpy((here @ matrix @ there)[None, :2]).to(image)
    grid = F.affine_grid(theta, [1, 1, height, width], align_corners=False)
    return F.grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _padded(image: Tensor, geometry: CropGeometry) -> Tensor:
    """Reflected beyond its edges, blurred there by 2 % of the quad's width and faded to the median."""
    height, width = image.shape[2:]
    left, top, right, bottom = geometry.pad
    image = image[:, :, _reflected(height, top, bottom)][:, :, :, _reflected(width, left, right)]
    height, width = image.shape[2:]
    columns, rows = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    towards = geometry.towards_edge(columns + 0.5, rows[:, None] + 0.5)
    weight = torch.from_numpy(towards).to(image)
    blurred = _blurred(image, geometry.length / geometry.shrink * 0.02)
    image = torch.lerp(image, blurred, (3 * weight + 1).clamp(0, 1))
    return torch.lerp(image, image.flatten(2).median(2).values[:, :, None, None], weight.clamp(0, 1))


def _reflected(count: int, before: int, after: int) -> Tensor:
    """Indices that continue 0 … count − 1 by reflection about the first and the last."""
    if count == 1:
        return torch.zeros(before + 1 + after, dtype=torch.long, device="cpu")
    folded = torch.arange(-before, count + after, device="cpu") % (2 * count - 2)
    return torch.minimum(folded, 2 * count - 2 - folded)


def _blurred(image: Tensor, sigma: float) -> Tensor:
    """`image (1, c, h, w)` blurred by a Gaussian of `sigma` pixels.

    A wide one is applied to a reduced copy, which holds all that is left after it.
    """
    height, width = image.shape[2:]
    factor = max(int(sigma / 4), 1)
    size = -(-height // factor), -(-width // factor)
    reduced = F.interpolate(image, size, mode="bilinear", antialias=True) if factor > 1 else image
    for axis, (reduced_extent, extent) in enumerate(zip(size, (height, width), strict=True)):
        reduced = _gaussian(reduced, sigma * reduced_extent / extent, 2 + axis)
    return F.interpolate(reduced, (height, width), mode="bilinear") if factor > 1 else reduced


def _gaussian(image: Tensor, sigma: float, axis: int) -> Tensor:
    reach = math.ceil(4 * sigma)
    offsets = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-((offsets / sigma) ** 2) / 2)
    kernel = (kernel / kernel.sum())[None, None]
    indices = _reflected(image.shape[axis], reach, reach).to(image.device)
    lines = image.index_select(axis, indices).movedim(axis, -1)
    result = F.conv1d(lines.reshape(-1, 1, lines.shape[-1]), kernel)
    return result.reshape(*lines.shape[:-1], -1).movedim(-1, axis)
