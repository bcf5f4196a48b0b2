"""Putting an edited crop back into its photo without a seam."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import ConvexHull
from torch import Tensor

from latentlab.errors import UserError
from latentlab.faces.cropping import cut, sample
from latentlab.faces.geometry import Array, CropGeometry, apply
from latentlab.images import as_batch

Mask = Literal["feather", "hull"]

# Distance over which the edited crop fades into the photo, as a part of the crop's width.
FEATHER = 0.1
# Colours are matched on a grid of this many cells by this many.
_CELLS = 64
# How stiff the matched colours are: differences along the seam narrower than about the root of this, in
# cells, are left to the feather instead of being carried into the face.
_STIFFNESS = 2.0
# Where the difference of colour, as a distance in RGB in [-1, 1], is farther than this from its median along
# the seam, photo and crop show different things there (hair and background, say): it counts for less.
_OUTLIER = 0.15


def paste_back(
    edited: Tensor,
    geometry: CropGeometry,
    photo: Tensor,
    mask: Mask = "feather",
    landmarks: Array | None = None,
    match_colour: bool = True,
    original: Tensor | None = None,
) -> Tensor:
    """Put an edited crop back into its photo.

    The crop is laid over the photo by the inverse of its geometry: interpolated where it is coarser than the
    photo, averaged where it is finer. With `mask` m, the result is photo + m · (layer + offset − photo), and
    the photo's own pixels, bit for bit, where m is 0.

    Without `original` the layer is the edited crop itself, and the face in the photo becomes no finer than the
    crop. With it, the layer is photo + (edited − original): only what the edit changed is carried over, and
    the photo keeps detail that the crop is too coarse for; unedited, it comes back bit for bit. Give the crop
    that the edit began with: `AlignedFace.image`, if `edited` shows the same face with the same background
    (the detail that only the photo has is kept), or the projection's unedited rendering (all that the
    projection missed is kept, and what it misplaced will show as a double contour).

    The offset makes the colours meet: the difference photo − layer along the seam, low frequencies only,
    carried into the face as a membrane fastened at the seam would (Pérez et al. 2003, Poisson image editing,
    here at low resolution). Where the difference is unlike that of the rest of the seam, the two show
    different things, and it hardly counts. A difference that is the same all along the seam disappears
    altogether; so does one that was meant, such as a brighter image: there, use `match_colour=False`.

    Parameters
    ----------
    edited
        Edited crop `(1, 3, r, r)` or `(3, r, r)` in [-1, 1], of any resolution r.
    geometry
        Geometry of the crop in the photo.
    photo
        `(1, 3, h, w)` or `(3, h, w)` in [-1, 1], the photo itself.
    mask
        'feather': the whole crop, fading over a tenth of its width towards its edges, and where the crop
        holds what was made up or blurred beside the photo's border. 'hull': the face alone, with forehead
        and chin, fading beyond them over the same width; needs `landmarks`. It leaves to the photo most of the
        hair and the background, which a projection seldom reproduces.
    landmarks
        `(68, 2)` in pixels of the photo.
    match_colour
        Whether to add the offset.
    original
        `(1, 3, r, r)` or `(3, r, r)`, the crop before the edit.

    Returns
    -------
    Tensor
        `(1, 3, h, w)` in [-1, 1].

    Raises
    ------
    UserError
        If the mask is 'hull' and there are no 68 landmarks.
    ValueError
        If the shapes do not fit each other.
    """
    edited, photo = as_batch(edited, "an edited crop"), as_batch(photo, "a photo")
    original = None if original is None else as_batch(original, "a crop")
    if edited.shape[0] != 1 or edited.shape[2] != edited.shape[3]:
        raise ValueError(f"an edited crop must be (1, 3, r, r), not {tuple(edited.shape)}")
    if original is not None and original.shape != edited.shape:
        raise ValueError(f"the crop is {tuple(original.shape)} before the edit and {tuple(edited.shape)} after it")
    if photo.shape[:2] != (1, 3) or (photo.shape[3], photo.shape[2]) != geometry.photo_size:
        raise ValueError(f"the photo must be of size {geometry.photo_size}, not {tuple(photo.shape)}")
    outline = None
    if mask == "hull":
        if landmarks is None or landmarks.shape != (68, 2):
            raise UserError("the mask 'hull' needs 68 landmarks; use the detector dlib68, or the mask 'feather'")
        outline = face_outline(geometry.to_crop(landmarks))
    change = edited.float() if original is None else edited.float() - original.float()
    offset = _colour_offset(change, geometry, photo, outline, original is None) if match_colour else None
    return _blended(change, offset, geometry, photo, outline, original is None)


def face_outline(landmarks: Array) -> Array:
    """Draw a polygon `(n, 2)` around a face with `landmarks (68, 2)`: jaw, and brows raised to cover the forehead."""
    jaw, brows, mouth = landmarks[:17], landmarks[17:27], landmarks[48:68]
    eyes = landmarks[36:48].mean(0)
    return np.concatenate([jaw, brows + 0.5 * (eyes - mouth.mean(0))])


def weight_of(points: Array, geometry: CropGeometry, outline: Array | None) -> Array:
    """Evaluate the mask, 0 … 1, at `points (…, 2)` of the crop; with an `outline (n, 2)` it fades beyond that."""
    part = points / geometry.resolution
    inside = np.minimum(part, 1 - part).min(-1) / FEATHER
    padded = apply(geometry.to_padded() @ geometry.homography(), points)
    weight = _smooth(inside) * (1 - np.clip(3 * geometry.towards_edge(padded[..., 0], padded[..., 1]) + 1, 0, 1))
    if outline is not None:
        hull = ConvexHull(outline)
        distance = np.full(points.shape[:-1], -np.inf)
        for a, b, c in hull.equations:  # a · x + b · y + c is the signed distance to an edge
            np.maximum(distance, a * points[..., 0] + b * points[..., 1] + c, out=distance)
        weight *= _smooth(1 - distance / geometry.resolution / FEATHER)
    return weight


def _smooth(t: Array) -> Array:
    """A smooth step from 0 at t ≤ 0 to 1 at t ≥ 1."""
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _colour_offset(
    change: Tensor, geometry: CropGeometry, photo: Tensor, outline: Array | None, replaces: bool
) -> Tensor:
    """Offset to add to the layer, `(1, 3, cells, cells)` over the crop, so that it meets the photo at the seam."""
    coarse = CropGeometry.plan(geometry.quad, _CELLS, geometry.photo_size)
    difference = -_resized(change, _CELLS)
    if replaces:
        difference = difference + cut(photo, coarse).to(difference)
    line = np.arange(_CELLS) + 0.5
    points = np.stack(np.meshgrid(line, line), axis=-1) * (geometry.resolution / _CELLS)  # (cells, cells, 2) as (x, y)
    weight = weight_of(points, geometry, outline)
    values = difference[0].flatten(1).T.double().cpu().numpy()  # (cells², 3)
    seam = (4 * weight * (1 - weight)).ravel()
    if not seam.any():
        return photo.new_zeros(1, 3, _CELLS, _CELLS)
    usual = np.median(values[seam > 0], axis=0)
    seam = seam / (1 + ((values - usual) ** 2).sum(1) / _OUTLIER**2) ** 2  # Geman & McClure
    # Minimise Σ seam · (offset − difference)² + stiffness · |∇ offset|²; the last term holds what no seam does.
    step = sparse.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(_CELLS - 1, _CELLS))
    rough = (step.T @ step) * _STIFFNESS
    one = sparse.eye_array(_CELLS)
    system = sparse.kron(rough, one) + sparse.kron(one, rough) + sparse.diags_array(seam + 1e-6)
    offset = spsolve(system.tocsc(), seam[:, None] * values)
    return torch.from_numpy(offset.T.reshape(1, 3, _CELLS, _CELLS)).float().to(photo.device)


def _blended(
    change: Tensor, offset: Tensor | None, geometry: CropGeometry, photo: Tensor, outline: Array | None, replaces: bool
) -> Tensor:
    width, height = geometry.photo_size
    left, top = np.maximum(np.floor(geometry.quad.min(0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(geometry.quad.max(0)), (width, height)).astype(int)
    region = (slice(None), slice(None), slice(top, bottom), slice(left, right))
    to_crop = geometry.inverse()
    to_crop[:2, 2] += to_crop[:2, :2] @ (left, top)  # from the region's pixels
    columns, rows = np.arange(right - left) + 0.5, np.arange(bottom - top) + 0.5
    weight = weight_of(apply(to_crop, np.stack(np.meshgrid(columns, rows), axis=-1)), geometry, outline)
    there = photo[region].float()

    def laid(layer: Tensor) -> Tensor:
        """An image of the crop, of any resolution, at the region's pixels."""
        scale = np.diag([layer.shape[3] / geometry.resolution, layer.shape[2] / geometry.resolution, 1.0])
        return sample(layer, scale @ to_crop, bottom - top, right - left)

    # What is finer than the photo is averaged first, or it would be sampled with gaps.
    resolution = min(max(round(geometry.length), 1), change.shape[3])
    added = laid(_resized(change, resolution).to(there))
    if replaces:
        added = added - there
    if offset is not None:
        added = added + laid(offset)
    alpha = torch.from_numpy(weight).to(there)
    result = photo.clone()
    result[region] = torch.where(alpha > 0, (there + alpha * added).clamp(-1, 1), there).to(photo)
    return result


def _resized(images: Tensor, resolution: int) -> Tensor:
    """`images (1, 3, r, r)` at `resolution` pixels."""
    if images.shape[3] == resolution:
        return images
    return F.interpolate(images, (resolution, resolution), mode="bicubic", antialias=True)
