"""A study of one attribute: draw samples, learn its direction, edit held-out faces, measure, show, report.

Every step leaves its result in the study's folder, whole, and finds it there the next time; so a study that
was stopped at any moment goes on where it was, to the same result.
"""

from __future__ import annotations

from pathlib import Path

import torch

from latentlab.directions import Direction, LinearSVM, MeanDifference, card_figures, evaluate
from latentlab.errors import UserError
from latentlab.pipelines.study.edits import calibrate_reach, edit_faces
from latentlab.pipelines.study.figures import draw_figures
from latentlab.pipelines.study.report import write_report
from latentlab.pipelines.study.results import Bench, Fit, Study
from latentlab.pipelines.study.settings import StudySettings, claim
from latentlab.progress import Stage, silent
from latentlab.rendering import Renderer
from latentlab.samples import SampleSettings, SampleStore, SampleTable, draw_samples, split
from latentlab.scorers import Scorer
from stylegan2.protocol import Generator

METHODS = {"mean": MeanDifference, "svm": LinearSVM}
MAIN = "svm"  # the direction that faces are edited along; the other is compared with it
# Strengths of the main direction's edits, as fractions of the calibrated one; the other's only at the last.
FRACTIONS = (1 / 3, 2 / 3, 1.0)


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
    command: str = "latentlab.pipelines.study.run_study",
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
    edits = {}
    for method, fit in fits.items():
        fractions = FRACTIONS if method == MAIN else FRACTIONS[-1:]
        edits[method] = edit_faces(bench, method, fit, table.subset(test), reach, fractions)
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
            statistics=card_figures(len(train), held_out),
            generator=bench.generator.fingerprint,
            scorer=bench.scorer.fingerprint,
        )
        direction.save(bench.folder / f"{name}-{method}.safetensors")
        fits[method] = Fit(direction, held_out)
    return fits
