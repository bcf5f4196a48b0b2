"""The facades task: building facades from their labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from latentlab.comparison.definition import Job, choose_methods
from latentlab.comparison.protocol import Method
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.perceptual import PerceptualDistance, load_perceptual
from latentlab.tasks.facades.definition import METHODS, PIX2PIX_VARIANTS, FacadesInputs, FacadesSettings
from latentlab.tasks.paired import TRAINED_ONCE, PairedTask, PairedTaskText, open_folder
from latentlab.tasks.trained import Trained
from latentlab.translation.methods import load_method


class FacadesTask(PairedTask):
    """Facades from labels; built by `make_facades_task`.

    Attributes
    ----------
    settings
        What is asked for.
    """

    settings: FacadesSettings


def make_facades_task(
    settings: FacadesSettings, folder: Path, facades: Path, perceptual: PerceptualDistance | None = None
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
    task.settings = settings
    return task


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
    return make_facades_task(settings, job.folder, inputs.folder, perceptual)


def facades_methods(task: FacadesTask, names: Sequence[str] = METHODS) -> list[Method]:
    """Construct the methods of some names.

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
