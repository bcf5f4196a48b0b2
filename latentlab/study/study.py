"""A study of one attribute: draw samples, learn its direction, edit held-out faces, measure, show, report.

Every step leaves its result in the study's folder, whole, and finds it there the next time; so a study that
was stopped at any moment goes on where it was, to the same result.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch

from latentlab.directions import Direction, LinearSVM, MeanDifference, evaluate
from latentlab.editing import EditTable, TargetNotReached, calibrate, from_sigmas, rescore
from latentlab.errors import UserError
from latentlab.files import read_json, write_json
from latentlab.progress import Stage, Step, silent
from latentlab.rendering import Renderer
from latentlab.samples import SampleSettings, SampleStore, SampleTable, draw_samples, split
from latentlab.scorers import Scorer
from latentlab.study.figures import draw_figures
from latentlab.study.report import write_report
from latentlab.study.results import Bench, Edits, Fit, Study
from latentlab.study.settings import StudySettings, claim
from stylegan2.protocol import Generator

METHODS = {"mean": MeanDifference, "svm": LinearSVM}
MAIN = "svm"  # the direction that faces are edited along; the other is compared with it

# Calibration: the distance at which this share of training faces changes label, of the series in sigmas.
_TARGET = 0.95
_CALIBRATION_FACES = 20
_SERIES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
# Strengths on either side of an edit series, as fractions of the calibrated one.
FRACTIONS = (1 / 3, 2 / 3, 1.0)
# Faces a file of edits: what an interrupted run may lose.
_CHUNK = 8


def resolution_of(generator: Generator, settings: StudySettings) -> int:
    """The resolution of the pictures that are scored.

    Raises
    ------
    UserError
        If a preview is asked for and the generator has none.
    """
    previews = generator.resolutions[:-1]
    if settings.rendering == "preview" and not previews:
        raise UserError(f"{settings.network} has no preview; render in full")
    return generator.resolution if settings.rendering == "full" or not previews else previews[-1]


@torch.inference_mode()
def run_study(
    generator: Generator,
    scorer: Scorer,
    settings: StudySettings,
    folder: str | Path,
    command: str = "latentlab.study.run_study",
    stage: Stage = silent,
    batch_size: int = 4,
) -> Study:
    """Run a study, or finish one that was stopped.

    Parameters
    ----------
    generator, scorer
        Those that the settings name.
    settings
        What is studied.
    folder
        Where everything is written: `samples/` (Parquet), `NAME-METHOD.safetensors`, `edits/`, `walk.png`,
        `response.png`, `walk.gif`, `report.md`.
    command
        How this was started, for the report.
    stage
        Shows the progress.
    batch_size
        Pictures rendered at once.

    Raises
    ------
    UserError
        If the folder holds something else, a class has no samples, or an input is out of range.
    """
    folder = Path(folder)
    renderer = Renderer(generator, resolution_of(generator, settings))
    sample_settings = SampleSettings(
        generator=generator.fingerprint,
        scorer=scorer.fingerprint,
        names=scorer.names,
        psi=settings.psi,
        seed_start=settings.seed_start,
        samples=settings.samples,
        resolution=renderer.resolution,
    )
    if settings.attribute not in scorer.names:
        raise UserError(f"the scorer has no {settings.attribute!r}; it has {', '.join(scorer.names)}")
    claim(folder, settings, {"generator": generator.fingerprint, "scorer_weights": scorer.fingerprint})
    bench = Bench(settings, folder, generator, scorer, renderer, stage, batch_size)
    store = SampleStore.open(folder / "samples", sample_settings)
    with stage("drawing samples") as step:
        table = draw_samples(generator, scorer, store, batch_size, renderer, step)
    train, test = split(table)
    fits = fit_directions(bench, table.subset(train), table.subset(test))
    reach = calibrate_reach(bench, fits[MAIN].direction, table.subset(train))
    edits = {method: edit_faces(bench, method, fit, table.subset(test), reach) for method, fit in fits.items()}
    study = Study(table, train, test, fits, reach, edits)
    draw_figures(bench, study, MAIN)
    write_report(bench, study, command)
    return study


def fit_directions(bench: Bench, train: SampleTable, test: SampleTable) -> dict[str, Fit]:
    """Learn the direction by every method on the training rows, judge it on the test rows, and save it."""
    attribute, name = bench.settings.attribute, bench.settings.name
    fits = {}
    for method, finder_class in METHODS.items():
        finder = finder_class().fit(train.w, train.is_positive(attribute))
        held_out = evaluate(finder, test.w, test.is_positive(attribute))
        direction = Direction.of(
            finder,
            train.w,
            name,
            statistics={"n_train": len(train), **{f"held_out_{k}": v for k, v in held_out.as_dict().items()}},
            generator=bench.generator.fingerprint,
            scorer=bench.scorer.fingerprint,
        )
        direction.save(bench.folder / f"{name}-{method}.safetensors")
        fits[method] = Fit(direction, held_out)
    return fits


def calibrate_reach(bench: Bench, direction: Direction, train: SampleTable) -> tuple[float, float]:
    """How far to go along `direction`, towards (positive) and away (negative), in units of w.

    Each is the first strength at which 95 % of some training faces of the other label have changed it, or
    the last that was tried, where none reaches that. Held-out faces take no part.
    """
    path = bench.folder / "calibration.json"
    if path.exists():
        stored = read_json(path)
        return stored["towards"], stored["away"]
    with bench.stage("calibrating") as step:
        tried = _Counter(step, 2 * (len(_SERIES) + 1) * _CALIBRATION_FACES)
        towards = _reach(bench, direction, train, True, tried)
        away = _reach(bench, direction, train, False, tried)
        tried.finish()
    write_json(path, {"towards": towards, "away": away, "target": _TARGET, "direction": direction.method})
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
        return calibrate(changed, _TARGET, series, bisections=1)
    except TargetNotReached:
        return series[-1]


def edit_faces(bench: Bench, method: str, fit: Fit, test: SampleTable, reach: tuple[float, float]) -> Edits:
    """Edit held-out faces along a direction and score them again: those without the attribute towards it,
    those with it away from it. The first faces by seed, as many as the settings say."""
    tables = []
    with bench.stage(f"editing ({method})") as step:
        sides = [(True, reach[0]), (False, reach[1])]
        chosen = [_first(test, bench.settings, towards) for towards, _ in sides]
        count = _Counter(step, sum(len(faces) for faces in chosen) * (1 + len(FRACTIONS)))
        for (towards, furthest), faces in zip(sides, chosen, strict=True):
            folder = bench.folder / "edits" / f"{method}-{'towards' if towards else 'away'}"
            strengths = [0.0, *(furthest * fraction for fraction in FRACTIONS)]
            tables.append(_edit_in_chunks(bench, folder, fit.direction, faces, strengths, count))
    return Edits(*tables)


def _first(test: SampleTable, settings: StudySettings, towards: bool) -> SampleTable:
    rows = np.flatnonzero(test.is_positive(settings.attribute) != towards)
    return test.subset(rows[: settings.edited_faces])


def _edit_in_chunks(
    bench: Bench,
    folder: Path,
    direction: Direction,
    faces: SampleTable,
    strengths: list[float],
    count: _Counter,
) -> EditTable:
    """Score edits some faces at a time, each chunk a file: what an interrupted run finds again."""
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
    return EditTable(
        seeds=faces.seeds,
        strengths=parts[0].strengths,
        scores=np.concatenate([part.scores for part in parts]),
        names=parts[0].names,
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
