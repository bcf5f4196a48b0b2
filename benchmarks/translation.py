"""Translators: milliseconds per translated image, and training samples per second, of each method.

    python benchmarks/translation.py --size 64 --base-channels 32
    python benchmarks/translation.py --size 256 --base-channels 64 --device cuda

Random weights and images, whose cost is that of any others. Medians over `--repeats` runs after one to warm up; a
training step consists of all optimiser steps on one sample, without reading it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Annotated

import machine
import torch
import typer

from latentlab.cli import options
from latentlab.devices import find_device
from latentlab.translation import TrainingSettings, Translator, launch, load_method
from latentlab.translation.data.sources import Batch, move_batch
from latentlab.translation.networks import infer
from latentlab.translation.training import take_step
from latentlab.translation.training.state import TrainingState
from stylegan2.memory import keep_freed_memory


def median_seconds(run: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Measure `run`, which may leave work in a GPU's queue."""
    times = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def sample(size: int, masks_per_image: int, device: torch.device) -> Batch:
    """Make two images, with masks of two instances each if there are to be masks."""
    batch = {name: torch.rand(1, 3, size, size) * 2 - 1 for name in ("a", "b")}
    for name in ("a", "b") if masks_per_image else ():
        masks = torch.full((1, masks_per_image, size, size), -1.0)
        masks[:, 0, : size // 2, : size // 2] = masks[:, 1, size // 2 :, size // 2 :] = 1
        batch[f"{name}_masks"] = masks
    return move_batch(batch, device)


def main(
    size: Annotated[int, typer.Option(help="Resolution of the images, a power of two.")] = 64,
    base_channels: Annotated[int, typer.Option(help="Base channel count (ngf, ndf).")] = 32,
    repeats: Annotated[int, typer.Option(help="Number of timed runs of each method.")] = 9,
    precision: Annotated[str, typer.Option(help="32-true or bf16-mixed.")] = "32-true",
    device: options.Device = "auto",
) -> None:
    """Measure the speed of each translation method."""
    keep_freed_memory()
    place = find_device(device)
    print(machine.describe("torch", "lightning-fabric"))
    fabric = launch(place.type, precision=precision)
    settings = TrainingSettings(precision=precision)  # type: ignore[arg-type]
    print(f"{size}x{size}, base channels {base_channels}, {precision}, {place}")
    print("| method | weights of a generator | ms per image | training samples per second |")
    print("|---|---|---|---|")
    for name in ("pix2pix", "cyclegan", "instagan", "cut"):
        config = load_method(name).configure(size, base_channels)
        method = config.build()
        method.networks.to(place).to(memory_format=torch.channels_last)
        state = TrainingState(method, settings)
        batch = sample(size, config.masks_per_image, place)
        step = median_seconds(lambda s=state, b=batch: take_step(fabric, s, [b], 2e-4), repeats, place)

        network = method.generator("a2b")
        infer(network, dropout=True)
        translator = Translator({"a2b": network}, {})
        masks = batch.get("a_masks")
        once = median_seconds(lambda t=translator, b=batch, m=masks: t(b["a"], masks=m), repeats, place)
        count = sum(weight.numel() for weight in network.parameters())
        print(f"| {name} | {count / 1e6:.2f} M | {1000 * once:.1f} | {1 / step:.2f} |")


if __name__ == "__main__":
    typer.run(main)
