"""Whether squares became circles, by the pixels: for pictures of plain shapes on one ground, whose masks are known."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label
from torch import Tensor

from latentlab.metrics.changes import difference_outside

Region = NDArray[np.bool_]  # (h, w)

# A square overlaps the circle of its area and middle by 0.834, whichever way it is turned: a circle must by more.
_CIRCLE = 0.85
# Shapes differ from the ground by 0.6 at least, in one channel of [-1, 1]: half of that tells them apart.
_CONTRAST = 0.3


def shape_pixels(picture: Tensor, ground: Tensor) -> Region:
    """Where `picture (3, h, w)` in [-1, 1] differs from its ground, of that shape, by more than 0.3 in any channel."""
    return ((picture - ground).abs().amax(dim=0) > _CONTRAST).cpu().numpy()


def shapes_of(picture: Tensor, ground: Tensor) -> list[Region]:
    """The shapes of `picture (3, h, w)`, one region each, provided that they do not touch."""
    found, count = label(shape_pixels(picture, ground))
    return [found == k + 1 for k in range(count)]


def circle_of(region: Region) -> Region:
    """The circle of the area and the centroid of a region that is not empty."""
    dy, dx = _from_centroid(region)
    return dy**2 + dx**2 <= region.sum() / np.pi


def square_of(region: Region) -> Region:
    """The upright square of the area and the centroid of a region that is not empty."""
    dy, dx = _from_centroid(region)
    # The slack is for rounding: a side may end where a pixel's middle lies.
    return np.maximum(np.abs(dy), np.abs(dx)) <= np.sqrt(region.sum()) / 2 + 1e-9


def _from_centroid(region: Region) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ys, xs = np.nonzero(region)
    rows, columns = np.indices(region.shape)
    return rows - ys.mean(), columns - xs.mean()


def overlap(one: Region, other: Region) -> float:
    """Intersection over union, 0 … 1, of regions of which one is not empty."""
    return float((one & other).sum() / (one | other).sum())


def became_circle(before: Region, region: Region) -> bool:
    """Whether a region is nearer to the circle of its area and middle than to the square, and near enough.

    And whether something is left of what was there `before`, and not all about it filled: half to twice the area.
    """
    if not before.sum() / 2 <= region.sum() <= before.sum() * 2:
        return False
    round_one = overlap(region, circle_of(region))
    return round_one > _CIRCLE and round_one > overlap(region, square_of(region))


def boxes_of(masks: NDArray[np.bool_], grow: int) -> NDArray[np.bool_]:
    """The box of each of `masks (n, h, w)`, none of them empty, `grow` pixels larger on every side."""
    boxes = np.zeros_like(masks)
    for mask, box in zip(masks, boxes, strict=True):
        ys, xs = np.nonzero(mask)
        box[max(ys.min() - grow, 0) : ys.max() + grow + 1, max(xs.min() - grow, 0) : xs.max() + grow + 1] = True
    return boxes


def windows_of(masks: NDArray[np.bool_], grow: int) -> NDArray[np.bool_]:
    """The same boxes, without the pixels that are nearer to another mask: no two have a pixel in common."""
    nearest = np.argmin([distance_transform_edt(~mask) for mask in masks], axis=0)
    return boxes_of(masks, grow) & (nearest == np.arange(len(masks))[:, None, None])


def judge_scene(before: Tensor, after: Tensor, masks: Tensor, ground: Tensor) -> dict[str, float]:
    """What became of the shapes of a scene, each looked for about its place.

    Parameters
    ----------
    before, after
        `(3, h, w)` in [-1, 1].
    masks
        `(n, h, w)` in {-1, 1}: the shapes before, one each, n at least 1.
    ground
        `(3, h, w)`: the picture without shapes.

    Returns
    -------
    dict
        'changed': the share of the shapes that became circles. 'circle_iou': how far each overlaps the circle of the
        area and the middle that it had, in the mean. 'colour': by how much the mean colours differ, in 0 … 1, of the
        shapes that are still there; NaN without any. 'size': by which share the areas differ. 'ground': by how much
        the rest of the picture differs, in 0 … 1; NaN if there is none.
    """
    regions = (masks > 0).cpu().numpy()
    grow = before.shape[-1] // 16
    made = [shape_pixels(after, ground) & window for window in windows_of(regions, grow)]
    near = torch.from_numpy(boxes_of(regions, grow).any(axis=0))[None, None].to(before)
    colours = [
        float((_colour(before, was) - _colour(after, now)).abs().mean() / 2)
        for was, now in zip(regions, made, strict=True)
        if now.any()
    ]
    return {
        "changed": float(np.mean([became_circle(was, now) for was, now in zip(regions, made, strict=True)])),
        "circle_iou": float(np.mean([overlap(now, circle_of(was)) for was, now in zip(regions, made, strict=True)])),
        "colour": float(np.mean(colours)) if colours else float("nan"),
        "size": float(np.mean([abs(now.sum() / was.sum() - 1) for was, now in zip(regions, made, strict=True)])),
        "ground": float(difference_outside(before[None], after[None], near)),
    }


def _colour(picture: Tensor, region: Region) -> Tensor:
    return picture[:, torch.from_numpy(region).to(picture.device)].mean(dim=1)
