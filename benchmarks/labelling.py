"""Labelling beside the bare generator: pictures a second of both, in one process and in turns.

    python benchmarks/labelling.py [--samples 64] [--rounds 7] [--precision auto] [--scorer fer]

The bare generator renders ws that are mapped already. Labelling maps seeds, renders, crops and scores, and writes the
table. Prints the median of each, the share that labelling gets of the generator's pictures, and the peak memory.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import machine
import torch

from latentlab.batching import Batches
from latentlab.mapping import ws_of_seeds
from latentlab.pipelines import Components, LabelSettings, label_samples
from stylegan2.memory import keep_freed_memory


def seconds(work: Callable[[], object]) -> float:
    """Seconds that some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--network", default="mobile-ffhq")
    parser.add_argument("--scorer", default="fer")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    keep_freed_memory()
    components = Components.load(arguments.network, arguments.scorer, device=arguments.device)
    settings = LabelSettings(arguments.samples, resolution=arguments.resolution, precision=arguments.precision)
    precision = settings.for_components(components).precision
    renderer = components.renderer(arguments.resolution, precision)
    batches = Batches.of("auto", renderer)
    ws = ws_of_seeds(components.generator, range(600, 600 + arguments.samples), settings.psi)

    def render(rows: range) -> None:
        float(renderer(ws[rows.start : rows.stop])[0, 0, 0, 0])  # waits for an accelerator

    def label() -> None:
        with tempfile.TemporaryDirectory() as folder:
            label_samples(components, settings, Path(folder) / "samples", batches, progress=False)

    def bare() -> None:
        for _ in batches(range(len(ws)), render):
            pass

    bare(), label()
    times = [(seconds(bare), seconds(label)) for _ in range(arguments.rounds)]
    alone, labelling = (statistics.median(column) for column in zip(*times, strict=True))
    share = statistics.median(one / other for one, other in times)
    print(machine.describe("torch", "numpy"))
    print(
        f"{precision}, {arguments.resolution}x{arguments.resolution}, {batches.size} at once: the generator "
        f"{arguments.samples / alone:.1f} pictures a second, labelling by {arguments.scorer} "
        f"{arguments.samples / labelling:.1f}; share {share:.0%} (median of {arguments.rounds} rounds, "
        f"{min(one / other for one, other in times):.0%} to {max(one / other for one, other in times):.0%})"
    )


if __name__ == "__main__":
    main()
