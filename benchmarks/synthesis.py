"""Milliseconds of the synthesis networks: resolution, batch, type, memory kept or not, beside the bare convolutions.

    python benchmarks/synthesis.py [--cases config-f-256 config-f-256x4 …] [--dtypes float32 bfloat16] [--runs 9]
    python benchmarks/synthesis.py --device cuda --optimize --cases config-f-1024 config-f-1024x8 --dtypes float16
    python benchmarks/synthesis.py --beside OTHER.py

Config F of StyleGAN2 (random weights) and the mobile generator in full and by preview; x4 is a batch of four. Every
figure comes from a process of its own, since keeping freed memory is a setting of the whole process. The floor is the
sum of the network's bare convolutions, of equal shapes and type, in the same process: what is left if all else took no
time. OTHER.py is any other implementation, to be timed in turns: it defines `load(resolution, batch, device)`, which
returns a function without arguments that renders once.
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

import machine
import numpy as np
import torch
import torch.nn.functional as F

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


def floor(generator: torch.nn.Module, batch: int, dtype: torch.dtype, device: str) -> float:
    """Seconds of the bare 3×3 convolutions of a StyleGAN2 network, each the least of five runs."""
    total = 0.0
    for name, weight in generator.named_parameters():
        if weight.dim() != 4 or weight.shape[2:] != (3, 3):
            continue
        up, resolution = "conv0" in name, int(name.split(".")[1][1:])
        side = resolution // 2 if up else resolution
        x = torch.randn(batch, weight.shape[1], side, side, dtype=dtype, device=device)
        x, w = x.contiguous(memory_format=torch.channels_last), weight.to(dtype)

        def bare(x: torch.Tensor = x, w: torch.Tensor = w, up: bool = up) -> torch.Tensor:
            return F.conv_transpose2d(x, w.transpose(0, 1), stride=2) if up else F.conv2d(x, w, padding=1)

        total += min(times_of(bare, 5, device))
    return total


@torch.inference_mode()
def measure(case: str, dtype: str, memory: str, arguments: argparse.Namespace) -> dict[str, object]:
    """Seconds of each run, the floor and the peak of memory, in this process."""
    torch.set_num_threads(arguments.threads)
    keep_freed_memory(memory == "kept")
    name, resolution, batch = shape_of(case)
    if name == "beside":
        step = _beside(arguments.beside, resolution, batch, arguments.device)
        return {"times": times_of(step, arguments.runs, arguments.device), "floor": None, "peak": machine.peak_bytes()}
    generator = load(name, resolution, arguments.device)
    ws = generator.mapping(stylegan2.z_from_seeds(range(batch), generator.z_dim).to(arguments.device))
    if arguments.optimize:
        generator = stylegan2.optimize(generator, dtype, batch_size=batch, resolution=resolution)
    else:
        generator.synthesis.compute_dtype = None if dtype == "float32" else getattr(torch, dtype)
    times = times_of(lambda: generator.synthesis(ws, resolution=resolution), arguments.runs, arguments.device)
    peak = machine.peak_bytes()
    least = None
    if name != "mobile":
        plain = generator.plain if arguments.optimize else generator
        least = floor(plain, batch, getattr(torch, dtype), arguments.device)
    return {"times": times, "floor": least, "peak": peak}


def _beside(path: Path, resolution: int, batch: int, device: str) -> Callable[[], object]:
    """Another implementation, from a file that defines `load`."""
    spec = importlib.util.spec_from_file_location("beside", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    step: Callable[[], object] = module.load(resolution, batch, device)
    return step


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
        "| case | type | memory | median, ms | least, ms | images/s | floor, ms | peak, GB | times as fast as beside |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for case in arguments.cases:
        rows = [(case, dtype, memory) for dtype in arguments.dtypes for memory in arguments.memory]
        size, tuned = case.rpartition("-")[2], []
        beside = arguments.beside and not case.startswith("mobile")
        if beside:
            tuned = [(f"beside-{size}", "allocator tuned", "kept")] if arguments.device == "cpu" else []
            rows = [(f"beside-{size}", "as shipped", "freed"), *tuned, *rows]
        medians = []
        for row in rows:
            found = json.loads(
                subprocess.run(_command(row), check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1]
            )
            milliseconds, least = 1e3 * np.median(found["times"]), found["floor"]
            medians.append(milliseconds)
            against = " / ".join(f"{other / milliseconds:.2f}" for other in medians[: 1 + len(tuned)]) if beside else ""
            cells = [f"{milliseconds:.1f}", f"{1e3 * min(found['times']):.1f}"]
            cells += [f"{1e3 * shape_of(case)[2] / milliseconds:.1f}", f"{1e3 * least:.0f}" if least else "–"]
            print("| " + " | ".join([*row, *cells, f"{found['peak'] / 2**30:.1f}", against]) + " |", flush=True)


def _command(row: tuple[str, str, str]) -> list[str]:
    """The command that measures one row in a process of its own."""
    given = sys.argv[1:]
    return [sys.executable, __file__, *given, "--one", *row]


if __name__ == "__main__":
    main()
