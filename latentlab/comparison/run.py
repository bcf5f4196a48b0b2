"""The comparison: every method learns, makes what it can of the same held-out pictures, and is measured."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab import images
from latentlab.comparison.costs import PeakMemory, Stopwatch
from latentlab.comparison.protocol import Columns, Method, Task
from latentlab.errors import UserError
from latentlab.files import read_json, write_json
from latentlab.metrics import Interval, mean_interval, share_interval
from latentlab.progress import Stage, silent

_DONE = "done.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Row:
    """What came of a method.

    Attributes
    ----------
    name
        Of the method.
    pictures
        What it made of the held-out ones, `(n, 3, size, size)`; None where it failed.
    columns
        Figures of every picture.
    figures
        Over all, by name.
    costs
        'fit_seconds'; 'apply_seconds' and 'prepare_seconds' a picture; 'megabytes' of what was learnt; memory.
    failure
        Why there is nothing else.
    """

    name: str
    pictures: Tensor | None
    columns: Columns
    figures: dict[str, Interval]
    costs: dict[str, float]
    failure: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A task and a row for each method, in the order in which they were given."""

    task: Task
    rows: tuple[Row, ...]

    @property
    def done(self) -> tuple[Row, ...]:
        """The rows of the methods that did not fail."""
        return tuple(row for row in self.rows if not row.failure)


def compare(task: Task, methods: Sequence[Method], stage: Stage = silent) -> Comparison:
    """Have every method learn from the task and meet its held-out pictures, and measure what comes of it.

    What was learnt lies in FOLDER/models/NAME-HASH and what was made in FOLDER/made/NAME-HASH, where the hash is of
    all that it depends on: it is found there again, and a run that was stopped goes on. A method that raises does not
    end the comparison: its row says why.

    Parameters
    ----------
    task
        What is asked for.
    methods
        With names that differ.
    stage
        Shows the progress.

    Raises
    ------
    UserError
        Two methods have one name, or the folder cannot be written.
    """
    names = [method.name for method in methods]
    if len(set(names)) < len(names) or not names:
        raise UserError(f"there is one method at least, and their names differ; got {', '.join(names) or 'none'}")
    manifest = {
        "task": task.title,
        "training": task.training_key,
        "held_out": {**task.held_out_key, "names": list(task.names)},
        "methods": {method.name: method.inputs for method in methods},
    }
    write_json(task.folder / "manifest.json", manifest)
    return Comparison(task, tuple(_row(task, method, stage) for method in methods))


def _row(task: Task, method: Method, stage: Stage) -> Row:
    try:
        pictures, costs = _made(task, method, stage)
        with stage(f"measuring {method.name}") as step:
            columns = task.measure(pictures)
            figures = summary(task, columns) | task.over_all(pictures)
            step(len(pictures), len(pictures))
    except Exception as error:  # whatever a method of the user's own raises, the others' rows shall be told
        _log.debug("%s failed", method.name, exc_info=True)
        return Row(method.name, None, {}, {}, {}, f"{type(error).__name__}: {error}")
    return Row(method.name, pictures, columns, figures, costs)


def summary(task: Task, columns: Columns) -> dict[str, Interval]:
    """Means of the columns over the pictures, with their intervals."""
    shares = {figure.name for figure in task.figures if figure.share}
    return {
        name: share_interval(values > 0.5) if name in shares else mean_interval(values)
        for name, values in columns.items()
    }


def digest(key: Any) -> str:
    """Twelve hexadecimal digits of whatever JSON holds."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]


def _made(task: Task, method: Method, stage: Stage) -> tuple[Tensor, dict[str, float]]:
    """What the method makes of the held-out pictures, and its costs: of this run, or of one before."""
    learnt = digest([task.training_key, method.inputs])
    model = task.folder / "models" / f"{method.name}-{learnt}"
    made = task.folder / "made" / f"{method.name}-{digest([learnt, task.held_out_key])}"
    fit_costs = _fit(task, method, model, stage)
    if not (made / _DONE).exists():
        pictures = task.inputs()
        prepare_seconds = method.prepare(pictures, stage)
        memory, begun = PeakMemory(), time.perf_counter()
        found = method.apply(pictures)
        seconds = time.perf_counter() - begun
        _check(found, task)
        for name, picture in zip(task.names, found.split(1), strict=True):
            images.save_image(picture.detach().cpu(), made / f"{name}.png")
        costs = {"apply_seconds": seconds / len(found), "prepare_seconds": prepare_seconds, **memory.gigabytes()}
        write_json(made / _DONE, costs)
    apply_costs = read_json(made / _DONE)
    peaks = {name: max(fit_costs[name], apply_costs[name]) for name in fit_costs if name in apply_costs}
    # As they lie in the files, so that a run that finds them there gives the same figures.
    results = torch.cat([images.load_image(made / f"{name}.png") for name in task.names])
    return results, {**fit_costs, **apply_costs, **peaks}


def _fit(task: Task, method: Method, folder: Path, stage: Stage) -> dict[str, float]:
    """Let the method learn, or find what it learnt; the costs of learning."""
    known = (folder / _DONE).exists()
    watch, memory = Stopwatch(folder / "seconds.json"), PeakMemory()
    method.fit(task, folder, watch.watching(stage))
    if not known:
        watch.note()
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e6
        write_json(folder / _DONE, {"fit_seconds": watch.seconds, "megabytes": size, **memory.gigabytes()})
    return {name: float(value) for name, value in read_json(folder / _DONE).items()}


def _check(made: Tensor, task: Task) -> None:
    wanted = (len(task.names), 3, task.size, task.size)
    if made.shape != wanted:
        raise ValueError(f"it gave pictures {tuple(made.shape)}, not {wanted}")
    if not made.isfinite().all():
        raise ValueError("it gave pictures with numbers that are not finite")
