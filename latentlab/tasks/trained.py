"""A translator that is trained on a set, as a method of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from latentlab.comparison.caching import files_digest
from latentlab.comparison.protocol import Method, Task
from latentlab.errors import UserError
from latentlab.images import resize, resize_masks
from latentlab.progress import Stage, titled
from latentlab.translation.applying import Application
from latentlab.translation.data.sources import Source
from latentlab.translation.data.transforms import largest_masks
from latentlab.translation.methods import TranslationConfig
from latentlab.translation.networks import Way
from latentlab.translation.training import MODEL, TrainingSettings, launch, train
from latentlab.translation.translator import Translator


class Trained(Method):
    """A translation method, such as pix2pix, CycleGAN or InstaGAN.

    Parameters
    ----------
    name
        Name of the method.
    config
        Networks and losses, for images of the task's resolution.
    open_set
        Opens the training set, making it if it does not exist yet; called only when there is something to train.
    epochs, batch_size, seed
        Settings of the training, see `TrainingSettings`.
    to_masks
        If the method takes masks: maps images `(n, 3, h, h)`, as the task gives them, to the masks of the instances in
        each, `(1, k, s, s)` in {-1, 1} at any resolution s, or None where there are none: such an image is returned
        unchanged.
    way
        'a2b' or 'b2a'.
    """

    def __init__(
        self,
        name: str,
        config: TranslationConfig,
        open_set: Callable[[Stage], Source],
        epochs: float,
        batch_size: int,
        seed: int,
        to_masks: Callable[[Tensor], Sequence[Tensor | None]] | None = None,
        way: Way = "a2b",
    ) -> None:
        self.name, self.config, self.way = name, config, way
        self.settings = TrainingSettings(epochs, batch_size=batch_size, seed=seed)
        self.inputs = {"config": config.as_dict(), "settings": self.settings.as_dict(), "way": way}
        self.training_note = f"here: {epochs:g} epochs in batches of {batch_size}"
        self._open_set, self._to_masks = open_set, to_masks
        self._translator: Translator
        self._size: int
        self._device: torch.device

    def use_model(self, path: Path) -> None:
        """See `Method`: take the translator in a file.

        Raises
        ------
        UserError
            If the file holds no translator for this way, or one takes masks and the other does not.
        """
        translator = Translator.load(path)
        if translator.network(self.way).takes_masks != (self.config.masks_per_image > 0):
            wanted = "takes masks" if self.config.masks_per_image else "takes no masks"
            raise UserError(f"{path} is no model of {self.name}, which {wanted}")
        self._translator, self.given = translator, path
        self.inputs = {"model": files_digest([path]), "way": self.way}
        self.training_note = f"given: {training_told(translator)}"

    def fit(self, task: Task, folder: Path, stage: Stage) -> None:
        """Train, resume a training that was stopped, or load what was trained before."""
        self._size, self._device = task.size, task.device
        if self.given is not None:
            self._translator.to(task.device)
            return
        if (folder / MODEL).exists():
            self._translator = Translator.load(folder / MODEL)
        else:
            source, index = self._open_set(stage), task.device.index
            fabric = launch(task.device.type, 1 if index is None else [index], precision=self.settings.precision)
            shown = titled(stage, f"training {self.name}")
            self._translator = train(self.config, source, self.settings, folder, fabric=fabric, progress=shown)
        self._translator.to(task.device)

    def apply(self, images: Tensor) -> Tensor:
        """See `Method`. Images are translated one by one and without dropout, so that each has one result."""
        small = resize(images, self._size, self._size).to(self._device)  # as the training set is resized
        if self._to_masks is None:
            return torch.cat([self._application(one)[0] for one in torch.split(small, 1)]).cpu()
        masks = self._to_masks(images)
        return torch.cat([self._with(own, one) for one, own in zip(torch.split(small, 1), masks, strict=True)]).cpu()

    def _with(self, masks: Tensor | None, image: Tensor) -> Tensor:
        """Translate an image with its masks."""
        if masks is None:
            return image
        masks = resize_masks(masks.to(image), self._size, self._size)
        if self.config.masks_per_image:  # in the order of their areas, as in the training
            masks = largest_masks(masks, self.config.masks_per_image)
        return self._application(image, masks)[0]

    @property
    def _application(self) -> Application:
        """The translator at the resolution of its training, which is another than the task's where it was given."""
        return Application(self._translator, self.way, dropout=False)


def training_told(translator: Translator) -> str:
    """Return what the card of a translator says about its training, in one line."""
    training = translator.card.get("training", {})
    settings, data = training.get("settings", {}), training.get("data", {})
    images = next((f"{data[kind]} {kind}" for kind in ("pairs", "a") if kind in data), "images")
    told = {
        "method": translator.card.get("method"),
        "steps": translator.card.get("steps"),
        "epochs": settings.get("epochs"),
        "batch": settings.get("batch_size"),
        "seed": settings.get("seed"),
    }
    return ", ".join([f"{name} {value}" for name, value in told.items() if value is not None] + [f"of {images}"])
