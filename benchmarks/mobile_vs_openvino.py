"""The mobile generator here and in OpenVINO, the same w's, one 1024² picture at a time, in turns.

    python benchmarks/mobile_vs_openvino.py [--runs 20] [--threads 2] [--dtype bfloat16] [--openvino-python PYTHON]

PYTHON is an interpreter that has openvino and numpy; by default this one. Prints the median and the least
time of each, the ratio of the times pair by pair, and the largest difference of a pixel. The first pairs'
times do not count. OpenVINO computes in float32, whatever the type here.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import numpy as np
import torch

import stylegan2
from latentlab import weights
from stylegan2.memory import keep_freed_memory

WARM_UP = 3


class OpenVino:
    """A worker process of `openvino_worker.py`."""

    def __init__(self, python: str, w: np.ndarray, threads: int, scratch: Path) -> None:
        np.save(scratch / "w.npy", w)
        self.out = scratch / "picture.npy"
        worker = Path(__file__).with_name("openvino_worker.py")
        command = [python, worker, weights.get("mobile-ffhq"), scratch / "w.npy", threads, self.out]
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version = self._answer()

    def _answer(self) -> str:
        line = self.process.stdout.readline().strip()
        if not line:
            sys.exit("the OpenVINO worker ended; give --openvino-python an interpreter that has openvino")
        return line

    def render(self, row: int) -> tuple[float, np.ndarray]:
        """Seconds, and the picture `(1, 3, r, r)`."""
        self.process.stdin.write(f"{row}\n")
        self.process.stdin.flush()
        return float(self._answer()), np.load(self.out)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--openvino-python", default=sys.executable)
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    generator = stylegan2.load("mobile-ffhq", dtype=arguments.dtype)
    pairs = arguments.runs + WARM_UP
    ws = generator.mapping(stylegan2.z_from_seeds(range(600, 600 + pairs), generator.z_dim), psi=0.7)
    ours, theirs, differences = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        other = OpenVino(arguments.openvino_python, ws[:, 0].numpy(), arguments.threads, Path(scratch))
        for row in range(pairs):
            begun = time.perf_counter()
            picture = generator.synthesis(ws[row : row + 1])
            ours.append(time.perf_counter() - begun)
            seconds, reference = other.render(row)
            theirs.append(seconds)
            differences.append(float(np.abs(picture.numpy() - reference).max()))
        other.process.stdin.close()
        other.process.wait()
    ours, theirs = np.array(ours[WARM_UP:]), np.array(theirs[WARM_UP:])
    print(f"{machine.describe('torch', 'numpy')}; openvino {other.version}; {arguments.threads} threads")
    for name, times in ((f"here, {arguments.dtype}", ours), ("OpenVINO", theirs)):
        print(f"{name:>14}: median {1e3 * np.median(times):.0f} ms, least {1e3 * times.min():.0f} ms")
    ratios = np.sort(ours / theirs)
    low, middle, high = ratios[0], statistics.median(ratios), ratios[-1]
    print(f"ratio of {len(ratios)} pairs: median {middle:.2f}, from {low:.2f} to {high:.2f}")
    print(f"largest difference of a pixel: {max(differences):.1e}")


if __name__ == "__main__":
    main()
