"""Damaged files, kills, a hostile world, long runs: whether anything can hurt, or be lost.

    python benchmarks/reliability all
    python benchmarks/reliability files --inputs 10000 --seed 1000000
    python benchmarks/reliability files --only nvidia-pickle:1234567 --keep input
    python benchmarks/reliability kills --kills 100 --report kills.md

files: damaged and hostile files of every format, each read in a watched process.
kills: commands killed at random moments, run again, and compared with a run without a kill.
world: full disks, no network, a clock that jumps, little memory, closed streams, Ctrl-C.
long: memory and throughput of 100,000 samples and 1,000 photos.

Every failure is printed with the option that repeats it; the exit code is 1 if there was one. Linux only; some of
`world` needs root. The named weights of fer, of LPIPS and of dlib are fetched at the first kill, if they are not there.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # copies of a process with threads are not safe
os.environ.setdefault("STYLEGAN2_KEEP_MEMORY", "0")
sys.path.append(str(Path(__file__).resolve().parents[1]))

from machine import describe
from table import Table

Figures = tuple[Table, int]


def rounds(number: int, minutes: float | None) -> Iterable[int]:
    """So many rounds; or as many as fit into the minutes, from the first on, if they are given."""
    return range(number) if minutes is None else _rounds_of(60 * minutes)


def _rounds_of(seconds: float) -> Iterator[int]:
    deadline = time.monotonic() + seconds
    yield from itertools.takewhile(lambda k: not k or time.monotonic() < deadline, itertools.count())


def chosen(given: Iterable[str] | None, known: Iterable[str]) -> list[str]:
    """What was given on the command line, all of it known; by default all that is known."""
    known = list(known)
    if unknown := [name for name in given or () if name not in known]:
        raise SystemExit(f"there is no {unknown[0]!r}; there are {', '.join(known)}")
    return list(given or known)


def check_limits() -> int:
    """Whether readers that do what none may are caught: the number of those that are not."""
    import selfcheck

    with tempfile.TemporaryDirectory(prefix="reliability-") as scratch:
        found = selfcheck.run(Path(scratch))
    wrong = {name: (outcome.line, wanted) for name, (outcome, wanted) in found.items() if outcome.kind != wanted}
    for name, (line, wanted) in wrong.items():
        print(f"failure: the limits do not hold: a reader that {name} ends as {line!r}, not as {wanted!r}")
    return len(wrong)


def run_files(arguments: argparse.Namespace) -> Figures:
    import files
    from formats import FORMATS

    wrong = check_limits()
    tallies = files.run(chosen(arguments.formats, FORMATS), rounds(arguments.inputs, arguments.minutes), arguments.seed)
    return files.table(tallies), wrong + sum(len(tally.failures) for tally in tallies.values())


def run_kills(arguments: argparse.Namespace) -> Figures:
    import kills

    tallies = kills.run_all(
        chosen(arguments.cases, kills.CASES), rounds(arguments.kills, arguments.minutes), arguments.seed
    )
    return kills.table(tallies), sum(len(tally.failures) for tally in tallies.values())


def run_world(arguments: argparse.Namespace) -> Figures:
    import world

    tallies = world.run_all(chosen(arguments.only and [arguments.only], world.CHECKS), arguments.seed)
    return world.table(tallies), sum(len(tally.failures) for tally in tallies.values())


def run_long(arguments: argparse.Namespace) -> Figures:
    import long

    courses = long.run_all(arguments.samples, arguments.photos)
    return long.table(courses), sum(len(course.failures()) for course in courses.values())


PARTS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "files": run_files, "kills": run_kills, "world": run_world, "long": run_long,
}  # fmt: skip


def run_coverage(arguments: argparse.Namespace) -> bool:
    """Let atheris look for failures; whether it found one."""
    import files
    from formats import FORMATS

    keep = arguments.keep or Path("reliability-coverage")
    keep.mkdir(parents=True, exist_ok=True)
    return bool(files.run_guided(chosen(arguments.formats, FORMATS), arguments.minutes or 1.0, keep))


def repeat(arguments: argparse.Namespace) -> bool:
    """Repeat one input or one kill; whether it failed."""
    if arguments.part == "files":
        import files
        from formats import FORMATS

        chosen([arguments.only.partition(":")[0]], FORMATS)
        outcome = files.repeat(arguments.only, arguments.keep)
        print(outcome.trace or "no traceback")
        print(outcome.line)
        return outcome.failed
    import kills

    chosen([arguments.only.partition(":")[0]], kills.CASES)
    tally = kills.repeat(arguments.only)
    print(kills.table({arguments.only: tally}).markdown())
    return bool(tally.failures)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=(*PARTS, "all"))
    parser.add_argument("--inputs", type=int, default=200, help="files: damaged files of each format")
    parser.add_argument("--formats", nargs="+", metavar="FORMAT", help="files: formats, all by default")
    parser.add_argument("--kills", type=int, default=6, help="kills: kills of each command")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="kills: commands, all by default")
    parser.add_argument("--minutes", type=float, help="files, kills: work so long, instead of so many")
    parser.add_argument("--samples", type=int, default=100_000, help="long: samples")
    parser.add_argument("--photos", type=int, default=1_000, help="long: photos")
    parser.add_argument("--seed", type=int, default=0, help="number of the first damaged file; seed of the moments")
    parser.add_argument("--only", help="repeat one: FORMAT:NUMBER, CASE:SHARE,…, or a kind of trouble")
    parser.add_argument("--coverage", action="store_true", help="files: let atheris, if installed, choose the damage")
    parser.add_argument("--keep", type=Path, help="files, with --only or --coverage: folder for the inputs")
    parser.add_argument("--report", type=Path, help="file for the tables, too")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    if arguments.only and arguments.part in ("files", "kills"):
        sys.exit(repeat(arguments))
    if arguments.coverage:
        sys.exit(run_coverage(arguments))
    heading = describe("torch", "numpy", "pillow", "safetensors", "h5py", "pyarrow")
    print(heading)
    written, failures = [heading + "\n"], 0
    for part in PARTS if arguments.part == "all" else (arguments.part,):
        table, failed = PARTS[part](arguments)
        written.append(table.markdown())
        failures += failed
        print(f"\n{written[-1]}", flush=True)
    if arguments.report:
        arguments.report.write_text("\n".join(written), encoding="utf-8")
    print(f"{failures} failures" if failures else "no failure")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
