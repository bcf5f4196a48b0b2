"""Milliseconds of one step of the projector, by resolution, type and images at once; and of many steps in a row.

    python benchmarks/projection_step.py [--cases config-f-256 config-f-1024 …] [--dtypes float32 bfloat16] [--runs 9]
    python benchmarks/projection_step.py --device cuda --optimize --cases config-f-1024 --dtypes bfloat16 --runs 1000
    python benchmarks/projection_step.py --beside OTHER.py

Config F of StyleGAN2 with random weights (or `mobile`, whose images are of 1024²), W+, LPIPS with VGG16 at 256²; x4 is
four images at once. The images are random, too: a step takes as long whatever it sees. Prints the median and the least
of the steps after the first three, the floor and the peak of memory as `synthesis.py` does, and the seconds of all
steps together. OTHER.py is any other implementation: it defines `load_step(resolution, images, device)`, which returns
a function without arguments that takes one step.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import machine
import numpy as np
import torch
from floors import Convolutions, by_definition
from synthesis import WARM_UP, beside, line, load, measured, others_of, shape_of, times_of

import stylegan2
from latentlab.perceptual import load_perceptual
from latentlab.projection import DEFAULTS, Projector
from latentlab.projection.projector import ProjectionStep
from stylegan2.memory import keep_freed_memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cases = ["config-f-256", "config-f-1024"]
    parser.add_argument("--cases", nargs="+", default=cases, help="NAME-RESOLUTION[xIMAGES]")
    parser.add_argument("--dtypes", nargs="+", choices=("float32", "bfloat16"), default=["float32", "bfloat16"])
    parser.add_argument("--runs", type=int, default=9, help="steps")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--optimize", action="store_true", help="by stylegan2.optimize: compiled on a GPU")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--beside", type=Path, help="another implementation, see above")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)  # CASE DTYPE MEMORY: measure here
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*arguments.one, arguments)))
        return
    print(f"{machine.describe('torch', 'numpy')}; {arguments.device}, {arguments.threads} threads")
    print(
        "| case | type | memory | median, ms | least, ms | steps/s | GFLOP | floor, ms | its share | peak, GB | "
        "times as fast as beside | all steps, s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for case in arguments.cases:
        others, medians = others_of(case, arguments), list[float]()
        for row in [*others, *((case, dtype, "kept") for dtype in arguments.dtypes)]:
            found = measured(__file__, row)
            medians.append(1e3 * float(np.median(found["times"])))
            print(f"{line(row, found, 1, medians, len(others))} {found['all']:.1f} |", flush=True)


def measure(case: str, dtype: str, memory: str, arguments: argparse.Namespace) -> dict[str, object]:
    """Seconds of each step and of all, the floor and the peak of memory, in this process."""
    torch.set_num_threads(arguments.threads)
    keep_freed_memory(memory == "kept")
    name, resolution, images = shape_of(case)
    if name == "beside":
        step = beside(arguments.beside).load_step(resolution, images, arguments.device)
        times = times_of(step, arguments.runs, arguments.device)
        return {"times": times, "all": sum(times), "peak": machine.peak_bytes()}
    generator = load(name, resolution, arguments.device)
    if arguments.optimize:
        generator = stylegan2.optimize(generator)
    steps = steps_of(generator, images, getattr(torch, dtype), arguments)
    times = times_of(lambda: next(steps), arguments.runs, arguments.device)
    peak, found = machine.peak_bytes(), {"times": times, "all": sum(times)}
    if arguments.device != "cpu":  # where the step is compiled
        return {**found, "peak": peak}
    with by_definition(), Convolutions() as bare:
        next(steps)
    with torch.no_grad():
        floor = float(np.median(times_of(bare, arguments.runs, arguments.device)))
    return {**found, "floor": floor, "gflop": bare.operations() / 1e9, "peak": peak}


def steps_of(
    generator: stylegan2.Generator, images: int, dtype: torch.dtype, arguments: argparse.Namespace
) -> Iterator[ProjectionStep]:
    """A search that takes some steps more than are measured."""
    perceptual = load_perceptual("vgg", arguments.device, dtype)
    targets = torch.rand(images, 3, generator.resolution, generator.resolution) * 2 - 1
    phase = replace(DEFAULTS["w+"].phases[-1], steps=arguments.runs + WARM_UP + 1)
    settings = replace(DEFAULTS["w+"], phases=(phase,), patience=None)
    start = generator.w_avg.expand(images, generator.num_ws, -1)
    return Projector(targets, generator, settings, start, perceptual, batch_size=images).steps()


if __name__ == "__main__":
    main()
