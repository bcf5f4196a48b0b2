"""The task of building facades after their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from latentlab import perceptual as lpips
from latentlab.comparison.protocol import Method
from latentlab.perceptual import PerceptualDistance
from latentlab.tasks.building import chosen
from latentlab.tasks.paired import TRAINED_ONCE, PairedTask, opened
from latentlab.tasks.trained import Trained
from latentlab.translation.methods import CycleGAN, Pix2Pix

_FACADES_PIX2PIX = {
    "pix2pix": "paper",
    "pix2pix-l1": "l1",
    "pix2pix-cgan": "cgan",
    "encoder-decoder": "encoder-decoder",
    "encoder-decoder-l1": "encoder-decoder-l1",
}
FACADES_METHODS = (*_FACADES_PIX2PIX, "cyclegan", "retrieval")
FACADES_FLOORS = ("retrieval",)
"""Those that are no contestants."""


@dataclass(frozen=True)
class FacadesSettings:
    """The task, and how much each method gets.

    Attributes
    ----------
    size
        Side of the pictures, a power of two.
    held_out
        The first so many of val/.
    width
        Feature maps at the thinnest.
    epochs
        Passes through the training pairs, by method: 'pix2pix', also for what is left of it without some part, and
        'cyclegan', whose samples take about five times as long.
    batch_size
        Of pix2pix; CycleGAN's is 1.
    seed
        Of the trainings.
    """

    size: int = 64
    held_out: int = 24
    width: int = 32
    epochs: Mapping[str, float] = field(default_factory=lambda: {"pix2pix": 8, "cyclegan": 2})
    batch_size: int = 4
    seed: int = 0


FACADES_PRESETS = {
    "quick": FacadesSettings(),
    "full": FacadesSettings(256, 100, 64, {"pix2pix": 200, "cyclegan": 200}, batch_size=1),
}
"""'quick': within 20 minutes on two cores; 'full': the paper's trainings, for a GPU."""


class FacadesTask(PairedTask):
    """Facades from labels; built by `make_facades_task`.

    Attributes
    ----------
    settings
        What was asked for.
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
        Of the comparison.
    facades
        With train/ and val/, of pairs side by side, photo left and labels right, as pix2pix's authors publish them.
    perceptual
        By default LPIPS with VGG16.

    Raises
    ------
    UserError
        A folder or file cannot be used, or there are too few pairs.
    """
    training, held_out = (opened(facades / part, "BA") for part in ("train", "val"))
    held_out = held_out.first(settings.held_out)
    task = FacadesTask(
        f"Building {len(held_out)} facades after their labels",
        folder,
        settings.size,
        "The photo is one of many facades that fit its labels: a distance to it is not all, and blurred pictures have "
        f"small ones. CycleGAN is not told which labels belong to which photo. {TRAINED_ONCE}",
        training,
        held_out,
        lpips.load_perceptual("vgg") if perceptual is None else perceptual,
    )
    task.settings = settings
    return task


def facades_methods(task: FacadesTask, names: Sequence[str] = FACADES_METHODS) -> list[Method]:
    """The methods of those names.

    'pix2pix', and what is left of it: 'pix2pix-l1' without the discriminator, 'pix2pix-cgan' without L1,
    'encoder-decoder' and 'encoder-decoder-l1' without skips; 'cyclegan' on the same pictures without their order;
    'retrieval'.

    Raises
    ------
    UserError
        There is no such method.
    """
    settings = task.settings

    def pix2pix(name: str) -> Trained:
        config = Pix2Pix.configure(task.size, settings.width, _FACADES_PIX2PIX[name])
        return Trained(name, config, task.paired, settings.epochs["pix2pix"], settings.batch_size, settings.seed)

    return chosen(
        {
            **{name: partial(pix2pix, name) for name in _FACADES_PIX2PIX},
            "cyclegan": lambda: Trained(
                "cyclegan",
                CycleGAN.configure(task.size, settings.width),
                task.unpaired,
                settings.epochs["cyclegan"],
                1,
                settings.seed,
            ),
            "retrieval": task.retrieval,
        },
        names,
    )
