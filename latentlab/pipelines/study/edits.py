"""Edit the held-out faces of a study, score them again, and keep the scores."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.files import read_json, remove, write_json
from latentlab.pipelines.begun import BegunRows
from latentlab.pipelines.calibration import Reach, calibrate_reach
from latentlab.pipelines.edits import rescore
from latentlab.pipelines.study.context import StudyContext
from latentlab.pipelines.study.results import HeldOutEdits
from latentlab.progress import Step, titled
from latentlab.samples import EditTable, SampleTable
from latentlab.scorers.threshold import NEGATIVE, POSITIVE

# Faces per file of edits.
_CHUNK = 8


def find_reach(context: StudyContext, method: str, direction: Direction, train: SampleTable) -> Reach:
    """Calibrate how far edits along a direction go, or find what an earlier run has found."""
    path, begun = (context.folder / f"{word}-{method}.json" for word in ("calibration", "_calibrating"))
    if not path.exists():
        attribute, scorer = context.settings.attribute, context.components.scorer
        stage = titled(context.stage, f"calibrating ({method})")
        reach = calibrate_reach(train, attribute, direction, context.renderer, scorer, context.batches, stage, begun)
        write_json(path, {**reach.to_dict(), "direction": direction.method})
    remove(begun)
    return read_json(path, Reach)


def edit_held_out(
    context: StudyContext,
    method: str,
    direction: Direction,
    test: SampleTable,
    reach: Reach,
    fractions: Sequence[float],
) -> HeldOutEdits:
    """Edit held-out faces along a direction and score them again.

    Those without the attribute are moved towards it and those with it away, by fractions of the calibrated
    strengths; the first faces by seed, as many as the settings say.
    """
    labels = test.labels(context.settings.attribute)
    most = context.settings.edited_faces
    without, having = (test.subset(np.flatnonzero(labels == label)[:most]) for label in (NEGATIVE, POSITIVE))
    with context.stage(f"editing ({method})") as step:
        count = _Counter(step, (len(without) + len(having)) * len(fractions))
        folder = context.folder / "edits"
        towards, away = ([furthest * fraction for fraction in fractions] for furthest in (reach.towards, reach.away))
        return HeldOutEdits(
            towards=_edit(context, folder / f"{method}-towards", direction, without, towards, count),
            away=_edit(context, folder / f"{method}-away", direction, having, away, count),
        )


def _edit(
    context: StudyContext,
    folder: Path,
    direction: Direction,
    faces: SampleTable,
    strengths: list[float],
    count: _Counter,
) -> EditTable:
    """Score edits some faces at a time, each chunk in a file of its own, which an interrupted run finds again.

    The scores at strength 0 are those of the samples, which were rendered in the same way.
    """
    scorer, begun, parts = context.components.scorer, BegunRows(folder / "_begun.npz"), []
    at_once = max(context.batches.size // len(strengths), 1)

    def make(rows: range, kinds: Sequence[str]) -> Iterator[dict[str, NDArray[Any]]]:
        for start in range(rows.start, rows.stop, at_once):
            some = faces.subset(np.arange(start, min(start + at_once, rows.stop)))
            table = rescore(some, direction, strengths, context.renderer, scorer, context.batches, progress=False)
            yield {"scores": table.scores}

    for start in range(0, len(faces), _CHUNK):
        rows, path = range(start, min(start + _CHUNK, len(faces))), folder / f"part-{start // _CHUNK:03d}.parquet"
        part = _load_chunk(path)
        if part is None:
            scores = begun.finish(rows, ("scores",), make)["scores"]
            seeds = faces.seeds[rows.start : rows.stop]
            part = EditTable(seeds, np.array(strengths), scores, scorer.names, faces.threshold)
            part.save(path)
        parts.append(part)
        count.add(len(rows) * len(strengths))
    begun.forget()
    edited = np.concatenate([part.scores for part in parts])
    return EditTable(
        seeds=faces.seeds,
        strengths=np.array([0.0, *strengths]),
        scores=np.concatenate([faces.scores[:, None], edited], axis=1),
        names=faces.names,
        threshold=faces.threshold,
    )


def _load_chunk(path: Path) -> EditTable | None:
    """The chunk in `path`; None if it is missing, or broken, with a warning."""
    if not path.exists():
        return None
    try:
        return EditTable.load(path)
    except UserError as error:
        warnings.warn(f"{error}; it counts as missing", stacklevel=2)
        return None


class _Counter:
    """Counts the images of a step."""

    def __init__(self, step: Step, total: int) -> None:
        self.step, self.total, self.done = step, total, 0

    def add(self, images: int) -> None:
        """Note that so many more are done."""
        self.done += images
        self.step(self.done, self.total)
