"""Training sets that are made: of pictures, of a generator's samples, of nothing; each with a manifest.

A set that was stopped half made goes on where it was: what is there is kept, and a folder whose manifest says that
it is to become another set is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from latentlab import images
from latentlab.datasets.drawings import Pencil, reduce_drawing
from latentlab.datasets.shapes import scene
from latentlab.directions import Direction
from latentlab.editing import edit
from latentlab.errors import UserError
from latentlab.faces.detectors import FaceDetector
from latentlab.faces.regions import mouth_region
from latentlab.files import read_json, write_json
from latentlab.progress import Step
from latentlab.rendering import Renderer
from latentlab.scorers import Scorer, is_positive, score_pictures
from stylegan2.sampling import z_from_seeds

MANIFEST = "manifest.json"
Layout = Literal["pairs", "unpaired", "instances"]


def make_drawings(
    pictures: Iterable[tuple[str, Tensor]],
    count: int,
    out: Path,
    size: int,
    pencil: Pencil | None = None,
    held_out: float = 0.1,
    made_from: str = "",
    progress: Step | None = None,
) -> None:
    """Pairs drawing | picture, side by side, in OUT/train and OUT/test.

    Parameters
    ----------
    pictures
        Names and pictures `(1, 3, h, w)` in [-1, 1].
    count
        How many there are.
    out, size
        Where the pairs go; the side of each of the two.
    pencil
        How drawings are made.
    held_out
        The share of the pictures that goes to OUT/test: the last.
    made_from
        In words, for the manifest.
    progress
        Called with (done, total).
    """
    pencil = Pencil() if pencil is None else pencil
    key = {"kind": "drawings", "size": size, "pencil": asdict(pencil), "held_out": held_out, "made_from": made_from}
    _claim(out, {**key, "pictures": count})
    first_test = count - round(held_out * count)
    for done, (name, picture) in enumerate(pictures):
        path = out / ("train" if done < first_test else "test") / f"{name}.png"
        if not path.exists():
            # Drawn from a larger picture, if there is one: at 64² eyes and mouths are too small for an edge detector.
            large = _squared(picture, min(max(size, min(picture.shape[2:])), 4 * size))
            pair = reduce_drawing(pencil.draw(large), size), images.resize(large, size, size)
            images.save_image(torch.cat(pair, dim=3), path)
        if progress is not None:
            progress(done + 1, count)


@dataclass(frozen=True)
class LatentPairs:
    """What makes (before, after) pictures of a direction.

    Attributes
    ----------
    render
        A generator at a resolution.
    direction
        Along which ws move.
    low, high
        Strengths of the edit before and after, in units of w.
    scorer, attribute
        A seed is used if `attribute` is not this scorer's largest score before and is after.
    psi
        Truncation.
    detector
        Finds mouths, for the layout 'instances'.
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
        """What it is, for JSON."""
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
    def of(self, seed: int) -> tuple[Tensor, Tensor] | None:
        """Before and after, `(1, 3, r, r)` each; None where the scorer does not see the attribute change."""
        generator = self.render.generator
        z = z_from_seeds([seed], generator.z_dim).to(generator.w_avg.device)
        ws = generator.mapping(z, psi=self.psi)
        pair = [self.render(edit(ws, self.direction, s)).clamp(-1, 1) for s in (self.low, self.high)]
        scores = score_pictures(self.scorer, torch.cat(pair))
        before, after = is_positive(scores, self.scorer.names, self.attribute)
        return (pair[0].cpu(), pair[1].cpu()) if after and not before else None


def make_latent_pairs(
    recipe: LatentPairs,
    layout: Layout,
    count: int,
    out: Path,
    size: int,
    seed_start: int = 600,
    held_out: float = 0.1,
    progress: Step | None = None,
) -> None:
    """A training set of a direction: `count` faces on each side, and a share of them beside for tests.

    'pairs' lie side by side in OUT/train and OUT/test. 'unpaired' and 'instances' lie in OUT/trainA, trainB,
    testA and testB: of a face either the one or the other, so that nothing is paired in secret; 'instances' have
    the mask of the mouth in trainA_seg and so on.

    Raises
    ------
    UserError
        `out` holds another set; 'instances' without a detector; or hardly any seed shows the change.
    """
    if layout == "instances" and recipe.detector is None:
        raise UserError("masks of mouths need a detector with 68 landmarks")
    key = {"kind": f"latent {layout}", "size": size, "count": count, "held_out": held_out, "seed_start": seed_start}
    _claim(out, {**key, **recipe.manifest()})
    places = list(_places(layout, count, held_out))
    log = out / "seeds.json"  # which seeds were used, in the order of `places`, and how many were tried
    known: dict[str, Any] = read_json(log) if log.exists() else {"used": [], "tried": 0}
    used, tried = known["used"], known["tried"]
    while len(used) < len(places):
        if _place(recipe, layout, seed_start + tried, places[len(used)], out, size):
            used = [*used, seed_start + tried]
        tried += 1
        write_json(log, {"used": used, "tried": tried})
        if tried > 50 and len(used) < 0.1 * tried:
            raise UserError(
                f"of {tried} seeds {len(used)} show {recipe.attribute} after and not before: move the strengths apart"
            )
        if progress is not None:
            progress(len(used), len(places), f"{tried} seeds tried")


def _places(layout: Layout, count: int, held_out: float) -> Iterable[str]:
    """The folder of each face in its turn."""
    test = round(held_out * count)
    sides = [""] if layout == "pairs" else ["A", "B"]
    for k in range(count + test):
        for side in sides:
            yield f"{'train' if k < count else 'test'}{side}"


def _place(recipe: LatentPairs, layout: Layout, seed: int, place: str, out: Path, size: int) -> bool:
    """Write the pictures of a seed, if it can be used."""
    pair = recipe.of(seed)
    if pair is None:
        return False
    name = f"{seed:06d}"
    if layout == "pairs":
        images.save_image(torch.cat([_squared(picture, size) for picture in pair], dim=3), out / place / f"{name}.png")
        return True
    picture = pair[0 if place.endswith("A") else 1]
    if layout == "instances":
        assert recipe.detector is not None
        found = recipe.detector(picture)
        if not found or found[0].landmarks.shape != (68, 2):
            return False
        mask = 2 * mouth_region(found[0].landmarks, picture.shape[3]).expand(-1, 3, -1, -1) - 1
        images.save_image(_squared(mask, size, hard=True), out / f"{place}_seg" / f"{name}_0.png")
    images.save_image(_squared(picture, size), out / place / f"{name}.png")
    return True


def make_shapes(
    count: int,
    out: Path,
    size: int,
    most: int = 3,
    seed: int = 0,
    held_out: float = 0.1,
    progress: Step | None = None,
) -> None:
    """The two-shape set: squares in OUT/trainA, circles in trainB, masks in trainA_seg and trainB_seg; tests beside."""
    _claim(out, {"kind": "shapes", "size": size, "count": count, "most": most, "seed": seed, "held_out": held_out})
    total = count + round(held_out * count)
    for k in range(total):
        part = "train" if k < count else "test"
        for side, kind in (("A", "square"), ("B", "circle")):
            made = scene(kind, size, most, seed * 10**6 + k)  # type: ignore[arg-type]
            for n, mask in enumerate(made.masks[0]):
                images.save_image(mask.expand(3, -1, -1), out / f"{part}{side}_seg" / f"{k:06d}_{n}.png")
            images.save_image(made.picture, out / f"{part}{side}" / f"{k:06d}.png")
        if progress is not None:
            progress(k + 1, total)


def generated_faces(render: Renderer, seeds: Sequence[int], psi: float = 0.7) -> Iterable[tuple[str, Tensor]]:
    """Faces of seeds, one after the other: names, and pictures `(1, 3, r, r)`."""
    generator = render.generator
    for seed in seeds:
        with torch.no_grad():
            z = z_from_seeds([seed], generator.z_dim).to(generator.w_avg.device)
            yield f"{seed:06d}", render(generator.mapping(z, psi=psi)).clamp(-1, 1).cpu()


def files_as_pictures(paths: Sequence[Path]) -> Iterable[tuple[str, Tensor]]:
    """Pictures of files, one after the other."""
    for path in paths:
        yield path.stem, images.load_image(path)


def _claim(out: Path, key: dict[str, Any]) -> None:
    """Write the manifest, or refuse a folder with another one."""
    path = out / MANIFEST
    if path.exists() and read_json(path) != key:
        raise UserError(f"{out} holds another training set (its {MANIFEST} differs); choose another folder")
    write_json(path, key)


def _squared(picture: Tensor, size: int, hard: bool = False) -> Tensor:
    """The middle square of a picture, `(1, 3, size, size)`."""
    height, width = picture.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[:, :, top : top + side, left : left + side]
    return images.resize_masks(square, size, size) if hard else images.resize(square, size, size)
