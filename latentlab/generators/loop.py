"""The training of a generator on a set of images: in one process or many, resumable at any time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.files import write_json
from latentlab.generators import state as states
from latentlab.generators.data import ImageSet
from latentlab.generators.state import Watched
from latentlab.generators.watching import Distance, grid_of, grid_of_set
from latentlab.metrics.features import FeatureExtractor
from latentlab.plots import history_figure, save_figure
from latentlab.progress import Stage, Step, stage_of
from latentlab.reprs import ShortRepr
from latentlab.training import FabricProcesses, History, launch, open_tensorboard, place_in_order
from stylegan2 import save
from stylegan2.config import settings_of
from stylegan2.defaults import own_draws, plain_defaults
from stylegan2.protocol import image_size
from stylegan2.training import GANTraining, TrainingSettings
from stylegan2.training.levels import AnyDiscriminator, AnyGenerator

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SAVE_SECONDS = 120.0
GENERATOR, BEST, DISCRIMINATOR = "generator.safetensors", "best.safetensors", "discriminator.safetensors"
HISTORY, CURVES, SAMPLES = "history.csv", "curves.png", "samples"
STATE, RUN = "state.safetensors", "run.json"


@dataclass(frozen=True)
class GeneratorRunOptions:
    """How a run is watched, which does not change what the networks learn.

    Attributes
    ----------
    log_every, sample_every
        Steps between rows of the history, and between grids.
    measure_every, measured_images
        Steps between measurements of the distance, by which the best generator is kept (0 for none), and number of
        images of each kind that are measured. A run that is continued must have the same.
    tensorboard
        Whether losses and grids are also written for TensorBoard (needs the package `tensorboard`).
    """

    log_every: int = 20
    sample_every: int = 500
    measure_every: int = 0
    measured_images: int = 1000
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if min(self.log_every, self.sample_every, self.measured_images - 1) < 1 or self.measure_every < 0:
            raise UserError(f"a run logs and samples every step at most, and measures 2 images at least, unlike {self}")


@dataclass(frozen=True, repr=False)
class GeneratorRun(ShortRepr):
    """What a training left in its folder.

    Attributes
    ----------
    generator
        File of the generator, with averaged weights.
    discriminator
        File of the discriminator.
    best
        File of the generator with the least distance; None if nothing was measured.
    distance
        That distance.
    """

    generator: Path
    discriminator: Path
    best: Path | None
    distance: float | None


@plain_defaults()
@own_draws()
def train_generator(
    networks: tuple[AnyGenerator, AnyDiscriminator],
    found: ImageSet,
    settings: TrainingSettings,
    folder: str | Path,
    fabric: Fabric | None = None,
    features: FeatureExtractor | None = None,
    options: GeneratorRunOptions | None = None,
    progress: bool | Stage = True,
) -> GeneratorRun:
    """Train a generator, or resume a training that was stopped, with the same result.

    Parameters
    ----------
    networks
        Generator and discriminator with the weights that they start from; they are trained in place.
    found
        Training set, of the networks' image size, channels and labels.
    settings
        Settings of the training. With more images, a training continues, even one that was finished.
    folder
        Folder of its state, `history.csv`, `curves.png`, `samples/step-*.png`, and of the networks.
    fabric
        A launched Fabric, see `latentlab.training.launch`; by default one process on the best available device.
    features
        Feature network of the distance; needed if it is measured.
    options
        Options of this run.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        `folder` holds another training or a longer one, the set does not fit the networks, a batch cannot be divided
        among the processes, a loss is not finite, or a package is missing.
    """
    fabric = launch() if fabric is None else fabric
    options = options or GeneratorRunOptions()
    run = _Run(networks, found, settings, Path(folder), fabric, features, options)
    first = fabric.global_rank == 0
    with stage_of(progress if first else False)("training", "image") as show:
        run.go(show)
    return run.finish()


class _Run:
    """A training in progress."""

    def __init__(
        self,
        networks: tuple[AnyGenerator, AnyDiscriminator],
        found: ImageSet,
        settings: TrainingSettings,
        folder: Path,
        fabric: Fabric,
        features: FeatureExtractor | None,
        options: GeneratorRunOptions,
    ) -> None:
        check_set(networks[0], found, settings, fabric.world_size)
        if options.measure_every and features is None:
            raise UserError("a distance is measured by features: give features, or measure_every 0")
        self.fabric, self.folder, self.found, self.options = fabric, folder, found, options
        self.processes, self.writes = FabricProcesses(fabric), fabric.global_rank == 0
        try:
            self.training = GANTraining(*networks, settings, fabric.device)
        except ValueError as error:
            raise UserError(str(error)) from error
        self.watched, self.settings = Watched(), settings
        self.key = describe(*networks, settings, found, options)
        states.load(folder / STATE, self.training, self.watched, self.key)
        self.distance = Distance(found, features, options.measured_images) if features is not None else None
        self.history = History(folder / HISTORY, self.training.step) if self.writes else None
        self.board = open_tensorboard(folder) if self.writes and options.tensorboard else None

    def go(self, show: Step) -> None:
        """Take all steps that are left."""
        training, settings = self.training, self.settings
        total, saved = settings.steps * settings.batch_size, time.monotonic()
        show(training.images_seen, total)
        if self.writes and training.step == 0:
            images.save_image(grid_of_set(self.found), self.folder / "real.png")
        for shown, labels in self._batches():
            losses = training.take_step(shown, labels, self.processes)
            self.watched.recent.add(training.step, {"": losses})
            measured = self._watch()
            # The clocks of processes differ: that of the first one decides.
            due = self.fabric.broadcast(time.monotonic() - saved > SAVE_SECONDS)
            if due or measured or training.step == settings.steps:
                self.watched.recent.read()
                self._save()
                saved = time.monotonic()
            show(training.images_seen, total, self._note())

    def _batches(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield this process's share of the batches that are left."""
        settings, processes = self.settings, self.processes
        for step in range(self.training.step, settings.steps):
            first = step * settings.batch_size
            numbers = range(first + processes.rank, first + settings.batch_size, processes.count)
            chosen = [place_in_order(number, len(self.found), settings.seed) for number in numbers]
            mirrored = [settings.mirror and _odd(settings.seed, number) for number in numbers]
            yield self.found.batch(chosen, mirrored)

    def _watch(self) -> bool:
        """Write rows, grids and distances that are due; returns whether a distance was."""
        step, options = self.training.step, self.options
        last = step == self.settings.steps
        measure = bool(options.measure_every) and (step % options.measure_every == 0 or last)
        if self.writes:
            distance = self._measure(step) if measure else None
            if step % options.log_every == 0 or last or measure:
                self._add_row(step, distance)
            if step % options.sample_every == 0 or last:
                self._draw(step)
        return measure

    def _measure(self, step: int) -> float:
        assert self.distance is not None  # checked at the beginning
        distance = self.distance(self.training.mean)
        if self.watched.best is None or distance < self.watched.best:
            self.watched.best, self.watched.best_step = distance, step
            save(self.training.mean, self.folder / BEST)
        return distance

    def _add_row(self, step: int, distance: float | None) -> None:
        recent = self.watched.recent
        recent.read()
        samples = self.training.images_seen
        row: dict[str, Any] = {"step": step, "epoch": samples / len(self.found), "samples": samples}
        means = {**recent.means(), **({} if distance is None else {"distance": distance})}
        assert self.history is not None  # of the process that writes
        self.history.add({**row, "learning_rate": self.settings.learning_rate, **means})
        recent.begin_anew()
        if self.board is not None:
            for name, value in means.items():
                self.board.add_scalar(name, value, samples)

    def _draw(self, step: int) -> None:
        drawn = grid_of(self.training.mean, self.found)
        images.save_image(drawn, self.folder / SAMPLES / f"step-{step:08d}.png")
        assert self.history is not None  # of the process that writes
        if self.history.rows:
            save_figure(history_figure(self.history.rows, "samples"), self.folder / CURVES)
        if self.board is not None:
            self.board.add_image("samples", (drawn[0] + 1) / 2, self.training.images_seen)

    def _save(self) -> None:
        if self.writes:
            states.save(self.folder / STATE, self.training, self.watched, self.key)
        self.fabric.barrier()

    def _note(self) -> str:
        means = self.watched.recent.means()
        shown = [
            f"{name} {means[name]:.3g}" for name in ("generator", "discriminator", "augmentation") if name in means
        ]
        best = [] if self.watched.best is None else [f"best distance {self.watched.best:.3g}"]
        return ", ".join([*shown, *best])

    def finish(self) -> GeneratorRun:
        """Write the networks, and what they learnt from."""
        found = {name: self.folder / name for name in (GENERATOR, DISCRIMINATOR, BEST)}
        watched = self.watched
        if self.board is not None:
            self.board.close()  # which writes what it still holds
        if self.writes:
            save(self.training.mean, found[GENERATOR])
            save(self.training.discriminator, found[DISCRIMINATOR])
            title = None if self.distance is None else self.distance.title
            best = {"distance": watched.best, "measure": title, "best_step": watched.best_step}
            write_json(self.folder / RUN, {**self.key, "images_seen": self.training.images_seen, **best})
        self.fabric.barrier()
        kept = found[BEST] if watched.best is not None else None
        return GeneratorRun(found[GENERATOR], found[DISCRIMINATOR], kept, watched.best)


def check_set(generator: AnyGenerator, found: ImageSet, settings: TrainingSettings, processes: int) -> None:
    """Refuse a set that does not fit the generator, or a batch that processes cannot share.

    Raises
    ------
    UserError
        Says what does not fit.
    """
    wanted = (generator.img_channels, *image_size(generator))
    if found.images.shape[1:] != wanted:
        sizes = " and ".join("×".join(map(str, one)) for one in (wanted, found.images.shape[1:]))
        raise UserError(f"images of the generator and of the set are of two sizes, {sizes}: read the set anew")
    if found.c_dim != generator.c_dim:
        raise UserError(f"the generator takes labels of width {generator.c_dim}, and the set has {found.c_dim}")
    if settings.batch_size % (processes * settings.passes):
        raise UserError(
            f"a batch of {settings.batch_size} images does not divide into {processes} processes with "
            f"{settings.passes} passes each: choose a multiple of {processes * settings.passes}"
        )


def describe(
    generator: AnyGenerator,
    discriminator: AnyDiscriminator,
    settings: TrainingSettings,
    found: ImageSet,
    options: GeneratorRunOptions,
) -> dict[str, Any]:
    """Describe all that the result of a training depends on, as JSON holds it."""
    measured = {"every": options.measure_every, "images": options.measured_images} if options.measure_every else None
    return {
        "generator": {**settings_of(generator.config), "start": generator.fingerprint},
        "discriminator": settings_of(discriminator.config),
        "settings": settings.as_dict(),
        "data": dict(found.description),
        "measured": measured,
    }


def _odd(seed: int, number: int) -> bool:
    """Whether an image is mirrored, with even odds."""
    return bool(np.random.default_rng((abs(seed), 2, number)).integers(2))
