"""Read damaged and hostile files of every format: each ends in a value or in one clear line, and does nothing else."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from formats import FORMATS, NEVER_READ, Format
from limits import OUT, ROOT, Outcome, attempt
from mutate_tables import FIFO
from originals import Files
from PIL import Image
from table import Table

from latentlab.errors import UserError
from latentlab.progress import bar
from stylegan2.errors import CheckpointError


@dataclass
class Tally:
    """What came of the inputs of one format."""

    inputs: int = 0
    values: int = 0
    refused: int = 0
    slowest: float = 0.0
    memory: int = 0
    failures: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)

    def add(self, recipe: str, outcome: Outcome) -> bool:
        """Count an outcome; whether it is a failure of a kind that was not met before."""
        self.inputs += 1
        self.values += outcome.kind == "value"
        self.refused += outcome.kind == "refused"
        self.slowest, self.memory = max(self.slowest, outcome.seconds), max(self.memory, outcome.memory)
        if not outcome.failed:
            return False
        known = self.failures.setdefault(outcome.alike, [])
        known.append(recipe)
        return len(known) == 1


@contextmanager
def prepared() -> Iterator[Path]:
    """Give a folder to work in, in a process that has met all that readers import, so that copies of it need not."""
    os.environ["LATENTLAB_CACHE"] = str(ROOT / "no-cache")  # named weights are not to be looked at
    torch.set_num_threads(1)
    Image.init()
    with tempfile.TemporaryDirectory(prefix="reliability-") as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, form in FORMATS.items():
            read = sum(_reads(form, Path(scratch), files) for files in form.whole())
            if not read and name not in NEVER_READ:
                raise RuntimeError(f"none of the whole files of {name} is read: the campaign would try nothing of it")
        (Path(scratch) / "cwd").mkdir()
        os.mkfifo(Path(scratch) / "cwd" / FIFO)
        gc.collect()
        gc.freeze()  # a collection in a copy would touch, and so copy, all pages
        yield Path(scratch)


def _place(scratch: Path, files: Files) -> Path:
    """Write an input into a folder of its own; gives what is to be read."""
    folder = scratch / "input"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / OUT).mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    names = list(files)
    return folder / names[0] if len(names) == 1 and names[0].startswith("input.") else folder


def _reads(form: Format, scratch: Path, files: Files) -> bool:
    """Whether a whole input is read; a few are refused, by intent."""
    try:
        form.read(_place(scratch, files))
    except (UserError, CheckpointError):
        return False
    return True


def read_one(name: str, number: int, scratch: Path) -> Outcome:
    """Read the input of a number."""
    form = FORMATS[name]
    files = form.input(number, name)
    path = _place(scratch, files)
    before = sorted(os.listdir(path if path.is_dir() else path.parent))
    outcome = attempt(form.read, path, sum(map(len, files.values())), scratch / "cwd", form.limits)
    left = sorted(set(os.listdir(path if path.is_dir() else path.parent)) - set(before))
    if left and not outcome.failed:
        return Outcome(
            "touched", f"left {left[0][:80]} beside the input", seconds=outcome.seconds, memory=outcome.memory
        )
    return outcome


def run(names: Iterable[str], rounds: Iterable[int], start: int) -> dict[str, Tally]:
    """Read one input of each format a round, numbered from `start`."""
    tallies = {name: Tally() for name in names}
    with prepared() as scratch, bar("reading damaged files", "file") as step:
        for k in rounds:
            for name, tally in tallies.items():
                outcome = read_one(name, start + k, scratch)
                if tally.add(f"{name}:{start + k}", outcome):
                    print(f"\nfailure: files --only {name}:{start + k}  {outcome.line}", flush=True)
            step((k + 1) * len(tallies), max(k + 1, getattr(rounds, "stop", 0)) * len(tallies))
    return tallies


def table(tallies: dict[str, Tally]) -> Table:
    """The figures, a row a format."""
    rows = [
        [name, one.inputs, one.values, one.refused, sum(map(len, one.failures.values())), len(one.failures),
         f"{one.slowest:.2f}", f"{one.memory / 1e6:.0f}"]
        for name, one in tallies.items()
    ]  # fmt: skip
    head = ["format", "inputs", "read", "refused", "failures", "of kinds", "slowest, s", "most memory, MB"]
    return Table("Damaged and hostile files", head, rows)


def run_guided(names: Iterable[str], minutes: float, keep: Path) -> list[str]:
    """Let atheris damage each format's files for so many minutes: the formats that it found a failure in."""
    if importlib.util.find_spec("atheris") is None:
        raise SystemExit("--coverage needs a package that is not installed: pip install atheris")
    failed = []
    for name in names:
        if any(len(files) > 1 for files in FORMATS[name].whole()):
            print(f"{name}: left out, its inputs are folders")
            continue
        words = [
            sys.executable,
            str(Path(__file__).with_name("guided.py")),
            name,
            str(round(60 * minutes)),
            str(keep / name),
        ]
        with open(keep / f"{name}.log", "wb") as log:
            done = subprocess.run(words, stdout=log, stderr=subprocess.STDOUT)
        if done.returncode:
            failed.append(name)
            print(f"failure: files --coverage --formats {name}: see {keep / name}.log", flush=True)
    return failed


def repeat(recipe: str, keep: Path | None) -> Outcome:
    """Read the one input of a recipe such as 'hdf5:17'; its files are left in `keep`."""
    name, _, number = recipe.partition(":")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        for file, data in FORMATS[name].input(int(number), name).items():
            (keep / file).write_bytes(data)
    with prepared() as scratch:
        return read_one(name, int(number), scratch)
