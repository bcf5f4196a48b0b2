"""Milliseconds a picture of the synthesis networks, with the C library's memory kept and not.

    python benchmarks/synthesis.py [--runs 10] [--threads 2] [--cases config-f-256 mobile-1024 …]

Config F of StyleGAN2 (random weights) at 256², 512² and 1024², and the mobile generator in full and by preview,
one picture at a time. Every figure comes from a process of its own, since `keep_freed_memory` is a setting of the
whole process. Prints the median and the least time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import machine
import numpy as np
import torch

import stylegan2
from stylegan2.memory import keep_freed_memory

CASES = ("config-f-256", "config-f-512", "config-f-1024", "mobile-1024", "mobile-preview")
WARM_UP = 2


@torch.inference_mode()
def measure(case: str, runs: int, threads: int) -> list[float] | None:
    """Seconds of each run, in this process; None where the network has no preview."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if case.startswith("mobile"):
        generator = stylegan2.load("mobile-ffhq")
        side = generator.resolutions[0 if case.endswith("preview") else -1]
        if case.endswith("preview") and len(generator.resolutions) < 2:
            return None
    else:
        preset, _, resolution = case.rpartition("-")
        side = int(resolution)
        generator = stylegan2.Generator(stylegan2.GeneratorConfig.preset(preset, side)).eval()
    ws = generator.mapping(stylegan2.z_from_seeds(range(runs + WARM_UP), generator.z_dim))
    times = []
    for row in ws.split(1):
        begun = time.perf_counter()
        generator.synthesis(row, resolution=side)
        times.append(time.perf_counter() - begun)
    return times[WARM_UP:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)  # CASE kept|freed: measure here
    arguments = parser.parse_args()
    if arguments.one:
        case, memory = arguments.one
        if memory == "kept":
            keep_freed_memory()
        print(json.dumps(measure(case, arguments.runs, arguments.threads)))
        return
    print(f"{machine.describe('torch', 'numpy')}; {arguments.threads} threads")
    for case in arguments.cases:
        for memory in ("freed", "kept"):
            command = [sys.executable, __file__, "--one", case, memory]
            command += ["--runs", str(arguments.runs), "--threads", str(arguments.threads)]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            if found is None:
                print(f"{case:>15}: the network has none")
                break
            middle, least = 1e3 * np.median(found), 1e3 * min(found)
            print(f"{case:>15}, memory {memory:>5}: median {middle:.0f} ms, least {least:.0f} ms", flush=True)


if __name__ == "__main__":
    main()
