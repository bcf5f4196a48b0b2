"""What a distilled editor does to faces that it has not seen, both ways, and how long it takes.

    python benchmarks/distilled_editor.py smile --out smile.json --picture smile.png
    python benchmarks/distilled_editor.py FILE.safetensors --photos FOLDER --photos MORE --faces 48 --seed-start 300000

Faces that lack the attribute to a judge, a classifier that taught nothing, are edited at strength 1, or others above 0;
those that have it at -1: generated ones, of seeds that neither the editor nor its direction has seen, and the largest
face of each photo. Printed are the share that the judge then sees on the other side, how much of the identity is kept
(the similarity of dlib's descriptors), LPIPS and L1 in percent outside the region that the attribute is about, the area
of the mask, and the time per image, all at the editor's resolution.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from machine import describe
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.faces import align_files, load_detector
from latentlab.faces.detectors import FaceDetector
from latentlab.faces.regions import find_region, mean_region, region_of
from latentlab.files import list_images, write_json
from latentlab.intervals import Interval
from latentlab.mapping import ws_of_seeds
from latentlab.metrics import (
    LPIPS,
    Identity,
    OutsideChange,
    format_interval,
    mean_interval,
    share_interval,
)
from latentlab.metrics.intervals import format_share
from latentlab.pipelines import Components, MeasuredAttribute
from latentlab.pipelines.distilling import is_face_editor, renderer_for
from latentlab.progress import bar
from latentlab.scorers import load_scorer
from latentlab.scorers.logits import all_logits
from latentlab.translation import Translator, load_translator

BATCH = 8
COLUMNS = ("reached", "identity", "lpips_outside", "l1_outside", "mask")


@dataclass(frozen=True)
class Faces:
    """Faces of one kind.

    `images` are `(n, 3, r, r)`, `logits` those of the judge, `(n,)`.
    """

    kind: str
    images: Tensor
    logits: NDArray[np.float64]

    def with_attribute(self, has: bool, most: int) -> Tensor:
        """The first of the faces that have the attribute to the judge, or lack it."""
        return self.images[torch.from_numpy((self.logits > 0) == has)][:most]


class Measure:
    """Measures edits of an editor by its judge."""

    def __init__(self, editor: Translator, attribute: str, judge: str) -> None:
        self.editor, self.attribute = editor, attribute
        self.resolution = int(editor.card["resolution"])
        self.region = region_of(judge.rpartition(":")[2])
        self._sign = -1 if editor.card["learnt"][attribute].get("reversed") else 1
        self._judge, self._detector = load_scorer(judge), load_detector("dlib68-aligned")
        self._identity, self._lpips, self._outside = Identity(), LPIPS(), OutsideChange()

    def faces(self, kind: str, given: Tensor) -> Faces:
        """Judge faces."""
        return Faces(kind, given, self.logits(given))

    @torch.inference_mode()
    def logits(self, faces: Tensor) -> NDArray[np.float64]:
        """Logits of the judge, `(n,)`: above 0 it sees what strengths above 0 bring about."""
        found = [all_logits(self._judge, some)[:, 0].double().numpy() for some in faces.split(BATCH)]
        return self._sign * np.concatenate(found)

    @torch.inference_mode()
    def edit(self, faces: Tensor, strength: float) -> tuple[Tensor, Tensor]:
        """Edited faces, rounded as a file would hold them, and masks `(n, 1, r, r)`."""
        network = self.editor.network("a2b")
        row = torch.tensor([network.strength_row({self.attribute: strength})])
        made, masks = zip(*(network(some, row.expand(len(some), -1)) for some in faces.split(BATCH)), strict=True)
        return images.to_bytes(torch.cat(made)).float() / 127.5 - 1, torch.cat(masks)

    def regions(self, faces: Tensor) -> Tensor:
        """Where the edit is meant to be, `(n, 1, r, r)`; nowhere for an attribute of the whole face."""
        if self.region is None:
            return faces.new_zeros(len(faces), 1, self.resolution, self.resolution)
        usual = mean_region(self.region, self.resolution)
        found = (find_region(face, self.region, self._detector, self.resolution) for face in faces.split(1))
        return torch.cat([usual if one is None else one for one in found])

    def columns(self, faces: Tensor, strength: float) -> dict[str, Interval]:
        """Edit faces, and measure that."""
        made, masks = self.edit(faces, strength)
        regions = self.regions(faces)
        return {
            "reached": share_interval((self.logits(made) > 0) == (strength > 0)),
            "identity": mean_interval(self._identity.per_image(faces, made)),
            "lpips_outside": mean_interval(self._lpips.per_image(faces, made, regions)),
            "l1_outside": mean_interval(100 * self._outside.per_image(faces, made, regions)),
            "mask": mean_interval(masks.mean(dim=(1, 2, 3)).numpy()),
        }


def generated(measure: Measure, count: int, seed_start: int, psi: float, network: str) -> Faces:
    """Draw faces until there are so many of each class, or a tenth of them are."""
    components = Components.load(network, device="cpu")
    render = renderer_for(components, measure.resolution)
    found, logits, fewer = [], [], 0
    with torch.inference_mode(), bar("rendering") as step:
        while fewer < count and len(found) * BATCH < 10 * count:
            seeds = range(seed_start + len(found) * BATCH, seed_start + (len(found) + 1) * BATCH)
            drawn = render(ws_of_seeds(components.generator, list(seeds), psi)).clamp(-1, 1)
            found.append(
                images.resize(images.reduce(drawn, measure.resolution), measure.resolution, measure.resolution)
            )
            logits.append(measure.logits(found[-1]))
            have = int((np.concatenate(logits) > 0).sum())
            fewer = min(have, len(found) * BATCH - have)
            step(min(fewer, count), count)
    return Faces("generated", torch.cat(found), np.concatenate(logits))


def from_photos(measure: Measure, paths: list[Path], detector: FaceDetector) -> Faces:
    """Cut the largest face out of each photo; those without one are named and left out."""
    files, found = list_images(paths), []
    with bar("aligning") as step:
        for done, (_, result) in enumerate(align_files(files, detector, measure.resolution)):
            if isinstance(result, UserError):
                print(f"left out: {result}")
            else:
                found.append(result[0].image)
            step(done + 1, len(files))
    if not found:
        raise UserError("no face was found in the photos")
    return measure.faces("photos", torch.cat(found))


def seconds(editor: Translator, resolution: int, threads: int, runs: int) -> float:
    """Median time of one image with so many threads, after a few runs to warm up."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    face, taken = torch.zeros(1, 3, resolution, resolution), []
    for _ in range(runs + 3):
        start = time.perf_counter()
        editor(face)
        taken.append(time.perf_counter() - start)
    torch.set_num_threads(before)
    return float(np.median(taken[3:]))


def shown(measure: Measure, faces: Tensor, strength: float) -> Iterator[Tensor]:
    """A row of images for each face: before, after, the mask."""
    made, masks = measure.edit(faces, strength)
    for one, other, mask in zip(faces, made, masks, strict=True):
        yield torch.stack([one, other, 2 * mask.expand(3, -1, -1) - 1])


def main(
    editor: Annotated[str, typer.Argument(help="Name or file of the editor.")],
    attribute: Annotated[str | None, typer.Option(help="Attribute of it; by default the first.")] = None,
    judge: Annotated[str | None, typer.Option(help="Score that judges; by default of attributes-judge.")] = None,
    faces: Annotated[int, typer.Option(help="Generated faces each way.")] = 48,
    seed_start: Annotated[int, typer.Option(help="First seed, which the editor has not learnt from.")] = 300_000,
    psi: Annotated[float, typer.Option(help="Truncation psi.")] = 0.7,
    photos: Annotated[list[Path] | None, typer.Option(help="Photos, or folders of them; repeated for several.")] = None,
    aligned: Annotated[bool, typer.Option("--aligned", help="The photos are faces in FFHQ's framing.")] = False,
    network: Annotated[str, typer.Option(help="Generator of the faces.")] = "mobile-ffhq",
    runs: Annotated[int, typer.Option(help="Timed runs.")] = 50,
    out: Annotated[Path | None, typer.Option(help="File of the figures, JSON.")] = None,
    picture: Annotated[Path | None, typer.Option(help="File of a picture: faces, edited faces, masks.")] = None,
    strength: Annotated[
        list[float] | None, typer.Option(help="Strength of an edit; repeated for several; by default 1 and -1.")
    ] = None,
    columns: Annotated[int, typer.Option(help="Faces beside each other in the picture.")] = 4,
) -> None:
    """Measure a distilled editor."""
    loaded = load_translator(editor)
    if not is_face_editor(loaded):
        raise UserError(f"{editor} edits no faces")
    attribute = attribute or loaded.network("a2b").attributes[0]
    measure = Measure(loaded, attribute, judge or usual_judge(loaded, attribute))
    sets = [generated(measure, faces, seed_start, psi, network)]
    if photos:
        detector = load_detector("dlib68-aligned" if aligned else "dlib68")
        sets.append(from_photos(measure, photos, detector))
    rows: dict[str, dict[str, Any]] = {}
    drawn: list[Tensor] = []
    for some in sets:
        for one in strength or (1.0, -1.0):
            chosen = some.with_attribute(one < 0, faces if some.kind == "generated" else len(some.images))
            if len(chosen):
                rows[f"{some.kind}, {attribute} {one:+g}"] = measure.columns(chosen, one)
                drawn += shown(measure, chosen[: 4 * columns], one)
    print(describe("torch"))
    print_table(rows, measure)
    times = {threads: seconds(loaded, measure.resolution, threads, runs) for threads in (1, 2)}
    for threads, value in times.items():
        print(f"{measure.resolution} pixels, {threads} threads: {1000 * value:.1f} ms an image")
    if out is not None:
        intervals = {name: {key: asdict(value) for key, value in row.items()} for name, row in rows.items()}
        write_json(out, {"rows": intervals, "seconds": times, "card": loaded.card})
    if picture is not None:
        images.save_image(images.grid(torch.cat(drawn), 3 * columns), picture)


def usual_judge(editor: Translator, attribute: str) -> str:
    """The attribute of the classifier for judging that means what the editor learnt."""
    learnt = editor.card.get("learnt", {}).get(attribute, {}).get("score", attribute)
    return f"attributes-judge:{MeasuredAttribute.named(learnt).judge.rpartition(':')[2]}"


def print_table(rows: dict[str, dict[str, Any]], measure: Measure) -> None:
    """Print what was measured, in Markdown."""
    where = "" if measure.region is None else f" outside the {measure.region}"
    titles = ("reached", "identity", f"LPIPS{where}", f"L1{where}, %", "mask")
    print("| faces | " + " | ".join(titles) + " |")
    print("|---" * (len(titles) + 1) + "|")
    for name, row in rows.items():
        cells = [format_share(row["reached"]), *(format_interval(row[key]) for key in COLUMNS[1:])]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    typer.run(main)
