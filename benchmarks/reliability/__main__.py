"""Damaged files, kills, full disks, long runs: whether anything can hurt, or be lost.

    python benchmarks/reliability all
    python benchmarks/reliability files --inputs 10000 --seed 1000000
    python benchmarks/reliability files --only nvidia-pickle:1234567 --keep input

Every failure is printed with the option that repeats it; the exit code is 1 if there was one. Linux only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # copies of a process with threads are not safe
os.environ.setdefault("STYLEGAN2_KEEP_MEMORY", "0")
os.environ["LATENTLAB_CACHE"] = str(Path(__file__).parent / "no-cache")  # named weights are not to be looked at
sys.path.append(str(Path(__file__).resolve().parents[1]))

import files
import selfcheck
from formats import FORMATS
from machine import describe


def _check_limits() -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        wrong = {name: (o.kind, wanted) for name, (o, wanted) in selfcheck.run(Path(scratch)).items() if o.kind != wanted}
    for name, (kind, wanted) in wrong.items():
        print(f"the limits do not hold: a reader that {name} ends as {kind!r}, not as {wanted!r}")
    return not wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("files",))
    parser.add_argument("--inputs", type=int, default=200, help="damaged files of each format")
    parser.add_argument("--formats", nargs="+", choices=sorted(FORMATS), default=list(FORMATS), metavar="FORMAT")
    parser.add_argument("--seed", type=int, default=0, help="number of the first input")
    parser.add_argument("--only", help="repeat one input, FORMAT:NUMBER")
    parser.add_argument("--keep", type=Path, help="folder for the files of that input")
    arguments = parser.parse_args()
    if arguments.only:
        outcome = files.repeat(arguments.only, arguments.keep)
        print(outcome.trace or "no traceback")
        print(f"{outcome.kind}: {outcome.detail} [{outcome.place}] {outcome.seconds:.2f} s, {outcome.memory / 1e6:.0f} MB")
        sys.exit(outcome.failed)
    print(describe("torch", "numpy", "pillow", "safetensors", "h5py", "pyarrow"))
    tallies = files.run(arguments.formats, arguments.inputs, arguments.seed)
    print(files.table(tallies).markdown())
    sys.exit(any(tally.failures for tally in tallies.values()))


if __name__ == "__main__":
    main()
