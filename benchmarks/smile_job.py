"""How long `latentlab smile` takes as a whole process, weights cached, against the goals.

    python benchmarks/smile_job.py [--cases 2000-full 2000-preview 400-preview] [--runs 3] [--precision float32]

Prints every run's seconds and the median beside the goal, and the peak memory. Every run starts in an empty folder.
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

from latentlab import weights

# Seconds, on two cores.
GOALS = {"2000-full": 540, "2000-preview": 110, "400-preview": 45}
RUN = "from latentlab.cli import main; main()"


def run(case: str, precision: str) -> tuple[float, str]:
    """Run a case as a process: seconds it took, and what it printed."""
    samples, render = case.split("-")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "smile"
        command = [sys.executable, "-c", RUN, "smile", "--samples", samples, "--render", render]
        command += ["--precision", precision, "--out", out]
        begun = time.perf_counter()
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        seconds = time.perf_counter() - begun
    if done.returncode:
        sys.exit(f"{case}: exit code {done.returncode}\n{done.stderr.strip().splitlines()[-1]}")
    return seconds, "\n".join(done.stdout.strip().splitlines()[:-1])  # the last line is about the folder, gone now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(GOALS), help=f"SAMPLES-RENDER: {', '.join(GOALS)}, …")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--precision", default="auto")
    arguments = parser.parse_args()
    for name in ("mobile-ffhq", "fer"):
        weights.get(name)  # cached from here on
    print(machine.describe("latentlab-gan", "torch", "numpy"))
    for case in arguments.cases:
        runs = [run(case, arguments.precision) for _ in range(arguments.runs)]
        times = [seconds for seconds, _ in runs]
        goal = f"{GOALS[case]} s" if case in GOALS else "none"
        each = ", ".join(f"{seconds:.1f}" for seconds in times)
        print(f"{case}: median {statistics.median(times):.1f} s (goal: {goal}); runs {each}", flush=True)
        print(runs[0][1], flush=True)


if __name__ == "__main__":
    main()
