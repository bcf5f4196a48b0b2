"""Projection and refinement on photos: their distances and times. photo_edits.py edits what they give.

    python benchmarks/projection.py FOLDER --out OUT             # the default, a JSON file per photo
    python benchmarks/projection.py FOLDER --out OUT --photos 4 --method "W, published"      # another method
    python benchmarks/projection.py FOLDER --out OUT --time 5    # times a step of every method, alone
    python benchmarks/projection.py FOLDER --out OUT --table     # prints what there is

FOLDER holds photos and identity.csv (image, identity). The photos that are measured are those of the first 25
persons, the first photo of each, then the second …, as many as --photos says; the default recipes were chosen on
the other persons, whose photos --others takes. Images are 256² crops in FFHQ's framing; generated faces have their own
size, at which they are compared as well. A stopped run goes on.
"""

from __future__ import annotations

import csv
import hashlib
import json
import statistics as stats
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import machine
import numpy as np
import torch
import typer
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

import stylegan2
from latentlab import images
from latentlab.faces import FaceDetector, align
from latentlab.faces.identity import distance, similarity
from latentlab.files import read_json, write_json
from latentlab.pipelines.components import Components
from latentlab.projection import (
    BEFORE_REFINEMENT,
    DEFAULTS,
    FAST,
    FAST_REFINEMENT,
    PUBLISHED_W,
    PUBLISHED_W_PLUS,
    REFINEMENT,
    Projection,
    ProjectionSettings,
    Projector,
    Start,
    Tuner,
    TuningSettings,
    project,
    tune,
)
from latentlab.projection.mesh import mesh_levels
from stylegan2.memory import keep_freed_memory

RESOLUTION = 256
PERSONS = 25


@dataclass(frozen=True)
class Method:
    """A projection, its start, and what is fitted to the photo afterwards."""

    projection: ProjectionSettings
    tuning: TuningSettings | None = None
    start: Start = "auto"

    @property
    def key(self) -> str:
        """Hash of the projection, whose latents methods with the same one share."""
        text = json.dumps([self.projection.as_dict(), self.start], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


DEFAULT = "W+, refined (the default)"
UNSEEN = replace(DEFAULTS["w+"], mesh_weight=0.0)
METHODS = {
    "W, published": Method(PUBLISHED_W, start="average"),
    "W+, published, cut to 750 steps": Method(PUBLISHED_W_PLUS.shortened(750), start="average"),
    "W, 280 steps": Method(DEFAULTS["w"]),
    "W+, 280 steps": Method(DEFAULTS["w+"]),
    "W+, 280 steps, the mesh unseen": Method(UNSEEN),
    "W+, 280 steps, the mesh unseen, plain Adam": Method(replace(UNSEEN, turn_every=None)),
    "W+, 280 steps, the mesh unseen, weights tuned": Method(UNSEEN, TuningSettings(last_block=True, mesh_weight=0.0)),
    "W+, before the refinement": Method(BEFORE_REFINEMENT["w+"]),
    DEFAULT: Method(BEFORE_REFINEMENT["w+"], REFINEMENT),
    "W+, before the refinement, weights tuned": Method(BEFORE_REFINEMENT["w+"], TuningSettings()),
    "W+, refined, fast": Method(FAST["w+"], FAST_REFINEMENT),
}
OWN = "the default, on generated faces"
MEANS = (
    "mse",
    "lpips",
    "psnr",
    "ms_ssim",
    "identity",
    "distance",
    "mesh",
    "mesh_twice",
    "seconds",
    "steps",
    "full_lpips",
    "full_psnr",
)

# MSE, LPIPS, PSNR where known, MS-SSIM, the Fréchet distance to the photos, seconds; by their authors.
PUBLISHED = """\
| e4e | .047 | .199 | .625 | 29.0 | .034 |
| HyperStyle | .022 | .098 | .700 | 20.7 | .275 |
| FeatureStyle | .012 | .067 | .758 | 10.9 | .038 |
| StyleRes | .013 | .076 | .797 | 8.5 | .063 |
| PTI | .008 | .085 | .781 | 14.5 | 124 |
| StyleFeatureEditor | .002 | .019 | .922 | 3.5 | .070 |"""


class Measurement:
    """Measures projections and refinements with networks that are loaded once."""

    def __init__(self, device: str = "cpu") -> None:
        self.components = Components.load(device=device)
        self.generator, self.fast = self.components.generator, self.components.fast_perceptual

    @torch.no_grad()
    def figures(self, target: torch.Tensor, full: torch.Tensor) -> dict[str, Any]:
        """Measure a rendering `(1, 3, r, r)`, for JSON."""
        descriptor = self.components.descriptor
        rendered, small = images.reduce(full, RESOLUTION), images.reduce(target, RESOLUTION)
        mse = float((rendered - small).square().mean())
        person = descriptor(small)
        found = {
            "mse": mse,
            "psnr": _psnr(mse),
            "lpips": float(self.components.perceptual(rendered, small)),
            "ms_ssim": _ms_ssim(rendered, small),
            "identity": number(similarity(person, descriptor(rendered))),
            "distance": number(distance(person, descriptor(rendered))),
            "mesh": float(mesh_levels(full, full.shape[3] // RESOLUTION)),
            "mesh_twice": float(mesh_levels(full, 2 * full.shape[3] // RESOLUTION)),
        }
        if target.shape == full.shape:
            found["full_psnr"] = _psnr(float((full - target).square().mean()))
            found["full_lpips"] = float(self.components.perceptual(full, target))
        return found

    def project(self, name: str, target: torch.Tensor, method: Method, out: Path) -> tuple[Projection, float]:
        """The projection of a method, and its seconds; found once for all methods that share it."""
        stored = out / "latents" / method.key / f"{name}.safetensors"
        if not stored.exists():
            begun = time.perf_counter()
            found = project(target, self.generator, method.projection, method.start, perceptual=self.fast)
            found.save(stored)
            write_json(stored.with_suffix(".json"), {"seconds": time.perf_counter() - begun})
        return Projection.load(stored), read_json(stored.with_suffix(".json"))["seconds"]


def _psnr(mse: float) -> float:
    return float(10 * np.log10(4 / mse))


def _ms_ssim(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(multiscale_structural_similarity_index_measure(one, other, data_range=2.0))


def number(value: torch.Tensor) -> float | None:
    """For JSON: NaN, where no face was found, becomes None."""
    return None if value.isnan().any() else float(value)


def photos_of(folder: Path, count: int, others: bool = False) -> list[str]:
    """The names of the photos that are measured, or those of the other persons."""
    with open(folder / "identity.csv", encoding="utf-8") as file:
        rows = sorted((int(row["identity"]), row["image"]) for row in csv.DictReader(file))
    persons = [[name for _, name in group] for _, group in groupby(rows, key=lambda row: row[0])]
    persons = persons[PERSONS:] if others else persons[:PERSONS]
    ranked = [(rank, k, name) for k, names in enumerate(persons) for rank, name in enumerate(names)]
    return [name for _, _, name in sorted(ranked)][:count]


def measure(bench: Measurement, name: str, target: torch.Tensor, called: str, out: Path) -> None:
    """Measure one method on one image, unless it was measured before."""
    folder, method = out / called, METHODS[DEFAULT if called == OWN else called]
    if (folder / f"{name}.json").exists():
        return
    found, seconds = bench.project(name, target, method, out)
    steps, more = int(found.steps[0]), dict[str, Any]()
    if method.tuning is None:
        full = found.render(bench.generator).clamp(-1, 1)
    else:
        ws, begun = found.ws(bench.generator), time.perf_counter()
        tuned = tune(target, ws, bench.generator, bench.fast, method.tuning)
        seconds, steps = seconds + time.perf_counter() - begun, steps + tuned.steps
        tuned.delta.save(folder / f"{name}.delta.safetensors")
        more = {"size": (folder / f"{name}.delta.safetensors").stat().st_size, **tuned.drift.figures()}
        with torch.no_grad():
            full = tuned.generator.synthesis(ws).clamp(-1, 1)
    images.save_image(images.reduce(full, RESOLUTION), folder / f"{name}.png")
    figures = bench.figures(target, full)
    write_json(folder / f"{name}.json", {"seconds": seconds, "steps": steps, **more, **figures})


def table(out: Path) -> str:
    """Format all figures there are as a table."""
    lines = [
        "| method | images | MSE | LPIPS-VGG | PSNR | MS-SSIM | identity (least) | dlib distance | mesh (most) "
        "| at twice the period | LPIPS, PSNR at full size | s/image | steps | s/step |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for called in (*METHODS, OWN):
        rows = [read_json(path) for path in sorted((out / called).glob("*.json"))]
        if not rows:
            continue
        mean = {key: _mean(rows, key) for key in MEANS}
        step = stats.median(row["seconds"] / row["steps"] for row in rows)
        full = f"{mean['full_lpips']:.3f}, {mean['full_psnr']:.1f}" if "full_lpips" in rows[0] else "–"
        least = min(row["identity"] for row in rows if row["identity"] is not None)
        lines.append(
            f"| {called} | {len(rows)} | {mean['mse']:.4f} | {mean['lpips']:.3f} | {mean['psnr']:.2f} "
            f"| {mean['ms_ssim']:.3f} | {mean['identity']:.3f} ({least:.2f}) | {mean['distance']:.2f} "
            f"| {mean['mesh']:.2f} ({max(row['mesh'] for row in rows):.2f}) "
            f"| {mean['mesh_twice']:.2f} ({max(row['mesh_twice'] for row in rows):.2f}) | {full} "
            f"| {mean['seconds']:.0f} | {mean['steps']:.0f} | {step:.2f} |"
        )
        if "size" in rows[0]:
            lines[-1] += f" {max(row['size'] for row in rows) / 1e6:.2f} MB each"
    heading = "Published (2,824 photos of CelebA-HQ, StyleGAN2-FFHQ):"
    columns = ["| method | MSE | LPIPS | MS-SSIM | Fréchet distance | s/image |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, "", heading, "", *columns, PUBLISHED])


def _mean(rows: list[dict[str, Any]], key: str) -> float:
    values = [row[key] for row in rows if row.get(key) is not None]
    return stats.fmean(values) if values else float("nan")


def time_steps(bench: Measurement, target: torch.Tensor, steps: int) -> None:
    """Print the median seconds of a step of every method, alone, and what that makes per image."""
    ws = bench.generator.w_avg.expand(1, bench.generator.num_ws, -1)
    for called, method in METHODS.items():
        total = 0.0
        for phase in method.projection.phases:
            short = replace(method.projection, phases=(replace(phase, steps=steps + 2),))
            seconds = _seconds_per_step(Projector(target, bench.generator, short, method.start, bench.fast).steps())
            total += seconds * phase.steps
            print(f"{called}: {phase.steps} steps, {seconds:.3f} s a step")
        if method.tuning is not None:
            recipe = replace(method.tuning, steps=steps + 2, stop_at=0.0, drift_seeds=(0,))
            seconds = _seconds_per_step(Tuner(target, ws, bench.generator, bench.fast, recipe).steps())
            total += seconds * method.tuning.steps
            print(f"{called}: {method.tuning.steps} steps of what follows, {seconds:.3f} s a step")
        print(f"{called}: {total:.0f} s an image", flush=True)


def _seconds_per_step(steps: Iterable[object]) -> float:
    """Median time between steps, leaving out the first two."""
    times = [time.perf_counter() for _ in steps]
    return float(np.median(np.diff(times)[1:]))


def main(
    folder: Path,
    out: Path = Path("projection-benchmark"),
    photos: int = 32,
    own: int = 2,
    method: Annotated[list[str] | None, typer.Option()] = None,
    others: bool = False,
    timed: Annotated[int, typer.Option("--time")] = 0,
    only_table: Annotated[bool, typer.Option("--table")] = False,
    device: str = "cpu",
) -> None:
    """Measure, see above. Methods are those of METHODS; `own` generated faces come first."""
    keep_freed_memory()
    if only_table:
        print(table(out))
        return
    print(machine.describe("torch", "torchvision", "lpips", "dlib-bin"))
    bench = Measurement(device)
    detector = bench.components.detector
    names = photos_of(folder, photos, others)
    if timed:
        time_steps(bench, _target(bench, folder, names[0], detector), timed)
        return
    tasks: list[tuple[str, list[str]]] = [(f"seed{seed}", [OWN]) for seed in range(30_000, 30_000 + own)]
    tasks += [(name, method or [DEFAULT]) for name in names]
    for k, (name, methods) in enumerate(tasks):
        target = _target(bench, folder, name, detector)
        for called in methods:
            measure(bench, Path(name).stem, target, called, out)
        print(f"{k + 1} of {len(tasks)}: {name}", flush=True)
    print(table(out))


@torch.no_grad()
def _target(bench: Measurement, folder: Path, name: str, detector: FaceDetector) -> torch.Tensor:
    """`(1, 3, 256, 256)` on the networks' device: the aligned photo; or the generated face of a seed, at its size."""
    device = bench.components.device
    if not name.startswith("seed"):
        return align(images.load_image(folder / name), detector, RESOLUTION, name=name)[0].image.to(device)
    z = stylegan2.z_from_seeds([int(name[4:])], bench.generator.z_dim).to(device)
    return bench.generator(z, psi=0.7).clamp(-1, 1)


if __name__ == "__main__":
    typer.run(main)
