"""What an edit of known effect keeps, and what it changes besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab.metrics import Identity, OutsideChange
from latentlab.metrics.base import as_array
from latentlab.metrics.functional import attribute_changes
from latentlab.perceptual import PerceptualDistance
from latentlab.pipelines.measuring.faces import EditedFaces

_BATCH = 8  # images whose features are computed at once
_SEAM = 0.02  # width of the seam of a region that is put back, as a share of the image's width


@dataclass(frozen=True)
class Measure:
    """A measure of edited faces.

    Attributes
    ----------
    name, title
        Key, and heading.
    more
        Whether more is better.
    scale
        Factor of the values in tables, such as 100 for percent.
    regional
        Whether it takes a region that the edit may change.
    meaning
        What it is, in a sentence.
    """

    name: str
    title: str
    more: bool
    meaning: str
    scale: float = 1.0
    regional: bool = False


MEASURES = (
    Measure(
        "identity",
        "identity",
        True,
        "similarity of dlib's face descriptor before and after, less the mean descriptor: 1 for one image, about 0 for "
        "strangers",
    ),
    Measure(
        "identity_kept_region",
        "identity, region put back",
        True,
        "identity after the original's region was pasted over the edit with a soft seam: only what changed elsewhere "
        "counts, such as raised cheeks about a mouth that does not smile, which makes it lower than the whole at times",
        regional=True,
    ),
    Measure("lpips", "LPIPS", False, "LPIPS (AlexNet) of the whole image"),
    Measure("lpips_outside", "LPIPS outside", False, "LPIPS (AlexNet) outside the region", regional=True),
    Measure(
        "l1_outside",
        "L1 outside, %",
        False,
        "mean absolute difference outside the region, in percent of black against white",
        100.0,
        regional=True,
    ),
    Measure(
        "background",
        "background, L1 %",
        False,
        "mean absolute difference outside the face (the hull of its 68 landmarks, half as large again), in percent",
        100.0,
    ),
    Measure(
        "leakage",
        "leakage",
        False,
        "mean over all attributes that are not related of the absolute change of the logit, in standard deviations of "
        "the population",
    ),
)


def measures_for(region: str | None) -> tuple[Measure, ...]:
    """Measures of an attribute with this region; without one, those that take it are left out."""
    return tuple(measure for measure in MEASURES if region is not None or not measure.regional)


class QualityMeter:
    """Measures edits of faces.

    Parameters
    ----------
    faces
        The faces.
    region
        `(n, 1, r, r)`, 1 where edits may change the images; None where they may change all.
    face
        `(n, 1, r, r)`, 1 in the face; the rest is background.
    deviation
        `(k,)`: standard deviations of the logits over the population.
    descriptor
        Images to face descriptors.
    perceptual
        LPIPS.
    """

    def __init__(
        self,
        faces: EditedFaces,
        region: Tensor | None,
        face: Tensor,
        deviation: NDArray[np.float64],
        descriptor: Callable[[Tensor], Tensor],
        perceptual: PerceptualDistance,
    ) -> None:
        self._faces, self._region, self._face, self._deviation = faces, region, face, deviation
        self._identity, self._l1, self._lpips = Identity(descriptor), OutsideChange(), _Lpips(perceptual, faces.images)

    def __call__(
        self, images: Tensor, logits: NDArray[np.float64], others: list[int]
    ) -> dict[str, NDArray[np.float64]]:
        """Measure edited images `(n, 3, r, r)` with logits `(n, k)`: values `(n,)` by the measure's name.

        `others` are the columns of the attributes that are not related.
        """
        before = self._faces.images
        whole, outside = self._lpips(images, self._region)
        found = {
            "lpips": whole,
            "identity": self.identity(images),
            "background": self._l1.per_image(before, images, self._face),
            "leakage": attribute_changes(self._faces.logits, logits, self._deviation)[:, others].mean(axis=1),
        }
        if self._region is not None:
            found |= {
                "identity_kept_region": self.identity(put_back(images, before, self._region)),
                "lpips_outside": outside,
                "l1_outside": self._l1.per_image(before, images, self._region),
            }
        return found

    def identity(self, images: Tensor) -> NDArray[np.float64]:
        """Identity kept by edited images, `(n,)`."""
        return self._identity.per_image(self._faces.images, images)


class _Lpips:
    """LPIPS of edits of the same images, whose features are computed once, as a whole and outside a region."""

    def __init__(self, perceptual: PerceptualDistance, before: Tensor) -> None:
        self._perceptual, self._device = perceptual, next(perceptual.parameters()).device
        with torch.no_grad():
            self._before = [perceptual.pyramid(some.to(self._device)) for some in torch.split(before, _BATCH)]

    @torch.no_grad()
    def __call__(self, images: Tensor, region: Tensor | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the distances `(n,)` of all images, and those outside the region (NaN without one)."""
        masks = [None] * len(self._before) if region is None else torch.split(1 - region, _BATCH)
        whole, outside = [], []
        for some, before, mask in zip(torch.split(images, _BATCH), self._before, masks, strict=True):
            after = self._perceptual.pyramid(some.to(self._device))
            whole.append(as_array(self._perceptual.between(after, before)))
            masked = torch.full((len(some),), torch.nan)
            if mask is not None:
                masked = self._perceptual.between(after, before, mask.to(self._device))
            outside.append(as_array(masked))
        return np.concatenate(whole), np.concatenate(outside)


@torch.no_grad()
def put_back(edited: Tensor, original: Tensor, region: Tensor) -> Tensor:
    """Paste a region `(n, 1, r, r)` of the original over the edit, with a soft seam: `(n, 3, r, r)`.

    Within the region the result is the original; the seam lies outside it.
    """
    reach = max(1, round(_SEAM * region.shape[3]))
    size = 2 * reach + 1
    grown = F.max_pool2d(region, size, stride=1, padding=reach)
    weight = F.avg_pool2d(F.pad(grown, (reach,) * 4, mode="replicate"), size, stride=1)
    return torch.lerp(edited, original, torch.maximum(weight, region))
