"""Measure two folders of images against each other: pair by pair, by file name, and as sets."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentlab import registry
from latentlab.errors import UserError
from latentlab.files import atomic_path, check_distinct_stems, images_in, readable
from latentlab.images import size_of
from latentlab.metrics import LPIPS, Identity, ImageMetric, unknown_because
from latentlab.metrics.base import Metric
from latentlab.pipelines.components import Components
from latentlab.pipelines.metrics.features import (
    SET_TITLES,
    feature_probes,
    folder_outputs,
    kind_of,
    load_set_metrics,
    load_square,
)
from latentlab.pipelines.metrics.names import FOLDER_METRICS
from latentlab.pipelines.metrics.parts import PART, Array, PartStore, digest_of_files
from latentlab.pipelines.metrics.results import MeasuredMetric, MetricReport
from latentlab.progress import Stage, stage_of

_SHOWN = 3


@dataclass(frozen=True)
class FolderMetricSettings:
    """Which metrics of two folders of images are measured.

    Attributes
    ----------
    metrics
        Names in `latentlab.registry.metrics`.
    resolution
        Pixels that all images are resized to; None where they are all of one size.

    Raises
    ------
    UserError
        If a metric is unknown, or the resolution below 1.
    """

    metrics: tuple[str, ...] = FOLDER_METRICS
    resolution: int | None = None

    def __post_init__(self) -> None:
        for name in self.metrics:
            registry.metrics.check(name)
        if self.resolution is not None and self.resolution < 1:
            raise UserError(f"the resolution must be 1 or more, not {self.resolution}")


def measure_folders(
    components: Components,
    folders: tuple[str | Path, str | Path],
    settings: FolderMetricSettings,
    out: str | Path,
    command: str = "",
    progress: bool | Stage = True,
) -> MetricReport:
    """Measure a folder of images against another, and write `metrics.json`, `report.md` and `pairs.csv`.

    Metrics of single images, such as LPIPS and identity, compare files of the same name (the suffix does not matter);
    metrics of sets, such as FID, compare all files. What cannot be measured is unknown, with the reason.

    Parameters
    ----------
    components
        Networks: the perceptual distance and the face descriptor.
    folders
        Folder that is compared against (the images before an edit, or real ones), and folder of what was made, all
        of square images.
    settings
        What is measured.
    out
        Folder of the results; a stopped run resumes there.
    command
        Command that is run, for the report; empty for none.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If a folder holds no image, an image cannot be read or is not square, sizes differ and no resolution is given,
        or the folder of the results holds those of other images.
    """
    before, after = (images_in(Path(folder)) for folder in folders)
    resolution = _common_size([*before, *after]) if settings.resolution is None else settings.resolution
    pairs = _pairs(before, after)
    digests = {"before": digest_of_files(before), "after": digest_of_files(after)}
    store = PartStore(Path(out) / "parts", {**digests, "resolution": resolution})
    job = _Job(components, (before, after), pairs, resolution, store, stage_of(progress))
    of_sets = [name for name in settings.metrics if name in SET_TITLES]
    of_pairs = [name for name in settings.metrics if name not in SET_TITLES]
    found = job.measure_sets(of_sets) | {name: job.measure_pairs(name) for name in of_pairs}
    conditions = {
        "before": f"{len(before)} images in {folders[0]}",
        "after": f"{len(after)} images in {folders[1]}",
        "pairs of one name": len(pairs),
        "resolution": resolution,
    }
    metrics = tuple(found[name] for name in settings.metrics)
    report = MetricReport("Metrics of two folders of images", conditions, metrics, _unpaired(before, after))
    if job.columns:
        _write_pairs(Path(out) / "pairs.csv", [one.stem for one, _ in pairs], job.columns)
    report.write(Path(out), command)
    return report


class _UnmeasurableError(Exception):
    """A metric refuses the images, such as ones that are too small for it."""


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell what a metric refuses from files that cannot be read or written, which end the run."""
    try:
        yield
    except UserError as error:
        raise _UnmeasurableError(str(error)) from error


@dataclass(frozen=True, eq=False)
class _Job:
    """One run: what is compared, and where parts of it are kept.

    Attributes
    ----------
    components, folders, pairs, resolution, store, stage
        Networks, files of both folders, files of one name, pixels, the kept parts, progress.
    columns
        Values of each pair by metric, filled as they are found.
    """

    components: Components
    folders: tuple[Sequence[Path], Sequence[Path]]
    pairs: Sequence[tuple[Path, Path]]
    resolution: int
    store: PartStore
    stage: Stage
    columns: dict[str, Array] = field(default_factory=dict)

    def measure_sets(self, names: Sequence[str]) -> dict[str, MeasuredMetric]:
        """Measure metrics of the two folders as sets."""
        sets, unknown = load_set_metrics(names, self.components)
        found = {name: MeasuredMetric(name, SET_TITLES[name], unknown_because(why)) for name, why in unknown.items()}
        probes = feature_probes(sets.values())
        reference, made = (
            folder_outputs(paths, self.resolution, probes, self.store, self.stage) for paths in self.folders
        )
        for name, metric in sets.items():
            metric.update_features(reference[kind_of(metric)], made[kind_of(metric)])
            found[name] = MeasuredMetric(name, metric.title, metric.compute(), metric.higher_is_better, metric.note)
        return found

    def measure_pairs(self, name: str) -> MeasuredMetric:
        """Measure a metric of single images, or any other that takes pairs."""
        try:
            metric = self._load(name)
        except UserError as error:  # such as a library that is not installed
            return MeasuredMetric(name, name, unknown_because(str(error)))
        title, better = getattr(metric, "title", name), getattr(metric, "higher_is_better", None)
        if not self.pairs:
            return MeasuredMetric(name, title, unknown_because("no file has a partner of its name"), better)
        try:
            self._update(name, metric)
        except _UnmeasurableError as error:
            return MeasuredMetric(name, title, unknown_because(str(error)), better)
        value = metric.compute()
        return MeasuredMetric(name, title, value, better, getattr(metric, "unknown", "") if value.missing else "")

    def _load(self, name: str) -> Metric:
        """Construct a metric with the networks that are at hand."""
        kind: Any = registry.metrics.load(name)
        if kind is LPIPS:
            return LPIPS(self.components.perceptual)
        return Identity(self.components.descriptor) if kind is Identity else kind()

    def _update(self, name: str, metric: Metric) -> None:
        """Give a metric all pairs; values of single images are kept in parts."""
        with self.stage(name, "pair") as step:
            if not isinstance(metric, ImageMetric):
                for start in range(0, len(self.pairs), PART):
                    step(start, len(self.pairs))
                    before, after = self._load_pairs(range(start, start + PART))
                    with _refusals():
                        metric.update(before, after)
                step(len(self.pairs), len(self.pairs))
                return

            def make(part: range, kinds: Sequence[str]) -> Iterator[Mapping[str, Array]]:
                before, after = self._load_pairs(part)
                with _refusals():
                    values = metric.per_image(before, after)[:, None]
                yield {name: values}

            values = self.store.collect(range(len(self.pairs)), [name], make, step)[name][:, 0]
            metric.add_values(values)
            self.columns[name] = values

    def _load_pairs(self, rows: range) -> tuple[torch.Tensor, torch.Tensor]:
        one, other = zip(*self.pairs[rows.start : rows.stop], strict=True)
        return load_square(one, self.resolution), load_square(other, self.resolution)


def _common_size(paths: Sequence[Path]) -> int:
    """Width of images that are all of one size; UserError where they are not."""
    sizes: dict[tuple[int, int], Path] = {}
    for path in paths:
        sizes.setdefault(size_of(path), path)
    if len(sizes) > 1:
        (one, first), (other, second) = list(sizes.items())[:2]
        raise UserError(
            f"images are compared at one size, but {first} is {one[0]}×{one[1]} and {second} {other[0]}×{other[1]}; "
            "resize them with --resolution N"
        )
    return next(iter(sizes))[0]


def _pairs(before: Sequence[Path], after: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Files of one stem in both folders."""
    for paths in (before, after):
        check_distinct_stems(paths)
    by_stem = {path.stem: path for path in after}
    return [(path, by_stem[path.stem]) for path in before if path.stem in by_stem]


def _unpaired(before: Sequence[Path], after: Sequence[Path]) -> tuple[str, ...]:
    """Sentences on files that have no partner, for metrics of single images."""
    notes = []
    for one, other in ((before, after), (after, before)):
        known = {path.stem for path in other}
        alone = [path.name for path in one if path.stem not in known]
        if alone:
            more = f" and {len(alone) - _SHOWN} more" if len(alone) > _SHOWN else ""
            folder = one[0].parent
            notes.append(f"{', '.join(alone[:_SHOWN])}{more} of {folder} have no partner, and are in no pair.")
    return tuple(notes)


def _write_pairs(path: Path, names: Sequence[str], columns: Mapping[str, Array]) -> None:
    """Write a row for each pair; a value that is not known is empty."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["image", *columns])
        for k, name in enumerate(names):
            values = [column[k] for column in columns.values()]
            out.writerow([readable(name), *("" if np.isnan(value) else value for value in values)])
