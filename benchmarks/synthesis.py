"""Milliseconds of the synthesis networks: resolution, batch, type, memory kept or not, beside the bare convolutions.

    python benchmarks/synthesis.py [--cases config-f-256 config-f-256x4 …] [--dtypes float32 bfloat16] [--runs 9]
    python benchmarks/synthesis.py --device cuda --optimize --cases config-f-1024 config-f-1024x8 --dtypes float16
    python benchmarks/synthesis.py --beside OTHER.py

Config F of StyleGAN2 (random weights) and the mobile generator in full and by preview; x4 is a batch of four. Every
figure comes from a process of its own, since keeping freed memory is a setting of the whole process. The floor is the
network's bare convolutions and filters by torch, on the same tensors, in the same process: what is left if all else
took no time. OTHER.py is any other implementation: it defines `load(resolution, batch, device)`, which returns a
function without arguments that renders once.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import machine
import numpy as np
import torch
from floors import Convolutions, by_definition

import stylegan2
from stylegan2.memory import keep_freed_memory

CASES = (
    "config-f-256",
    "config-f-256x4",
    "config-f-1024",
    "mobile-1024",
    "mobile-1024x4",
    "mobile-256",
    "mobile-256x4",
)
WARM_UP = 3


def shape_of(case: str) -> tuple[str, int, int]:
    """Network, resolution and batch of a case."""
    name, _, size = case.rpartition("-")
    resolution, _, batch = size.partition("x")
    return name, int(resolution), int(batch or 1)


def load(name: str, resolution: int, device: str) -> stylegan2.Generator | stylegan2.MobileGenerator:
    """A network by name; StyleGAN2 with random weights, on which the time does not depend."""
    if name == "mobile":
        return stylegan2.load("mobile-ffhq", device=device)
    torch.manual_seed(0)
    config = stylegan2.GeneratorConfig.preset(name, resolution)
    return stylegan2.Generator(config).eval().requires_grad_(False).to(device)


def times_of(step: Callable[[], object], runs: int, device: str) -> list[float]:
    """Seconds of each run, after some that are not counted."""
    times = []
    for _ in range(runs + WARM_UP):
        begun = time.perf_counter()
        step()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return times[WARM_UP:]


@torch.no_grad()
def measure(case: str, dtype: str, memory: str, arguments: argparse.Namespace) -> dict[str, object]:
    """Seconds of each run, the floor and the peak of memory, in this process."""
    torch.set_num_threads(arguments.threads)
    keep_freed_memory(memory == "kept")
    name, resolution, batch = shape_of(case)
    if name == "beside":
        step = beside(arguments.beside).load(resolution, batch, arguments.device)
        return {"times": times_of(step, arguments.runs, arguments.device), "peak": machine.peak_bytes()}
    generator = load(name, resolution, arguments.device)
    ws = generator.mapping(stylegan2.z_from_seeds(range(batch), generator.z_dim).to(arguments.device))
    if arguments.optimize:
        generator = stylegan2.optimize(generator, dtype, batch_size=batch, resolution=resolution)
    else:
        generator.synthesis.compute_dtype = None if dtype == "float32" else getattr(torch, dtype)
    times = times_of(lambda: generator.synthesis(ws, resolution=resolution), arguments.runs, arguments.device)
    peak, plain = machine.peak_bytes(), generator.plain if arguments.optimize else generator
    with by_definition(), Convolutions() as bare:
        plain.synthesis(ws, resolution=resolution)
    floor = float(np.median(times_of(bare, arguments.runs, arguments.device)))
    return {"times": times, "floor": floor, "gflop": bare.operations() / 1e9, "peak": peak}


def beside(path: Path) -> ModuleType:
    """Another implementation, from its file."""
    spec = importlib.util.spec_from_file_location("beside", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", nargs="+", default=CASES, help="NAME-RESOLUTION[xBATCH]")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--memory", nargs="+", choices=("kept", "freed"), default=["kept"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--optimize", action="store_true", help="by stylegan2.optimize: compiled on a GPU")
    parser.add_argument("--beside", type=Path, help="another implementation, see above")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)  # CASE DTYPE MEMORY: measure here
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*arguments.one, arguments)))
        return
    print(f"{machine.describe('torch', 'numpy')}; {arguments.device}, {arguments.threads} threads")
    print(
        "| case | type | memory | median, ms | least, ms | images/s | GFLOP | floor, ms | its share | peak, GB | "
        "times as fast as beside |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for case in arguments.cases:
        rows = [(case, dtype, memory) for dtype in arguments.dtypes for memory in arguments.memory]
        others = others_of(case, arguments)
        medians: list[float] = []
        for row in [*others, *rows]:
            found = measured(__file__, row)
            medians.append(1e3 * float(np.median(found["times"])))
            print(line(row, found, shape_of(case)[2], medians, len(others)), flush=True)


def others_of(case: str, arguments: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Rows of the other implementation: as it is and, on a CPU, with freed memory kept as ours keeps it."""
    name, _, size = case.rpartition("-")
    if not arguments.beside or name == "mobile":
        return []
    shipped, tuned = (f"beside-{size}", "as shipped", "freed"), (f"beside-{size}", "allocator tuned", "kept")
    return [shipped, tuned] if arguments.device == "cpu" else [shipped]


def measured(script: str, row: tuple[str, str, str]) -> dict[str, Any]:
    """What a script finds for one row, in a process of its own, with the options that this one was given."""
    command = [sys.executable, script, *sys.argv[1:], "--one", *row]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1]
    )
    return found


def line(row: tuple[str, str, str], found: dict[str, Any], images: int, medians: list[float], others: int) -> str:
    """A row of the table; the last of `medians` is its own, the first are those of the `others`."""
    own, floor = medians[-1], 1e3 * found.get("floor", 0)
    cells = [f"{own:.1f}", f"{1e3 * min(found['times']):.1f}", f"{1e3 * images / own:.1f}"]
    cells += [f"{found['gflop']:.0f}", f"{floor:.0f}", f"{floor / own:.0%}"] if floor else ["–"] * 3
    cells += [f"{found['peak'] / 1e9:.1f}", " / ".join(f"{other / own:.2f}" for other in medians[:others])]
    return "| " + " | ".join([*row, *cells]) + " |"


if __name__ == "__main__":
    main()
