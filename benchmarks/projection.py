"""Projection and tuning on photos: their distances and times. photo_edits.py edits what they give.

    python benchmarks/projection.py FOLDER --out OUT             # the default and the tuning, a JSON file per photo
    python benchmarks/projection.py FOLDER --out OUT --photos 1 --method "W, published"      # another method
    python benchmarks/projection.py FOLDER --out OUT --time 5    # times a step of every method, alone
    python benchmarks/projection.py FOLDER --out OUT --table     # prints what there is

FOLDER holds photos and identity.csv (image, identity). The photos that are measured are those of the first 25
persons, the first photo of each, then the second …, as many as --photos says; the default recipes were chosen on
the other persons. Images are 256² crops in FFHQ's framing. A stopped run goes on.
"""

from __future__ import annotations

import csv
import statistics as stats
import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import machine
import numpy as np
import torch
import typer

import stylegan2
from latentlab import images
from latentlab.faces import FaceDetector, align
from latentlab.faces.identity import distance, similarity
from latentlab.files import read_json, write_json
from latentlab.pipelines.components import Components
from latentlab.projection import (
    DEFAULTS,
    PUBLISHED_W,
    PUBLISHED_W_PLUS,
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

# Settings of the projection by name of the method, and its start.
METHODS: dict[str, tuple[ProjectionSettings, Start]] = {
    "W, published": (PUBLISHED_W, "average"),
    "W+, published, cut to 750 steps": (PUBLISHED_W_PLUS.shortened(750), "average"),
    "W, default": (DEFAULTS["w"], "auto"),
    "W+, default": (DEFAULTS["w+"], "auto"),
    "W+, default, but plain Adam": (replace(DEFAULTS["w+"], turn_every=None), "auto"),
}
MEANS = ("mse", "lpips", "psnr", "identity", "distance", "mesh", "seconds", "steps")
TUNED = "W+, default, tuned"
OWN = "W+, default, on generated faces"

PUBLISHED = """\
| optimise W | 2824 | .0670 | .197 | 15.85 | .32 | | | | | |
| optimise W+ | 2824 | .0242 | .109 | 20.59 | .77 | | | | | |
| e4e | 2824 | .0472 | .197 | 16.66 | .50 | | | 0.042 | | |
| HyperStyle | 2824 | .0219 | .099 | 20.09 | .74 | | | 0.162 | | |
| PTI | 2824 | .0082 | .082 | 24.61 | .85 | | | 59 | | |
| DHR + e4e | 2824 | .0035 | .044 | 28.17 | .87 | | | 12 | | |"""


class Measurement:
    """Measures projections and tunings with networks that are loaded once."""

    def __init__(self, device: str = "cpu") -> None:
        self.components = Components.load(device=device)
        self.generator, self.fast = self.components.generator, self.components.fast_perceptual

    @torch.no_grad()
    def figures(self, target: torch.Tensor, generator: Any, ws: torch.Tensor) -> dict[str, Any]:
        """Measure latents `ws (1, …)` as `generator` renders them, for JSON."""
        descriptor = self.components.descriptor
        full = generator.synthesis(ws).clamp(-1, 1)
        rendered = images.reduce(full, RESOLUTION)
        mse = float((rendered - target).square().mean())
        person = descriptor(target)
        return {
            "mse": mse,
            "psnr": float(10 * np.log10(4 / mse)),
            "lpips": float(self.components.perceptual(rendered, target)),
            "identity": number(similarity(person, descriptor(rendered))),
            "distance": number(distance(person, descriptor(rendered))),
            "mesh": float(mesh_levels(full, full.shape[3] // RESOLUTION)),
        }

    def project(self, target: torch.Tensor, settings: ProjectionSettings, start: Start) -> tuple[Projection, float]:
        """Project, and return the seconds that it took, too."""
        begun = time.perf_counter()
        found = project(target, self.generator, settings, start, perceptual=self.fast)
        return found, time.perf_counter() - begun


def number(value: torch.Tensor) -> float | None:
    """For JSON: NaN, where no face was found, becomes None."""
    return None if value.isnan().any() else float(value)


def photos_of(folder: Path, count: int) -> list[str]:
    """The names of the photos that are measured."""
    with open(folder / "identity.csv", encoding="utf-8") as file:
        rows = sorted((int(row["identity"]), row["image"]) for row in csv.DictReader(file))
    persons = [[name for _, name in group] for _, group in groupby(rows, key=lambda row: row[0])][:PERSONS]
    ranked = [(rank, k, name) for k, names in enumerate(persons) for rank, name in enumerate(names)]
    return [name for _, _, name in sorted(ranked)][:count]


def measure(bench: Measurement, name: str, target: torch.Tensor, methods: list[str], out: Path) -> None:
    """Measure whatever is missing for one image."""
    for method in methods:
        path = out / method / f"{name}.json"
        if path.exists():
            continue
        if method == TUNED:
            _measure_tuned(bench, name, target, out)
            continue
        settings, start = METHODS["W+, default" if method == OWN else method]
        found, seconds = bench.project(target, settings, start)
        found.save(out / method / f"{name}.safetensors")
        ws = found.ws(bench.generator)
        images.save_image(
            images.reduce(found.render(bench.generator), RESOLUTION).clamp(-1, 1), out / method / f"{name}.png"
        )
        figures = bench.figures(target, bench.generator, ws)
        write_json(path, {"seconds": seconds, "steps": int(found.steps[0]), **figures})


def _measure_tuned(bench: Measurement, name: str, target: torch.Tensor, out: Path) -> None:
    before = read_json(out / "W+, default" / f"{name}.json")
    ws = Projection.load(out / "W+, default" / f"{name}.safetensors").ws(bench.generator)
    begun = time.perf_counter()
    tuned = tune(target, ws, bench.generator, bench.fast, TuningSettings())
    seconds = time.perf_counter() - begun
    tuned.delta.save(out / TUNED / f"{name}.safetensors")
    size = (out / TUNED / f"{name}.safetensors").stat().st_size
    images.save_image(
        images.reduce(tuned.generator.synthesis(ws), RESOLUTION).clamp(-1, 1), out / TUNED / f"{name}.png"
    )
    write_json(
        out / TUNED / f"{name}.json",
        {
            "seconds": before["seconds"] + seconds,
            "steps": before["steps"] + tuned.steps,
            "size": size,
            **tuned.drift.figures(),
            **bench.figures(target, tuned.generator, ws),
        },
    )


def table(out: Path) -> str:
    """Format all figures there are as a table."""
    lines = [
        "| method | images | MSE | LPIPS-VGG | PSNR | identity | dlib distance | mesh (most) "
        "| s/image | steps | s/step |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    notes: list[str] = []
    for method in (*METHODS, TUNED, OWN):
        rows = [read_json(path) for path in sorted((out / method).glob("*.json"))]
        if not rows:
            continue
        mean = {key: _mean(rows, key) for key in MEANS}
        step = stats.median(row["seconds"] / row["steps"] for row in rows)
        lines.append(
            f"| {method} | {len(rows)} | {mean['mse']:.4f} | {mean['lpips']:.3f} | {mean['psnr']:.2f} "
            f"| {mean['identity']:.2f} | {mean['distance']:.2f} "
            f"| {mean['mesh']:.2f} ({max(row['mesh'] for row in rows):.2f}) "
            f"| {mean['seconds']:.0f} | {mean['steps']:.0f} | {step:.2f} |"
        )
        if method == TUNED:
            drift, size = _mean(rows, "drift_lpips_mean"), max(row["size"] for row in rows)
            notes += [
                "",
                f"Tuned: other persons' images change by an LPIPS of {drift:.3f}; deltas of {size / 1e6:.2f} MB",
            ]
    heading = "Published (CelebA-HQ test, other photos, StyleGAN2-FFHQ, identity by another network):"
    return "\n".join([*lines, "", heading, "", lines[0], lines[1], PUBLISHED, *notes])


def _mean(rows: list[dict[str, Any]], key: str) -> float:
    values = [row[key] for row in rows if row[key] is not None]
    return stats.fmean(values) if values else float("nan")


def time_steps(bench: Measurement, target: torch.Tensor, steps: int) -> None:
    """Print the median seconds of a step of every phase of every method, and what that makes per image."""
    for method, (settings, start) in METHODS.items():
        total = 0.0
        for phase in settings.phases:
            short = replace(settings, phases=(replace(phase, steps=steps + 2),))
            seconds = _seconds_per_step(Projector(target, bench.generator, short, start, bench.fast).steps())
            total += seconds * phase.steps
            print(f"{method}: {phase.steps} steps, {seconds:.3f} s a step")
        print(f"{method}: {settings.steps} steps in {total:.0f} s per image")
    ws = bench.generator.w_avg.expand(1, bench.generator.num_ws, -1)
    recipe = replace(TuningSettings(), steps=steps + 2, stop_at=0.0, drift_seeds=(0,))
    seconds = _seconds_per_step(Tuner(target, ws, bench.generator, bench.fast, recipe).steps())
    print(f"tuning: {TuningSettings().steps} steps, {seconds:.3f} s a step, {TuningSettings().steps * seconds:.0f} s")


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
    timed: Annotated[int, typer.Option("--time")] = 0,
    only_table: Annotated[bool, typer.Option("--table")] = False,
    device: str = "cpu",
) -> None:
    """Measure, see above. Methods are those of METHODS, and the tuning; `own` generated faces come first."""
    keep_freed_memory()
    if only_table:
        print(table(out))
        return
    print(machine.describe("torch", "torchvision", "lpips", "dlib-bin"))
    bench = Measurement(device)
    detector = bench.components.detector
    names = photos_of(folder, photos)
    if timed:
        time_steps(bench, _target(bench, folder, names[0], detector), timed)
        return
    tasks: list[tuple[str, list[str]]] = [(f"seed{seed}", [OWN]) for seed in range(30_000, 30_000 + own)]
    tasks += [(name, method or ["W+, default", TUNED]) for name in names]
    for k, (name, methods) in enumerate(tasks):
        measure(bench, Path(name).stem, _target(bench, folder, name, detector), methods, out)
        print(f"{k + 1} of {len(tasks)}: {name}", flush=True)
    print(table(out))


@torch.no_grad()
def _target(bench: Measurement, folder: Path, name: str, detector: FaceDetector) -> torch.Tensor:
    """`(1, 3, 256, 256)` on the networks' device: the aligned photo, or the generated face of a seed."""
    device = bench.components.device
    if not name.startswith("seed"):
        return align(images.load_image(folder / name), detector, RESOLUTION, name=name)[0].image.to(device)
    z = stylegan2.z_from_seeds([int(name[4:])], bench.generator.z_dim).to(device)
    return images.reduce(bench.generator(z, psi=0.7), RESOLUTION).clamp(-1, 1)


if __name__ == "__main__":
    typer.run(main)
