"""The facades task: building facades from their labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from latentlab.comparison.caching import digest
from latentlab.comparison.definition import Job, choose_methods
from latentlab.comparison.protocol import Columns, Measure, Method
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.perceptual import PerceptualDistance, load_perceptual
from latentlab.progress import Stage, stage_of
from latentlab.tasks.facades.definition import METHODS, PIX2PIX_VARIANTS, FacadesInputs, FacadesSettings
from latentlab.tasks.facades.layout import LayoutJudge, are_layouts
from latentlab.tasks.paired import TRAINED_ONCE, PairedTask, PairedTaskText, open_folder
from latentlab.tasks.trained import Trained
from latentlab.translation.methods import load_method

_LAYOUT = Measure(
    "layout",
    "labels recovered, share of pixels",
    "more",
    unknown="the labels have not the twelve colours of CMP facades",
)


class FacadesTask(PairedTask):
    """Facades from labels; built by `make_facades_task`.

    Attributes
    ----------
    settings
        What is asked for.
    judge
        Reads labels back from images; None where the labels are not those of CMP facades.
    """

    settings: FacadesSettings
    judge: LayoutJudge | None

    def measure(self, made: Tensor) -> Columns:
        """See `Task`."""
        unknown = np.full(len(made), np.nan)
        layout = unknown if self.judge is None else self.judge.share(made, self.inputs())
        return {_LAYOUT.name: layout, **super().measure(made)}


def make_facades_task(
    settings: FacadesSettings,
    folder: Path,
    facades: Path,
    perceptual: PerceptualDistance | None = None,
    progress: bool | Stage = True,
) -> FacadesTask:
    """Open a set of facades for a comparison.

    Parameters
    ----------
    settings
        What is asked for.
    folder
        Folder of the comparison.
    facades
        Folder with train/ and val/: pairs side by side, photo left and labels right, as pix2pix's authors publish
        them.
    perceptual
        Perceptual distance; None for LPIPS with VGG16.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If a folder or file cannot be used, or there are too few pairs.
    """
    training, held_out = (open_folder(facades / part, "BA") for part in ("train", "val"))
    held_out = held_out.first(settings.held_out)
    text = PairedTaskText(
        f"Building {len(held_out)} facades from their labels",
        "The photo is one of many facades that fit its labels: a distance to it is not everything, and blurred images "
        f"have small ones. CycleGAN is not told which labels belong to which photo. {TRAINED_ONCE}",
    )
    perceptual = load_perceptual("vgg") if perceptual is None else perceptual
    task = FacadesTask(text, folder, settings.size, training, held_out, perceptual)
    task.settings, task.measures = settings, (_LAYOUT, *task.measures)
    task.judge = _judge(task, stage_of(progress))
    if task.judge is not None:
        share = task.judge.share(task.truth(), task.inputs()).mean()
        task.limits = (
            f"The labels are recovered by a small network that learnt from the training pairs; in the true photos it "
            f"recovers {share:.3f} of the pixels' labels, so that no more is to be expected. {task.limits}"
        )
    return task


def _judge(task: FacadesTask, stage: Stage) -> LayoutJudge | None:
    """Train the judge of layouts, or find it."""
    if not are_layouts(task.inputs()):
        return None
    epochs = task.settings.judge_epochs
    place = task.folder / "models" / f"judge-{digest([task.training_key, epochs])}"
    judge = LayoutJudge(task.paired(stage), task.size, epochs, place)
    judge.fit(task.device, stage)
    return judge


def make_from_inputs(settings: FacadesSettings, inputs: FacadesInputs, job: Job) -> FacadesTask:
    """Make the task of `latentlab compare facades`.

    Raises
    ------
    UserError
        If there is no folder, or as `make_facades_task` says.
    """
    if inputs.folder is None:
        raise UserError("the task facades takes a --folder with train/ and val/, pairs of photo and labels")
    perceptual = load_perceptual("vgg", find_device(job.device))
    return make_facades_task(settings, job.folder, inputs.folder, perceptual, job.progress)


def facades_methods(task: FacadesTask, names: Sequence[str] = METHODS) -> list[Method]:
    """Construct the methods with these names.

    Parameters
    ----------
    task
        Task they are for.
    names
        'pix2pix', and its variants: 'pix2pix-l1' without the discriminator, 'pix2pix-cgan' without L1,
        'encoder-decoder' and 'encoder-decoder-l1' without skips; 'cyclegan' on the same images without their pairs;
        'retrieval', a baseline.

    Raises
    ------
    UserError
        If a name is unknown.
    """
    known: dict[str, Callable[[], Method]] = {
        **{name: partial(_pix2pix, task, name) for name in PIX2PIX_VARIANTS},
        "cyclegan": partial(_cyclegan, task),
        "retrieval": task.retrieval,
    }
    return choose_methods(known, names)


def _pix2pix(task: FacadesTask, name: str) -> Trained:
    settings = task.settings
    config = load_method("pix2pix").configure(task.size, settings.base_channels, PIX2PIX_VARIANTS[name])
    return Trained(name, config, task.paired, settings.epochs["pix2pix"], settings.batch_size, settings.seed)


def _cyclegan(task: FacadesTask) -> Trained:
    settings = task.settings
    config = load_method("cyclegan").configure(task.size, settings.base_channels)
    return Trained("cyclegan", config, task.unpaired, settings.epochs["cyclegan"], 1, settings.seed)
