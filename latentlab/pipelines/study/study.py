"""Study one attribute: draw samples, learn its direction, edit held-out faces, measure, draw, report.

Every step writes its complete result into the study's folder and finds it there the next time; so a study that
was stopped at any moment resumes and gives the same result.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from latentlab.batching import AnyBatch, Batches
from latentlab.directions import fit
from latentlab.errors import UserError
from latentlab.mapping import check_has_w
from latentlab.mirroring import published
from latentlab.pipelines.components import Components
from latentlab.pipelines.sampling import LabelSettings, label_samples
from latentlab.pipelines.study.context import StudyContext
from latentlab.pipelines.study.drawing import draw_figures
from latentlab.pipelines.study.edits import edit_held_out, find_reach
from latentlab.pipelines.study.report import write_report
from latentlab.pipelines.study.results import Study
from latentlab.pipelines.study.settings import StudySettings, begun_precision, claim
from latentlab.places import Folder, is_address
from latentlab.precision import settle
from latentlab.progress import Stage, stage_of
from latentlab.samples import SampleTable, split
from latentlab.scorers import threshold_of
from latentlab.scorers.scores import check_classes
from latentlab.scorers.threshold import threshold_for

# Strengths of the main direction's edits, as fractions of the calibrated one; the other's only at the last.
FRACTIONS = (1 / 3, 2 / 3, 1.0)


@torch.inference_mode()
def study_attribute(
    components: Components,
    settings: StudySettings,
    folder: Folder,
    command: str = "latentlab.study_attribute",
    batch_size: AnyBatch = "auto",
    progress: bool | Stage = True,
) -> Study:
    """Run a study of one attribute, or finish one that was stopped.

    Parameters
    ----------
    components
        Networks; the generator and the scorer are used.
    settings
        Settings of the study.
    folder
        Folder of the results, or the address of one in an object store, which has everything as soon as it is made:
        `samples/` (Parquet), `NAME-METHOD.safetensors`, `calibration-METHOD.json`, `edits/`, `walk.png`,
        `response.png`, `walk.gif`, `report.md`.
    command
        How the study was started, for the report.
    batch_size
        Images rendered at once, see `latentlab.batching`.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Returns
    -------
    Study
        The tables, directions and strengths, which the folder has too.

    Raises
    ------
    UserError
        If the folder has something else, a class has no samples, a setting is out of range, or the generator has no
        W, or no styles for the method.
    """
    check_has_w(components.generator, "a study")
    # Samples have a place of their own, where workers of any machine write them.
    with published(folder, lambda name: not name.startswith("samples/")) as local:
        samples = f"{str(folder).rstrip('/')}/samples" if is_address(folder) else local / "samples"
        return _study(components, settings, local, samples, command, batch_size, stage_of(progress))


def _study(
    components: Components,
    settings: StudySettings,
    folder: Path,
    samples: Folder,
    command: str,
    batch_size: AnyBatch,
    stage: Stage,
) -> Study:
    """Run a study in a folder of this machine, its samples where it is asked for."""
    settings = _complete(settings, components, folder)
    resolution = _scored_resolution(components, settings)
    sampling = _sampling(settings, resolution)
    sampling.for_components(components)  # to refuse settings out of range before anything is written
    components.check_attribute(settings.attribute)
    _check_space(components, settings)
    generator, scorer = components.generator.fingerprint, components.scorer.fingerprint
    claim(folder, settings, {"generator": generator, "scorer_weights": scorer})
    renderer = components.renderer(resolution, settings.precision)
    batches = Batches.of(batch_size, renderer)
    context = StudyContext(components, settings, folder, renderer, batches, batch_size, stage)
    table = label_samples(components, sampling, samples, batches, stage)
    study = _measure(context, table)
    draw_figures(context, study)
    write_report(context, study, command)
    return study


def _complete(settings: StudySettings, components: Components, folder: Path) -> StudySettings:
    """The settings with what they leave to the components, and to a study that goes on."""
    own = threshold_for(threshold_of(components.scorer), settings.attribute)
    return replace(
        settings,
        network=settings.network or components.network_name,
        scorer=settings.scorer or components.scorer_name,
        threshold=str(own) if settings.threshold is None and own is not None else settings.threshold,
        precision=settle(settings.precision, components.device, begun_precision(folder)),
    )


def _sampling(settings: StudySettings, resolution: int) -> LabelSettings:
    """Which samples the study draws."""
    return LabelSettings(
        settings.samples,
        settings.seed_start,
        settings.psi,
        resolution,
        settings.threshold,
        settings.class_label,
        settings.precision,
    )


def _check_space(components: Components, settings: StudySettings) -> None:
    """Refuse a generator without styles where the method learns from these."""
    if settings.method == "style-correlation" and not hasattr(components.generator.synthesis, "from_styles"):
        raise UserError(
            f"{settings.network} has no styles that could be moved: its synthesis has no from_styles; study it in W, "
            "by the method svm (--method svm)"
        )


def _scored_resolution(components: Components, settings: StudySettings) -> int:
    """The resolution of the images that are scored; UserError if a preview is asked for and there is none."""
    generator = components.generator
    previews = generator.resolutions[:-1]
    if settings.rendering == "preview" and not previews:
        raise UserError(f"{settings.network} has no preview; render at the full resolution")
    return generator.resolution if settings.rendering == "full" or not previews else previews[-1]


def _measure(context: StudyContext, table: SampleTable) -> Study:
    """Learn the directions, calibrate how far they go, and edit held-out faces along them."""
    train, test = split(table)
    # Quantiles are those of the training samples, and hold for all others and for edits.
    threshold = table.subset(train).resolve(context.settings.attribute).threshold
    table = replace(table, threshold=threshold)
    attribute, name = context.settings.attribute, context.settings.name
    check_classes(table.subset(train).labels(attribute), table.column(attribute)[train], "the training rows", attribute)
    fits, reach, edits = {}, {}, {}
    for method in context.settings.methods:
        found = fit(table, attribute, method, name, renderer=context.renderer)
        reach[method] = find_reach(context, method, found.direction, table.subset(train))
        direction = reach[method].calibrated(found.direction)
        direction.save(context.folder / f"{name}-{method}.safetensors")
        fractions = FRACTIONS if method == context.settings.method else FRACTIONS[-1:]
        edits[method] = edit_held_out(context, method, direction, table.subset(test), reach[method], fractions)
        fits[method] = replace(found, direction=direction)
    return Study(context.settings, table, train, test, fits, reach, edits)
