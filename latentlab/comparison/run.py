"""Run a comparison: every method learns, edits or translates the same held-out images, and is measured."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from latentlab.comparison.caching import DONE, digest
from latentlab.comparison.costs import PeakMemory, Stopwatch
from latentlab.comparison.metrics import ExtraMetric, extra_measures, measure_with
from latentlab.comparison.protocol import Columns, Measure, Method, Task
from latentlab.errors import UserError
from latentlab.files import read_json, remove, tell, write_json, write_text
from latentlab.images import load_image, save_image
from latentlab.metrics import Interval, mean_interval, share_interval
from latentlab.progress import Stage, silent, stage_of
from latentlab.reprs import ShortRepr
from latentlab.work import Lost, counted, in_order, run, stage_of_workers

__all__ = ["Comparison", "MethodResult", "compare", "summarise"]

FAILURES = "failures"
"""Folder of the tracebacks, in the comparison's folder."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, repr=False)
class MethodResult(ShortRepr):
    """What a method made of the held-out images, and how it was measured.

    Attributes
    ----------
    name
        Name of the method.
    images
        Results on the held-out images, `(n, 3, size, size)` in [-1, 1]; None where the method failed.
    columns
        Value of each image by measure, `(n,)`.
    intervals
        Value over all images by measure.
    costs
        'fit_seconds', unless a trained model was given; 'apply_seconds' and 'prepare_seconds' for each image;
        'megabytes' of what was learnt; 'memory_gigabytes' and 'device_gigabytes'.
    failure
        Error message of a method that failed; empty otherwise.
    traceback
        File of the failed method's traceback, relative to the comparison's folder.
    """

    name: str
    images: Tensor | None
    columns: Columns
    intervals: dict[str, Interval]
    costs: dict[str, float]
    failure: str = ""
    traceback: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(ShortRepr):
    """A task and the result of each method, in the order in which they were given.

    Attributes
    ----------
    task
        The task.
    results
        A result for each method, failed ones included.
    measures
        Measures of the task, and after them those of extra metrics.
    """

    task: Task
    results: tuple[MethodResult, ...]
    measures: tuple[Measure, ...]

    @property
    def done(self) -> tuple[MethodResult, ...]:
        """Results of the methods that did not fail."""
        return tuple(result for result in self.results if not result.failure)


def compare(
    task: Task,
    methods: Sequence[Method],
    metrics: Mapping[str, ExtraMetric] | None = None,
    progress: bool | Stage = True,
) -> Comparison:
    """Let every method learn from the task and meet its held-out images, and measure the results.

    What was learnt is kept in FOLDER/models/NAME-HASH and what was made in FOLDER/made/NAME-HASH, where the hash is
    that of everything it depends on: a later run finds it there, and a run that was stopped resumes. A method that
    raises does not end the comparison: the error is logged as a warning, its traceback is written to
    FOLDER/failures/NAME.txt, and its result holds the message.

    Parameters
    ----------
    task
        The task.
    methods
        At least one; their names must differ.
    metrics
        Further metrics by column name; see `latentlab.comparison.metrics.load_metrics`. They compare the results with
        the true answers or, where the task has none, with the inputs.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If two methods have the same name, a metric has the name of one of the task's measures, or the folder cannot be
        written.
    """
    names = [method.name for method in methods]
    if len(set(names)) < len(names) or not names:
        raise UserError(f"a comparison takes at least one method, and names differ; got {', '.join(names) or 'none'}")
    metrics, stage = {} if metrics is None else metrics, stage_of(progress)
    measures = (*task.measures, *extra_measures(task, metrics))
    manifest = {
        "task": task.title,
        "training": task.training_key,
        "held_out": {**task.held_out_key, "names": list(task.names)},
        "methods": {method.name: method.inputs for method in methods},
    }
    write_json(task.folder / "manifest.json", manifest)
    return Comparison(task, tuple(_results(task, methods, metrics, stage)), measures)


def _results(
    task: Task, methods: Sequence[Method], metrics: Mapping[str, ExtraMetric], stage: Stage
) -> Iterator[MethodResult]:
    """Yield the results of the methods, which work here or on workers; afterwards all of them have learnt here."""
    for method in methods:
        if not _is_made(task, method):
            method.share_out(task.inputs(), stage)
    here, total = _Here(stage), len(methods)
    with stage_of_workers(stage)("comparing", "method") as step:
        results = run(partial(_comparer, task, methods, metrics), range(total), here)
        in_turn = list(in_order(counted(results, total, step)))
    for number, found in in_turn:  # what is shown of the learning here begins when that stage has ended
        if isinstance(found, Lost):
            yield _failed(task, methods[number], UserError(found.reason))
            continue
        if number not in here.learnt and not found.failure:
            _fit(task, methods[number], _folders(task, methods[number])[0], stage)
        yield found


@dataclass
class _Here:
    """What this process shows, and which of the methods have learnt in it."""

    stage: Stage
    learnt: set[int] = field(default_factory=set)


def _comparer(
    task: Task, methods: Sequence[Method], metrics: Mapping[str, ExtraMetric], here: _Here | None
) -> Callable[[int], MethodResult]:
    """What gives the result of a method, by its number."""

    def result(number: int) -> MethodResult:
        if here is not None:
            here.learnt.add(number)
        return _result(task, methods[number], metrics, silent if here is None else here.stage)

    return result


def _result(task: Task, method: Method, metrics: Mapping[str, ExtraMetric], stage: Stage) -> MethodResult:
    try:
        images, costs = _made(task, method, stage)
        with stage(f"measuring {method.name}") as step:
            columns = task.measure(images)
            intervals = summarise(task, columns) | task.measure_set(images)
            extra_columns, extra_intervals = measure_with(metrics, task, images)
            step(len(images), len(images))
    except Exception as error:  # whatever somebody's method raises, the other methods are still reported
        return _failed(task, method, error)
    remove(task.folder / FAILURES / f"{method.name}.txt")  # of an earlier run
    return MethodResult(method.name, images, columns | extra_columns, intervals | extra_intervals, costs)


def _failed(task: Task, method: Method, error: Exception) -> MethodResult:
    """Log an error, with its traceback unless it is a UserError, and write the traceback beside the report."""
    known = isinstance(error, UserError)
    _log.warning("the method %s failed: %s", method.name, error, exc_info=None if known else error)
    path = Path(FAILURES) / f"{method.name}.txt"
    write_text(task.folder / path, "".join(traceback.format_exception(error)))
    failure = str(error) if known else f"{type(error).__name__}: {error}"
    return MethodResult(method.name, None, {}, {}, {}, failure, path.as_posix())


def summarise(task: Task, columns: Columns) -> dict[str, Interval]:
    """Compute the mean of each column with its interval; for shares, Wilson's interval."""
    measures = {measure.name: measure for measure in task.measures}
    found = {}
    for name, values in columns.items():
        share = name in measures and measures[name].share
        interval = share_interval(values > 0.5) if share else mean_interval(values)
        if not interval.known and name in measures:
            interval = replace(interval, why=measures[name].unknown)
        found[name] = interval
    return found


def _made(task: Task, method: Method, stage: Stage) -> tuple[Tensor, dict[str, float]]:
    """Results of a method on the held-out images, and its costs, of this run or of an earlier one."""
    model, made = _folders(task, method)
    fit_costs = _fit(task, method, model, stage)
    if not (made / DONE).exists():
        inputs = task.inputs()
        prepare_seconds = method.prepare(inputs, stage)
        memory, begun = PeakMemory(), time.perf_counter()
        found = method.apply(inputs)
        seconds = time.perf_counter() - begun
        _check(found, task)
        for name, image in zip(task.names, torch.split(found, 1), strict=True):
            save_image(image.detach().cpu(), made / f"{name}.png")
        costs = {"apply_seconds": seconds / len(found), "prepare_seconds": prepare_seconds, **memory.gigabytes()}
        write_json(made / DONE, costs)
    apply_costs = read_json(made / DONE, dict[str, float])
    peaks = {name: max(fit_costs[name], apply_costs[name]) for name in fit_costs if name in apply_costs}
    # Read from the files, so that a later run that finds them there gives the same numbers.
    return torch.cat([load_image(made / f"{name}.png") for name in task.names]), {**fit_costs, **apply_costs, **peaks}


def _folders(task: Task, method: Method) -> tuple[Path, Path]:
    """Folders of what a method has learnt, and of what it has made."""
    learnt = digest([task.training_key, method.inputs])
    made = task.folder / "made" / f"{method.name}-{digest([learnt, task.held_out_key])}"
    return task.folder / "models" / f"{method.name}-{learnt}", made


def _is_made(task: Task, method: Method) -> bool:
    return (_folders(task, method)[1] / DONE).exists()


def _fit(task: Task, method: Method, folder: Path, stage: Stage) -> dict[str, float]:
    """Let the method learn, or load what it learnt; return the costs of learning, as far as they are known."""
    if method.given is not None:
        method.fit(task, folder, stage)
        return {"megabytes": _megabytes([method.given])}
    known = (folder / DONE).exists()
    watch, memory = Stopwatch(folder / "seconds.json"), PeakMemory()
    method.fit(task, folder, stage if known else watch.watching(stage))
    if not known:
        costs = {"fit_seconds": watch.seconds, "megabytes": _megabytes(folder.glob("*.safetensors"))}
        tell(folder)  # a method of another package may have written there in its own way
        write_json(folder / DONE, costs | memory.gigabytes())
    watch.forget()
    return read_json(folder / DONE, dict[str, float])


def _megabytes(files: Iterable[Path]) -> float:
    return sum(path.stat().st_size for path in files) / 1e6


def _check(made: Tensor, task: Task) -> None:
    wanted = (len(task.names), 3, task.size, task.size)
    if made.shape != wanted:
        raise ValueError(f"apply returned images {tuple(made.shape)}, not {wanted}")
    if not made.isfinite().all():
        raise ValueError("apply returned images with values that are not finite")
