"""Edits of projected photos along several directions, each photo brought to the same effect by each of them.

    python benchmarks/photo_edits.py FOLDER --out OUT                 # a JSON file per photo, direction and method
    python benchmarks/photo_edits.py FOLDER --out OUT --direction published.safetensors     # one direction more
    python benchmarks/photo_edits.py FOLDER --out OUT --pictures LOOK # mouths at full size, a picture per photo
    python benchmarks/photo_edits.py FOLDER --out OUT --table         # prints what there is

OUT holds what projection.py has written: the projections, and the deltas of the tuned generators. All photos of FOLDER
are taken that it holds. Along `smile-w` they are moved by fixed strengths. Then each other direction moves each photo
until the labelling scorer gives it the logit that `smile-w` gave this very photo at +2, and at +3; and all directions,
until it gives a probability of 0.9. A stopped run goes on.
"""

from __future__ import annotations

import hashlib
import statistics as stats
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from projection import DEFAULT, METHODS, RESOLUTION, number

from latentlab import images
from latentlab.directions import Direction, load_direction
from latentlab.editing import move
from latentlab.faces import align
from latentlab.faces.identity import similarity
from latentlab.faces.regions import face_region, find_landmarks, mean_region
from latentlab.files import read_json, write_json
from latentlab.metrics import paired_difference
from latentlab.pipelines import ScoreTarget, StrengthSettings, strength_for
from latentlab.pipelines.components import Components
from latentlab.projection import Projection, WeightDelta
from latentlab.rendering import Renderer
from latentlab.scorers import is_positive, load_scorer, score_column, score_images
from stylegan2.memory import keep_freed_memory
from stylegan2.protocol import Generator

REFERENCE = "smile-w"
STRENGTHS = (0.0, 2.0, 3.0, 4.0)
PROBABILITY = 0.9
CAP = 1.5  # the default of photos
SCORE, JUDGE = "happy", "smiling"
# Shares of the crop's height and width that hold mouth, chin and cheeks.
MOUTH = (0.55, 0.9), (0.25, 0.75)


class Reduced(Renderer):
    """A generator whose images are averaged down to the size at which photos are measured."""

    def __call__(self, latents: Any) -> torch.Tensor:
        """Render latents: `(b, 3, 256, 256)` in [-1, 1]."""
        return images.reduce(super().__call__(latents), RESOLUTION).clamp(-1, 1)


@dataclass(frozen=True)
class Edit:
    """What an edit did to a photo.

    `effect` is the strength, the reference whose logit was to be reached, or the probability; `logit` that of the
    labelling scorer, and `smiles` and `judged` whether the two classifiers call it smiling. `identity` is to the photo,
    `outside` LPIPS to the unedited projection outside the mouth.
    """

    effect: str
    strength: float
    reached: bool
    logit: float
    smiles: bool
    judged: bool
    identity: float | None
    outside: float


class Photo:
    """A projected photo, with the generator that renders it."""

    def __init__(self, name: str, target: torch.Tensor, method: str, components: Components, out: Path) -> None:
        self.ws, generator = load_photo(name, method, components, out)
        self.render = Reduced(generator, generator.resolution)
        self._components, self._judge = components, load_judge(components)
        self._person = components.descriptor(target)
        self._before = self.render(self.ws)
        landmarks = find_landmarks(self._before.cpu(), components.detector)
        mouth = mean_region("mouth", RESOLUTION) if landmarks is None else face_region(landmarks, "mouth", RESOLUTION)
        self._outside = 1 - mouth.to(self.ws)

    def at(self, direction: Direction, strength: float, effect: str, reached: bool = True) -> Edit:
        """Measure an edit."""
        picture = self.render(move(self.ws, [(direction, strength)], self.render.generator))
        scorer, judge = self._components.scorer, self._judge
        scores = score_images(scorer, picture)
        logits = ScoreTarget(0.0, scale="logit").to_scale(score_column(scores, scorer.names, SCORE))
        identity = similarity(self._person, self._components.descriptor(picture))
        return Edit(
            effect=effect,
            strength=strength,
            reached=reached,
            logit=float(logits[0]),
            smiles=bool(is_positive(scores, scorer.names, SCORE)[0]),
            judged=bool(is_positive(score_images(judge, picture), judge.names, JUDGE)[0]),
            identity=number(identity),
            outside=float(self._components.alex_perceptual(picture, self._before, self._outside)[0]),
        )

    def brought_to(self, target: ScoreTarget, direction: Direction, effect: str, search: StrengthSettings) -> Edit:
        """Search for the strength at which the photo reaches a target, and measure the edit."""
        scorer = self._components.scorer
        found = strength_for(self.ws, direction, target, self.render, scorer, SCORE, search, progress=False)
        return self.at(direction, float(found.strengths[0]), effect, bool(found.reached[0]))


def load_photo(name: str, method: str, components: Components, out: Path) -> tuple[torch.Tensor, Generator]:
    """The stored ws `(1, num_ws, w_dim)` of a photo, and the generator that renders it."""
    generator, delta = components.generator, out / method / f"{name}.delta.safetensors"
    ws = Projection.load(out / "latents" / METHODS[method].key / f"{name}.safetensors").ws(generator)
    return ws, WeightDelta.load(delta).apply(generator) if delta.exists() else generator


def load_judge(components: Components) -> Any:
    """The classifier that taught no direction."""
    return load_scorer(f"attributes:{JUDGE}", components.device)


def named_directions(more: list[str]) -> dict[str, Direction]:
    """The reference, the default and others, by the names of their folders."""
    return {Path(name).stem: load_direction(name) for name in (REFERENCE, "smile", *more)}


def hash_of(direction: Direction) -> str:
    """Short hash of what a direction does, so that edits along another one of its name are not mistaken for its own."""
    channels = () if direction.channels is None else (direction.channels.indices, direction.channels.scales)
    parts = [np.ascontiguousarray(part).tobytes() for part in (direction.vector, *channels)]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def edits_of(photo: Photo, name: str, direction: Direction, reference: list[Edit], cap: float) -> Iterator[Edit]:
    """Edit a photo along one direction: by fixed strengths along the reference, else to its logits; and to 0.9."""
    search = StrengthSettings(ranges=cap)
    if name == REFERENCE:
        yield from (photo.at(direction, strength, f"{strength:+g}") for strength in STRENGTHS)
    for edit in reference[1:3]:
        goal = ScoreTarget(edit.logit, scale="logit")
        yield photo.brought_to(goal, direction, f"as {REFERENCE} at {edit.effect}", search)
    yield photo.brought_to(ScoreTarget(PROBABILITY), direction, f"{SCORE} {PROBABILITY}", search)


@torch.no_grad()
def measure(
    folder: Path, out: Path, methods: list[str], directions: dict[str, Direction], device: str, cap: float
) -> None:
    """Measure whatever is missing."""
    components = Components.load(device=device)
    for method in methods:
        paths = [path for path in sorted(folder.glob("*.jpg")) if (out / method / f"{path.stem}.json").exists()]
        for k, path in enumerate(paths):
            stored = {name: stored_at(out, method, name, path.stem) for name in directions}
            wanted = [name for name, at in stored.items() if known(at, directions[name], cap) is None]
            if not wanted:
                continue
            target = align(images.load_image(path), components.detector, RESOLUTION)[0].image.to(components.device)
            photo = Photo(path.stem, target, method, components, out)
            for name in wanted:
                reference = [] if name == REFERENCE else known(stored[REFERENCE], directions[REFERENCE], cap) or []
                edits = [asdict(edit) for edit in edits_of(photo, name, directions[name], reference, cap)]
                write_json(stored[name], {"direction": hash_of(directions[name]), "cap": cap, "edits": edits})
            print(f"{method}: {k + 1} of {len(paths)}: {path.name}", flush=True)


def stored_at(out: Path, method: str, direction: str, photo: str) -> Path:
    """File of a photo's edits."""
    return out / method / "edits" / direction / f"{photo}.json"


def known(path: Path, direction: Direction, cap: float) -> list[Edit] | None:
    """The edits in a file; None if it is missing, or holds those of another direction or cap."""
    if not path.exists():
        return None
    found = read_json(path)
    if (found["direction"], found["cap"]) != (hash_of(direction), cap):
        return None
    return [Edit(**edit) for edit in found["edits"]]


def table(out: Path, methods: list[str], directions: dict[str, Direction], cap: float) -> str:
    """Format all edits there are as a table, and the differences of identity between directions at one effect."""
    lines = [
        "| method | direction | effect | strength, median (10 to 90 %) | got there | logit | smiling, of those who did "
        "not | to the judge | LPIPS outside the mouth | identity | of those who did not smile |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    differences = ["| method | effect | photos that got there | their identity against smile-w |", "|---|---|---|---|"]
    for method in methods:
        columns = {name: read_all(out, method, name, direction, cap) for name, direction in directions.items()}
        columns = {name: of for name, of in columns.items() if of}
        serious = {photo for photo, of in columns.get(REFERENCE, {}).items() if not of[f"{0:+g}"].smiles}
        for name, of in columns.items():
            for effect in next(iter(of.values())):
                some = {photo: edits[effect] for photo, edits in of.items()}
                lines.append(f"| {method} | {name} | {effect} | {_row(some, serious)} |")
                if name != REFERENCE:
                    differences.append(f"| {method} | {name}, {effect} | {_against(columns, name, effect)} |")
    return "\n".join([*lines, "", *differences])


def read_all(out: Path, method: str, name: str, direction: Direction, cap: float) -> dict[str, dict[str, Edit]]:
    """The edits of all photos along a direction, by the photo and the effect."""
    paths = sorted((out / method / "edits" / name).glob("*.json"))
    found = {path.stem: known(path, direction, cap) for path in paths}
    return {photo: {edit.effect: edit for edit in edits} for photo, edits in found.items() if edits is not None}


def _row(edits: dict[str, Edit], serious: set[str]) -> str:
    """The cells of one direction and effect."""
    every, some = list(edits.values()), [edit for photo, edit in edits.items() if photo in serious]
    low, middle, high = np.quantile([edit.strength for edit in every], (0.1, 0.5, 0.9))
    cells = (
        f"{middle:+.2f} ({low:+.2f} to {high:+.2f})",
        f"{sum(edit.reached for edit in every)} of {len(every)}",
        f"{stats.fmean(edit.logit for edit in every):.2f}",
        f"{sum(edit.smiles for edit in some)} of {len(some)}",
        f"{sum(edit.judged for edit in some)} of {len(some)}",
        f"{stats.fmean(edit.outside for edit in every):.3f}",
        f"{_identity(every):.3f}",
        f"{_identity(some):.3f}",
    )
    return " | ".join(cells)


def _identity(edits: list[Edit]) -> float:
    values = [edit.identity for edit in edits if edit.identity is not None]
    return stats.fmean(values) if values else float("nan")


def _against(columns: dict[str, dict[str, dict[str, Edit]]], name: str, effect: str) -> str:
    """Cells of the mean difference of identity to the reference, on photos that both brought there."""
    photos = sorted(set(columns[name]) & set(columns.get(REFERENCE, {})))
    other = effect.rpartition(" at ")[2]  # the reference at its strength, or the common probability
    pairs = [(columns[name][photo][effect], columns[REFERENCE][photo][other]) for photo in photos]
    there = [pair for pair in pairs if all(edit.reached for edit in pair)]
    sides = [[np.nan if edit.identity is None else edit.identity for edit in pair] for pair in there]
    one, two = np.array(sides, dtype=np.float64).reshape(-1, 2).T
    found = paired_difference(one, two)
    return f"{len(there)} of {len(pairs)} | {found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


@torch.no_grad()
def draw(out: Path, method: str, directions: dict[str, Direction], device: str, cap: float, pictures: Path) -> None:
    """Draw the mouths of each photo at full size: a row a direction, the projection first, then its edits."""
    components = Components.load(device=device)
    columns = {name: read_all(out, method, name, direction, cap) for name, direction in directions.items()}
    for photo in sorted(set.intersection(*(set(of) for of in columns.values()))):
        ws, generator = load_photo(photo, method, components, out)
        render, rows = Renderer(generator, generator.resolution), []
        for name, direction in directions.items():
            edits = [edit for effect, edit in columns[name][photo].items() if effect != f"{STRENGTHS[3]:+g}"]
            strengths = [0.0, *(edit.strength for edit in edits if edit.effect != f"{0:+g}")]
            some = [render(move(ws, [(direction, strength)], generator)).clamp(-1, 1).cpu() for strength in strengths]
            rows.append(torch.cat([mouth_of(picture) for picture in some], dim=3))
        images.save_image(torch.cat(rows, dim=2), pictures / f"{photo}.png")


def mouth_of(picture: torch.Tensor) -> torch.Tensor:
    """The part of `picture (1, 3, r, r)` that holds the mouth."""
    size = picture.shape[3]
    down, across = (slice(round(start * size), round(stop * size)) for start, stop in MOUTH)
    return picture[..., down, across]


def main(
    folder: Path,
    out: Path = Path("projection-benchmark"),
    direction: Annotated[list[str] | None, typer.Option()] = None,
    method: Annotated[list[str] | None, typer.Option()] = None,
    cap: float = CAP,
    pictures: Path | None = None,
    only_table: Annotated[bool, typer.Option("--table")] = False,
    device: str = "cpu",
) -> None:
    """Measure, see above; `cap` is the most strength, in ends of a direction's range."""
    keep_freed_memory()
    directions, methods = named_directions(direction or []), method or [DEFAULT]
    if not only_table:
        measure(folder, out, methods, directions, device, cap)
    if pictures is not None:
        draw(out, methods[0], directions, device, cap, pictures)
    print(table(out, methods, directions, cap))


if __name__ == "__main__":
    typer.run(main)
