"""Kill commands at random moments, run them again, and compare what they leave with that of a run without a kill."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import things
from commands import Ended, run
from table import Table
from things import DIRECTION, NETWORK

from latentlab.progress import bar

Tree = dict[str, bytes]
OUT = "out"
_CPU = ("--device", "cpu", "--out", OUT)
_SMALL = ("--size", 32, "--base-channels", 2, "--epochs", 4, "--batch", 2, "--accelerator", "cpu")
_COMPARED = ("--base-channels", 2, "--held-out", 2, "--epoch-scale", 0.05, *_CPU)
_PHOTO = ("--network", NETWORK, "--steps", 6, *_CPU)

CASES: dict[str, tuple[object, ...]] = {
    "label": ("label", "--network", NETWORK, "--samples", 600, "--batch", 4, "--precision", "float32", "--out", OUT),
    "smile": ("smile", "--network", NETWORK, "--samples", 80, "--edited-faces", 2, "--batch", 4, *_CPU),
    "project": ("project", "photos", "--aligned", *_PHOTO),
    "edit photo": ("edit", "--direction", DIRECTION, "--photo", "photos", "--aligned", "--strengths", "-1,1", *_PHOTO),
    "train pix2pix": ("translate", "train", "pix2pix", "drawings", *_SMALL, "--out", OUT),
    "train cyclegan": ("translate", "train", "cyclegan", "shapes", *_SMALL, "--out", OUT),
    "train instagan": ("translate", "train", "instagan", "shapes", *_SMALL, "--out", OUT),
    "train cut": ("translate", "train", "cut", "shapes", *_SMALL, "--out", OUT),
    "train generator": ("train-generator", "shapes/trainA", "--preset", "tiny", "--resolution", 8, "--images", 320,
                        "--batch", 8, "--measure-every", 0, "--sample-every", 10, "--accelerator", "cpu", "--out", OUT),
    "train scorer": ("scorer", "train", "labelled", "labels.csv", "--base-channels", 2, "--epochs", 6,
                     "--device", "cpu", "--out", f"{OUT}/scorer.safetensors"),
    "compare shapes": ("compare", "shapes", "--scenes", 8, *_COMPARED),
    "compare drawings": ("compare", "drawings", "--network", NETWORK, "--faces", 8, "--size", 64, "--steps", 2,
                         *_COMPARED),
    "compare facades": ("compare", "facades", "--folder", "facades", "--size", 64, *_COMPARED),
    "compare edit": ("compare", "edit", "--network", NETWORK, "--faces", 8, "--steps", 2, "--methods", "latent-style",
                     "--held-out", 2, *_CPU),
}  # fmt: skip


def tree(folder: Path) -> Tree:
    """All files below a folder, hidden ones, too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@dataclass(frozen=True)
class Whole:
    """What a case leaves without a kill.

    Attributes
    ----------
    files
        The files.
    lines
        Numbers of the lines of text that differ from run to run, as seconds do.
    varying
        Files that differ otherwise.
    seconds, again
        Time that it takes, and that it takes again where all is done.
    """

    files: Tree
    lines: dict[str, frozenset[int]]
    varying: frozenset[str]
    seconds: float = 0.0
    again: float = 0.0

    def differences(self, found: Tree) -> list[str]:
        """What differs in another run's files, in words."""
        told = [f"lacks {name}" for name in sorted(self.files.keys() - found.keys())]
        told += [f"left {name}" for name in sorted(found.keys() - self.files.keys())]
        for name in sorted((self.files.keys() & found.keys()) - self.varying):
            if found[name] != self.files[name] and not self._alike(name, found[name]):
                told.append(f"differs in {name}")
        return told

    def _alike(self, name: str, data: bytes) -> bool:
        mine, theirs = self.files[name].split(b"\n"), data.split(b"\n")
        known = self.lines.get(name, frozenset())
        return len(mine) == len(theirs) and all(
            a == b or k in known for k, (a, b) in enumerate(zip(mine, theirs, strict=True))
        )


def _compared(first: Tree, second: Tree) -> Whole:
    lines, varying = {}, set(first.keys() ^ second.keys())
    for name in first.keys() & second.keys():
        mine, theirs = first[name].split(b"\n"), second[name].split(b"\n")
        if mine == theirs:
            continue
        if len(mine) == len(theirs) and name.endswith((".json", ".md", ".html", ".csv", ".txt")):
            lines[name] = frozenset(k for k, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
        else:
            varying.add(name)
    return Whole(first, lines, frozenset(varying))


@dataclass
class Tally:
    """What came of the kills of a case."""

    seconds: float = 0.0
    varying: list[str] = field(default_factory=list)
    kills: int = 0
    lost: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Place:
    """A folder in which each run has one of its own, with copies of what commands are given."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.number = scratch, 0
        (scratch / "things").mkdir()
        things.make(scratch / "things")

    def fresh(self) -> Path:
        """A folder of a new run; all earlier ones are removed."""
        shutil.rmtree(self.scratch / f"run{self.number}", ignore_errors=True)
        self.number += 1
        shutil.copytree(self.scratch / "things", folder := self.scratch / f"run{self.number}")
        return folder


def _fault(ended: Ended) -> str:
    if "Traceback" in ended.err:
        return f"traceback: {ended.err.splitlines()[-1][:200]}"
    return "" if ended.code == 0 else f"exit code {ended.code}: {(ended.lines or [''])[-1][:200]}"


def whole(words: Sequence[object], place: Place) -> Whole | str:
    """Run a case twice without a kill, and once more where it is done; the fault in words if it does not end well."""
    trees, seconds = [], []
    for _ in range(2):
        folder = place.fresh()
        ended = run(words, folder)
        if fault := _fault(ended):
            return fault
        trees.append(tree(folder / OUT))
        seconds.append(ended.seconds)
    again = run(words, folder)
    if fault := _fault(again):
        return f"run again where all is done: {fault}"
    known = replace(_compared(*trees), seconds=min(seconds), again=again.seconds)
    if changed := known.differences(tree(folder / OUT)):
        return f"run again where all is done: {changed[0]}, and {len(changed) - 1} more"
    return known


def kill(
    words: Sequence[object], shares: Sequence[float], known: Whole, place: Place
) -> tuple[list[str], float | None]:
    """Kill a case at shares of its duration, and run it to the end: faults, and seconds of work lost if it was hit."""
    folder, extra, hits = place.fresh(), -known.seconds, 0
    for share in shares:
        ended = run(words, folder, after=share * known.seconds)
        hits += ended.code < 0
        extra += ended.seconds
    ended = run(words, folder)
    if fault := _fault(ended):
        return [f"does not resume: {fault}"], None
    # To start again is no work that is lost.
    lost = max(extra + ended.seconds - hits * known.again, 0.0) if hits else None
    return known.differences(tree(folder / OUT)), lost


def _kill_once(name: str, shares: Sequence[float], known: Whole, place: Place, tally: Tally) -> None:
    faults, lost = kill(CASES[name], shares, known, place)
    tally.kills += 1
    tally.lost += [] if lost is None else [lost]
    for fault in faults:
        tally.failures.append(f'--only "{name}:{",".join(map(str, shares))}"  {fault}')
        print(f"\nfailure: kills {tally.failures[-1]}", flush=True)


def _begun(name: str, place: Place) -> tuple[Whole | None, Tally]:
    """Run a case without a kill."""
    known = whole(CASES[name], place)
    if isinstance(known, str):
        print(f"\nfailure: kills {name} without a kill: {known}", flush=True)
        return None, Tally(failures=[known])
    return known, Tally(known.seconds, sorted(known.varying))


def run_all(names: Iterable[str], rounds: Iterable[int], seed: int) -> dict[str, Tally]:
    """Kill each case once a round; every third time twice."""
    with tempfile.TemporaryDirectory(prefix="reliability-") as scratch, bar("killing commands", "kill") as step:
        place = Place(Path(scratch))
        found = {name: _begun(name, place) for name in names}
        for k in rounds:
            for name, (known, tally) in found.items():
                if known is not None:
                    rng = Random(f"{name}:{seed}:{k}")
                    _kill_once(
                        name, [round(rng.random(), 3) for _ in range(2 if k % 3 == 2 else 1)], known, place, tally
                    )
                    step(
                        sum(one.kills for _, one in found.values()), max(k + 1, getattr(rounds, "stop", 0)) * len(found)
                    )
    return {name: tally for name, (_, tally) in found.items()}


def repeat(recipe: str) -> Tally:
    """Repeat the kills of a recipe such as 'label:0.437' or 'label:0.437,0.2'."""
    name, _, shares = recipe.partition(":")
    with tempfile.TemporaryDirectory(prefix="reliability-") as scratch:
        place = Place(Path(scratch))
        known, tally = _begun(name, place)
        if known is not None:
            _kill_once(name, [float(share) for share in shares.split(",")], known, place, tally)
        return tally


def table(tallies: dict[str, Tally]) -> Table:
    """The figures, a row a case."""
    rows = [
        [name, one.kills, len(one.failures), f"{one.seconds:.1f}", f"{statistics.median(one.lost or [0]):.1f}",
         f"{max(one.lost, default=0):.1f}", ", ".join(one.varying) or "nothing"]
        for name, one in tallies.items()
    ]  # fmt: skip
    head = [
        "command",
        "killed",
        "failures",
        "without a kill, s",
        "work lost, s, median",
        "most, s",
        "differs without a kill, too",
    ]
    return Table("Commands killed at random moments, and run again", head, rows)
