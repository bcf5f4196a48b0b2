"""Training of translators: milliseconds a training step of each method, in float32 and in mixed precision.

    python benchmarks/training.py
    python benchmarks/training.py --method cyclegan:64:32
    python benchmarks/training.py --method cyclegan:256:64 --device cuda

Random weights and images, whose cost is that of any others; a step consists of all optimiser steps on one sample,
without reading it. The floor is the sum of the step's bare convolutions, forward and backward, in the same type and on
the same shapes: what the step would take if nothing else had to be done.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Annotated

import machine
import torch
import typer
from floors import Convolutions
from translation import sample

from latentlab.cli import options
from latentlab.devices import find_device
from latentlab.translation import TrainingSettings, launch, load_method
from latentlab.translation.training import take_step
from latentlab.translation.training.state import TrainingState
from stylegan2.memory import keep_freed_memory

METHODS = ["cyclegan:64:32", "pix2pix:256:32", "instagan:64:32", "cut:64:32"]
PRECISIONS = ["32-true", "bf16-mixed"]


def milliseconds(run: Callable[[], object], repeats: int, device: torch.device) -> list[float]:
    """Measure `run`, which may leave work in a GPU's queue, after two runs to warm up."""
    times = []
    for _ in range(repeats + 2):
        begun = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - begun))
    return times[2:]


def measure(method: str, precision: str, repeats: int, device: torch.device) -> str:
    """Measure a method, given as NAME:SIZE:BASE_CHANNELS, and return a row of the table."""
    name, size, width = method.split(":")
    fabric = launch(device.type, precision=precision)
    config = load_method(name).configure(int(size), int(width))
    built = config.build()
    built.networks.to(device).to(memory_format=torch.channels_last)
    state = TrainingState(built, TrainingSettings(precision=precision))  # type: ignore[arg-type]
    batch = sample(int(size), config.masks_per_image, device)
    times = milliseconds(lambda: take_step(fabric, state, [batch], 2e-4), repeats, device)
    memory = machine.peak_bytes() / 1e9
    with Convolutions() as convolutions:
        take_step(fabric, state, [batch], 2e-4)
    floor = statistics.median(milliseconds(convolutions, repeats, device))
    median = statistics.median(times)
    return (
        f"| {name}, {size}², {width} | {precision} | {median:.1f} | {min(times):.1f} | {1000 / median:.2f} | "
        f"{memory:.2f} | {floor:.1f} | {floor / median:.0%} |"
    )


def main(
    method: Annotated[list[str], typer.Option(help="NAME:SIZE:BASE_CHANNELS.")] = METHODS,
    precision: Annotated[list[str], typer.Option(help="32-true or bf16-mixed.")] = PRECISIONS,
    repeats: Annotated[int, typer.Option(help="Number of timed steps.")] = 15,
    device: options.Device = "auto",
    row: Annotated[bool, typer.Option(help="Print one row and nothing else.")] = False,
) -> None:
    """Measure a training step, each in a process of its own, whose peak of memory is its own."""
    if row:
        keep_freed_memory()
        print(measure(method[0], precision[0], repeats, find_device(device)))
        return
    print(machine.describe("torch", "lightning-fabric"))
    print("| method, size, base channels | precision | ms a step, median | least | images a second | GB | ", end="")
    print("bare convolutions, ms | share |")
    print("|---|---|---|---|---|---|---|---|")
    for one in method:
        for kind in precision:
            arguments = ["--method", one, "--precision", kind, "--repeats", str(repeats), "--device", device, "--row"]
            subprocess.run([sys.executable, __file__, *arguments], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    typer.run(main)
