"""The edits of a study: how far to go, learnt on training faces, and what becomes of held-out ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from latentlab.directions import Direction
from latentlab.editing import TargetNotReached, calibrate, from_sigmas
from latentlab.errors import UserError
from latentlab.files import read_json, write_json
from latentlab.pipelines.rescoring import rescore
from latentlab.pipelines.study.results import Bench, Edits, Fit
from latentlab.progress import Step
from latentlab.samples import EditTable, SampleTable

# Calibration: so many training faces, and the strengths that are tried, in sigmas.
_CALIBRATION_FACES = 12
_SERIES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
# Faces a file of edits: what an interrupted run may lose.
_CHUNK = 8


def calibrate_reach(bench: Bench, direction: Direction, train: SampleTable) -> tuple[float, float]:
    """How far to go along `direction`, towards (positive) and away (negative), in units of w.

    Each is the first strength at which all of some training faces of the other label have changed it, or the
    last that was tried, where none does that. Held-out faces take no part.
    """
    path = bench.folder / "calibration.json"
    if path.exists():
        stored = read_json(path)
        return stored["towards"], stored["away"]
    with bench.stage("calibrating") as step:
        count = _Counter(step, 2 * len(_SERIES) * _CALIBRATION_FACES)
        towards = _reach(bench, direction, train, True, count)
        away = _reach(bench, direction, train, False, count)
        count.finish()
    write_json(path, {"towards": towards, "away": away, "direction": direction.method})
    return towards, away


def _reach(bench: Bench, direction: Direction, train: SampleTable, towards: bool, count: _Counter) -> float:
    attribute = bench.settings.attribute
    others = np.flatnonzero(train.is_positive(attribute) != towards)[:_CALIBRATION_FACES]
    faces = train.subset(others)
    ws = faces.ws(bench.generator.num_ws)

    def changed(strength: float) -> float:
        edited = rescore(bench.renderer, bench.scorer, faces.seeds, ws, direction, [strength], bench.batch_size)
        count.add(len(faces))
        return float(np.mean(edited.is_positive(attribute) == towards))

    sign = 1 if towards else -1
    series = [sign * from_sigmas(direction, sigmas) for sigmas in _SERIES]
    try:
        return calibrate(changed, 1.0, series, bisections=0)
    except TargetNotReached:
        return series[-1]


def edit_faces(
    bench: Bench,
    method: str,
    fit: Fit,
    test: SampleTable,
    reach: tuple[float, float],
    fractions: Sequence[float],
) -> Edits:
    """Edit held-out faces along a direction and score them again.

    Those without the attribute are moved towards it and those with it away, by fractions of the calibrated
    strengths; the first faces by seed, as many as the settings say.
    """
    has = test.is_positive(bench.settings.attribute)
    most = bench.settings.edited_faces
    without, having = (test.subset(np.flatnonzero(side)[:most]) for side in (~has, has))
    with bench.stage(f"editing ({method})") as step:
        count = _Counter(step, (len(without) + len(having)) * len(fractions))
        folder = bench.folder / "edits"
        towards, away = ([furthest * fraction for fraction in fractions] for furthest in reach)
        return Edits(
            towards=_edit(bench, folder / f"{method}-towards", fit.direction, without, towards, count),
            away=_edit(bench, folder / f"{method}-away", fit.direction, having, away, count),
        )


def _edit(
    bench: Bench, folder: Path, direction: Direction, faces: SampleTable, strengths: list[float], count: _Counter
) -> EditTable:
    """Score edits some faces at a time, each chunk a file: what an interrupted run finds again.

    The scores at strength 0 are those of the samples, which were rendered in the same way.
    """
    parts = []
    for start in range(0, len(faces), _CHUNK):
        chunk = faces.subset(np.arange(start, min(start + _CHUNK, len(faces))))
        path = folder / f"part-{start // _CHUNK:03d}.parquet"
        part = _stored(path)
        if part is None:
            ws = chunk.ws(bench.generator.num_ws)
            part = rescore(bench.renderer, bench.scorer, chunk.seeds, ws, direction, strengths, bench.batch_size)
            part.save(path)
        parts.append(part)
        count.add(len(chunk) * len(strengths))
    edited = np.concatenate([part.scores for part in parts])
    return EditTable(
        seeds=faces.seeds,
        strengths=np.array([0.0, *strengths]),
        scores=np.concatenate([faces.scores[:, None], edited], axis=1),
        names=faces.names,
    )


def _stored(path: Path) -> EditTable | None:
    """The chunk in `path`; None if it is missing, or broken, with a warning."""
    if not path.exists():
        return None
    try:
        return EditTable.load(path)
    except UserError as error:
        warnings.warn(f"{error}; it counts as missing", stacklevel=2)
        return None


class _Counter:
    """Counts pictures of a step whose total is only bounded beforehand."""

    def __init__(self, step: Step, total: int) -> None:
        self.step, self.total, self.done = step, total, 0

    def add(self, pictures: int) -> None:
        """Note that so many more are done."""
        self.done += pictures
        self.step(min(self.done, self.total), self.total)

    def finish(self) -> None:
        """Note that no more are needed."""
        self.step(self.total, self.total)
