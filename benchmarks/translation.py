"""Translators: milliseconds a translated picture, and samples a second of training, of each network.

    python benchmarks/translation.py --size 64 --width 32
    python benchmarks/translation.py --size 256 --width 64 --device cuda

Random weights and pictures, which cost what any do. Medians over `--repeats` runs after one to warm up; a training
step is all moves of all players on one sample, with reading left out.
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
from latentlab.translation import methods
from latentlab.translation.data.sources import Batch, moved
from latentlab.translation.methods import paper_config
from latentlab.translation.networks import infer
from latentlab.translation.training import TrainingSettings
from latentlab.translation.training.loop import launch, take_step
from latentlab.translation.training.state import TrainingState
from latentlab.translation.translator import Translator
from stylegan2.memory import keep_freed_memory


def median_seconds(run: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Of `run`, which may leave work in a GPU's queue."""
    times = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def sample(size: int, instances: int, device: torch.device) -> Batch:
    """Two pictures and, for InstaGAN, two instances each."""
    batch = {name: torch.rand(1, 3, size, size) * 2 - 1 for name in ("a", "b")}
    for name in ("a", "b") if instances else ():
        masks = torch.full((1, instances, size, size), -1.0)
        masks[:, 0, : size // 2, : size // 2] = masks[:, 1, size // 2 :, size // 2 :] = 1
        batch[f"{name}_masks"] = masks
    return moved(batch, device)


def main(
    size: Annotated[int, typer.Option(help="Side of the pictures, a power of two.")] = 64,
    width: Annotated[int, typer.Option(help="Feature maps at the thinnest.")] = 32,
    repeats: Annotated[int, typer.Option(help="Timed runs of each.")] = 9,
    precision: Annotated[str, typer.Option(help="32-true or bf16-mixed.")] = "32-true",
    device: options.Device = "auto",
) -> None:
    """See above."""
    keep_freed_memory()
    place = options.find_device(device)
    print(machine.describe("torch", "lightning-fabric"))
    fabric = launch(place.type, precision=precision)
    settings = TrainingSettings(precision=precision)  # type: ignore[arg-type]
    print(f"{size}x{size}, width {width}, {precision}, {place}")
    print("| method | weights of a generator | ms a picture | samples a second of training |")
    print("|---|---|---|---|")
    for name in ("pix2pix", "cyclegan", "instagan"):
        method = methods.build(paper_config(name, size, width))
        method.networks.to(place).to(memory_format=torch.channels_last)
        state = TrainingState(method, settings)
        batch = sample(size, 4 if name == "instagan" else 0, place)
        step = median_seconds(lambda s=state, b=batch: take_step(fabric, s, [b], 2e-4), repeats, place)

        network = method.networks[method.ways["a2b"]]
        infer(network, dropout=True)
        translator = Translator({"a2b": network}, {})
        masks = batch.get("a_masks")
        once = median_seconds(lambda t=translator, b=batch, m=masks: t(b["a"], masks=m), repeats, place)
        count = sum(weight.numel() for weight in network.parameters())
        print(f"| {name} | {count / 1e6:.2f} M | {1000 * once:.1f} | {1 / step:.2f} |")


if __name__ == "__main__":
    typer.run(main)
