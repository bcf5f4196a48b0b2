"""Training sets from a direction: images of a generator before and after an edit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from latentlab import images
from latentlab.datasets.manifest import SeedLog, centre_square, centre_square_of_masks, claim_folder, part_of
from latentlab.datasets.sources import ws_of_seed
from latentlab.directions import Direction
from latentlab.editing import move
from latentlab.errors import UserError
from latentlab.faces.detectors import FaceDetector
from latentlab.faces.regions import mouth_region
from latentlab.files import write_json
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Renderer
from latentlab.scorers import Scorer, label_scores, score_images, threshold_of
from latentlab.scorers.threshold import NEGATIVE, POSITIVE

Layout = Literal["pairs", "unpaired", "instances"]
_LOG = "seeds.json"


@dataclass(frozen=True)
class LatentPairs:
    """Recipe of image pairs before and after an edit along a direction.

    Attributes
    ----------
    render
        Generator at a resolution.
    direction
        Direction of the edit, of space w, w+ or s.
    low, high
        Strengths of the edit before and after, in the direction's units.
    scorer, attribute
        Scorer and its score: a seed is used if the score is negative before and positive after.
    psi
        Truncation psi.
    detector
        Face detector that finds mouths, for the layout 'instances'.
    """

    render: Renderer
    direction: Direction
    low: float
    high: float
    scorer: Scorer
    attribute: str = "happy"
    psi: float = 0.7
    detector: FaceDetector | None = None

    def manifest(self) -> dict[str, Any]:
        """Describe the recipe as JSON holds it."""
        return {
            "generator": self.render.generator.fingerprint,
            "resolution": self.render.resolution,
            "direction": {"attribute": self.direction.attribute, "method": self.direction.method},
            "low": self.low,
            "high": self.high,
            "psi": self.psi,
            "scorer": self.scorer.fingerprint,
            "attribute": self.attribute,
            "detector": None if self.detector is None else self.detector.name,
        }

    @torch.no_grad()
    def pair(self, seed: int) -> tuple[Tensor, Tensor] | None:
        """Render a seed before and after, `(1, 3, r, r)` each; None if the scorer does not see the change.

        Images are rendered one at a time, because in batches they differ in their last bits.
        """
        ws = ws_of_seed(self.render, seed, self.psi)
        before = self._edited(ws, self.low)
        if self._label(before) != NEGATIVE:  # the image after could not change that
            return None
        after = self._edited(ws, self.high)
        return (before.cpu(), after.cpu()) if self._label(after) == POSITIVE else None

    def _edited(self, ws: Tensor, strength: float) -> Tensor:
        return self.render(move(ws, strength * self.direction, self.render.generator)).clamp(-1, 1)

    def _label(self, image: Tensor) -> int:
        scores = score_images(self.scorer, image)
        return int(label_scores(scores, self.scorer.names, self.attribute, threshold_of(self.scorer)).item())


@dataclass(frozen=True)
class SetSettings:
    """Size and layout of a training set.

    Attributes
    ----------
    layout
        'pairs': side by side in OUT/train and OUT/test. 'unpaired': in OUT/trainA, trainB, testA and testB, each face
        on one side only, so that no pairs are hidden in the sets. 'instances': unpaired, with the mask of the mouth in
        trainA_seg and so on.
    count
        Number of faces on each side.
    resolution
        Height and width of each image.
    held_out
        Share of `count` that is added for tests.
    seed_start
        First seed.
    """

    layout: Layout
    count: int
    resolution: int
    held_out: float = 0.1
    seed_start: int = 600

    def places(self) -> list[str]:
        """Return the folder of each face, in the order in which they are made."""
        sides = [""] if self.layout == "pairs" else ["A", "B"]
        total = self.count + round(self.held_out * self.count)
        return [f"{part_of(k, self.count)}{side}" for k in range(total) for side in sides]


def make_latent_pairs(recipe: LatentPairs, settings: SetSettings, out: Path, progress: bool | Stage = True) -> None:
    """Make a training set from a direction.

    Parameters
    ----------
    recipe
        How a seed becomes an image before and after the edit.
    settings
        Size and layout of the set.
    out
        Folder of the set.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        `out` holds another set, masks of mouths are asked for without a detector, or hardly any seed shows the change.
    """
    if settings.layout == "instances" and recipe.detector is None:
        raise UserError("masks of mouths need a detector with 68 landmarks")
    key = {"kind": f"latent {settings.layout}", "size": settings.resolution, "count": settings.count}
    start = settings.seed_start
    claim_folder(out, {**key, "held_out": settings.held_out, "seed_start": start, **recipe.manifest()})
    places = settings.places()
    # Which seeds were used, in the order of the places, and how many were tried.
    known = SeedLog.of(out / _LOG)
    used, tried = list(known.used), known.tried
    with stage_of(progress)("generating") as step:
        while len(used) < len(places):
            files = dict(_files(recipe, settings, start + tried, places[len(used)]))
            for name, image in files.items():
                images.save_image(image, out / name)
            if files:
                used.append(start + tried)
            tried += 1
            write_json(out / _LOG, {"used": used, "tried": tried})
            if tried > 50 and len(used) < 0.1 * tried:
                raise UserError(
                    f"of {tried} seeds {len(used)} show {recipe.attribute} after and not before: move the strengths "
                    "apart"
                )
            step(len(used), len(places), f"{tried} seeds tried")


def _files(recipe: LatentPairs, settings: SetSettings, seed: int, place: str) -> Iterator[tuple[str, Tensor]]:
    """Yield the names and images of a seed; none if it cannot be used."""
    pair = recipe.pair(seed)
    if pair is None:
        return
    resolution, name = settings.resolution, f"{seed:06d}"
    if settings.layout == "pairs":
        both = torch.cat([centre_square(image, resolution) for image in pair], dim=3)
        yield f"{place}/{name}.png", both
        return
    image = pair[0 if place.endswith("A") else 1]
    if settings.layout == "instances":
        mask = _mouth_mask(recipe, image)
        if mask is None:
            return
        yield f"{place}_seg/{name}_0.png", centre_square_of_masks(mask, resolution)
    yield f"{place}/{name}.png", centre_square(image, resolution)


def _mouth_mask(recipe: LatentPairs, image: Tensor) -> Tensor | None:
    """Return the mask of the mouth, `(1, 3, h, w)` in {-1, 1}; None if no face is found."""
    found = [] if recipe.detector is None else recipe.detector(image)
    if not found or found[0].landmarks.shape != (68, 2):
        return None
    return 2 * mouth_region(found[0].landmarks, image.shape[3]).expand(-1, 3, -1, -1) - 1
