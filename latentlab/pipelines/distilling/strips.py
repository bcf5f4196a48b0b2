"""Generated faces edited along directions by the strengths that each face needs, side by side in files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentlab import images
from latentlab.datasets.manifest import SeedLog, claim_folder, part_of
from latentlab.directions import Direction
from latentlab.editing import move
from latentlab.errors import UserError
from latentlab.files import write_json
from latentlab.mapping import ws_of_seeds
from latentlab.pipelines.measuring.cosines import digest
from latentlab.pipelines.strengths import strength_for
from latentlab.progress import Stage, Step, stage_of
from latentlab.rendering import Renderer
from latentlab.scorers import Scorer

# A direction that brings fewer than this share of the faces to both targets is no use to learn from.
_LEAST_SHARE, _FIRST_LOOK = 0.1, 64


@dataclass(frozen=True)
class Taught:
    """A direction that an editor learns, and the score that says how far each face is moved.

    Attributes
    ----------
    direction
        The direction.
    scorer, score
        Scorer, and the name of its score.
    """

    direction: Direction
    scorer: Scorer
    score: str


@dataclass(frozen=True)
class StripSettings:
    """Faces that an editor learns from.

    Attributes
    ----------
    faces
        Faces of each attribute.
    resolution
        Height and width of each face.
    held_out
        Share of `faces` that is added for tests.
    seed_start
        First seed.
    psi
        Truncation psi. Faces without truncation have the turned heads, hats and lights that photos have.
    levels
        Strengths from -1 to 1, with both and 0: 1 brings a score that grows along the direction to `high`, one that
        falls along it to `low`, and -1 brings it to the other; those between are shares of the way in the latent space.
    low, high
        Scores that faces are brought to.
    batch_size
        Images rendered at once.
    """

    faces: int = 2000
    resolution: int = 256
    held_out: float = 0.05
    seed_start: int = 100_000
    psi: float = 1.0
    levels: tuple[float, ...] = (-1.0, -0.5, 0.0, 0.5, 1.0)
    low: float = 0.02
    high: float = 0.98
    batch_size: int = 8

    def __post_init__(self) -> None:
        if list(self.levels) != sorted(set(self.levels)) or not {-1.0, 0.0, 1.0} <= set(self.levels):
            raise UserError(f"levels rise from -1 to 1 and hold 0, unlike {self.levels}")
        if not 0 < self.low < self.high < 1 or self.faces < 1 or not 0 <= self.held_out <= 1:
            raise UserError(f"an editor learns from one face or more, between scores in 0 … 1, unlike {self}")

    def as_dict(self) -> dict[str, Any]:
        """Return what determines the faces, as JSON holds it."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        del found["batch_size"]
        return found

    @property
    def total(self) -> int:
        """Faces of each attribute, including those held out."""
        return self.faces + round(self.held_out * self.faces)


def make_strips(
    taught: Mapping[str, Taught],
    render: Renderer,
    settings: StripSettings,
    out: Path,
    progress: bool | Stage = True,
) -> None:
    """Render faces edited along directions, in OUT/train/NAME and OUT/test/NAME; a stopped run resumes.

    A seed is used if its face gets to both targets within the cap on strengths.

    Parameters
    ----------
    taught
        Directions by the names of what they edit.
    render
        Generator at a resolution, not below that of the faces.
    settings
        Which faces, and how far they are moved.
    out
        Folder of the set.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        `out` holds another set, or a direction brings hardly any face to both targets.
    """
    generator = render.generator
    directions = {
        name: {"direction": digest(one.direction), "scorer": one.scorer.fingerprint, "score": one.score}
        for name, one in taught.items()
    }
    claim_folder(
        out, {"kind": "strips", "generator": generator.fingerprint, **settings.as_dict(), "taught": directions}
    )
    stage = stage_of(progress)
    for name, one in taught.items():
        with stage(f"editing {name}", "face") as step:
            _make(name, one, render, settings, out, step)


def _make(name: str, taught: Taught, render: Renderer, settings: StripSettings, out: Path, step: Step) -> None:
    log = out / f"{name}.json"
    known = SeedLog.of(log)
    used, tried = list(known.used), known.tried
    step(len(used), settings.total)
    while len(used) < settings.total:
        seeds = range(settings.seed_start + tried, settings.seed_start + tried + settings.batch_size)
        for seed, strip in _strips(taught, render, settings, seeds):
            if len(used) < settings.total:
                images.save_image(strip, out / part_of(len(used), settings.faces) / name / f"{seed:06d}.png")
                used.append(seed)
        tried += settings.batch_size
        write_json(log, {"used": used, "tried": tried})
        if tried >= _FIRST_LOOK and len(used) < _LEAST_SHARE * tried:
            raise UserError(
                f"of {tried} faces the direction of {name} brought {len(used)} to a {taught.score} of {settings.low} "
                f"and of {settings.high}; give one that does, or nearer targets"
            )
        step(len(used), settings.total, f"{tried} seeds tried")


@torch.no_grad()
def _strips(taught: Taught, render: Renderer, settings: StripSettings, seeds: range) -> Iterator[tuple[int, Tensor]]:
    """Yield the seeds whose faces get to both targets, with their strips `(1, 3, r, levels · r)`."""
    generator, direction = render.generator, taught.direction
    ws = ws_of_seeds(generator, list(seeds), settings.psi).to(generator.w_avg.device)
    rows, ends = np.arange(len(ws)), np.empty((len(ws), 0))
    for target in (settings.low, settings.high):
        found = strength_for(ws[rows], direction, target, render, taught.scorer, taught.score, progress=False)
        rows, ends = rows[found.reached], np.column_stack([ends, found.strengths])[found.reached]
        if not len(rows):
            return
    for k, (back, forth) in zip(rows.tolist(), np.sort(ends, axis=1).tolist(), strict=True):
        strengths = [level * forth if level > 0 else -level * back for level in settings.levels]
        levels = ws[k : k + 1].expand(len(strengths), *ws.shape[1:])
        distances = torch.tensor(strengths, device=ws.device, dtype=ws.dtype)
        faces = render(move(levels, [(direction, distances)], generator)).clamp(-1, 1)
        size = settings.resolution
        reduced = images.resize(images.reduce(faces, size), size, size).cpu()
        yield seeds[k], torch.cat(torch.split(reduced, 1), dim=3)
