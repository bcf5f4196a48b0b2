"""The layout of a facade, read back from its image: a segmenter that stands in for the FCN score.

Isola et al. 2017, section 4.1: if an image is right, a network that was trained to label real ones finds in it the
labels that it was made from. Theirs is an FCN-8s for street scenes; this one is a small U-Net, trained on the task's
own training pairs, the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab.progress import Stage, titled
from latentlab.translation.data.sources import Batch, Source
from latentlab.translation.methods import OptimiserStep, TranslationConfig, TranslationMethod, network_dict
from latentlab.translation.networks import UNetConfig, infer
from latentlab.translation.sizes import Size
from latentlab.translation.training import MODEL, TrainingSettings, launch, train
from latentlab.translation.translator import Translator
from stylegan2.defaults import own_draws

__all__ = ["PALETTE", "LayoutJudge", "are_layouts", "classes_of"]

PALETTE = (
    (0, 0, 222),
    (0, 48, 255),
    (0, 127, 255),
    (0, 207, 255),
    (32, 255, 223),
    (112, 255, 143),
    (192, 255, 63),
    (255, 239, 16),
    (255, 159, 0),
    (255, 80, 0),
    (255, 0, 0),
    (175, 0, 0),
)
"""Colours of the twelve classes of CMP facades, as pix2pix's authors publish them."""
_FARTHEST = 40.0  # of the median pixel from its colour; JPEG moves most pixels by less than 20
_SCALE = 10.0  # the U-Net ends in tanh; so its logits reach far enough
_BATCH = 8


def classes_of(labels: Tensor) -> Tensor:
    """Return the classes `(b, h, w)` of label images `(b, 3, h, w)` in [-1, 1]: the nearest colours."""
    return _distances(labels).argmin(dim=1)


def are_layouts(labels: Tensor) -> bool:
    """Whether label images `(b, 3, h, w)` have the colours of the palette."""
    return float(_distances(labels).amin(dim=1).median()) < _FARTHEST


def _distances(labels: Tensor) -> Tensor:
    """Distances to each colour, `(b, 12, h, w)`, in steps of 8 bits."""
    colours = torch.tensor(PALETTE, device=labels.device, dtype=labels.dtype)
    values = ((labels + 1) * 127.5).permute(0, 2, 3, 1)
    return torch.cdist(values.flatten(0, 2), colours).reshape(*values.shape[:3], -1).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class SegmenterConfig(TranslationConfig):
    """Configuration of the segmenter.

    Attributes
    ----------
    generator
        Shape of the network, which gives logits of the classes.
    """

    generator: UNetConfig = field(default_factory=lambda: UNetConfig(64, 16, 3, len(PALETTE)))

    @classmethod
    def for_resolution(cls, resolution: Size, base_channels: int) -> SegmenterConfig:
        """See `TranslationConfig`."""
        return cls(replace(UNetConfig.for_resolution(resolution, base_channels), output_channels=len(PALETTE)))

    @own_draws()
    def build(self, seed: int = 0) -> Segmenter:
        """See `TranslationConfig`."""
        return Segmenter(self, seed)


class Segmenter(TranslationMethod):
    """Maps photos, the answers b, to classes of their labels, the inputs a; trained with cross-entropy."""

    name = "segmenter"
    config_class = SegmenterConfig
    paired = True
    optimiser_networks = {"generator": ("G",)}
    generators = {"a2b": "G"}

    def __init__(self, config: SegmenterConfig, seed: int = 0) -> None:
        self.config = config
        self.networks = network_dict({"G": config.generator.build()}, seed)

    def optimiser_steps(self, batch: Batch, rng: torch.Generator) -> Iterator[OptimiserStep]:
        """See `TranslationMethod`."""
        logits = _SCALE * self.networks["G"](batch["b"])
        yield OptimiserStep("generator", {"entropy": F.cross_entropy(logits, classes_of(batch["a"]))})

    def preview(self, batch: Batch) -> list[Tensor]:
        """Return the photo, the labels found and the true labels."""
        return [batch["b"], _as_colours(self.networks["G"](batch["b"]).argmax(dim=1)), batch["a"]]


def _as_colours(classes: Tensor) -> Tensor:
    colours = torch.tensor(PALETTE, device=classes.device) / 127.5 - 1
    return colours[classes].permute(0, 3, 1, 2)


class LayoutJudge:
    """Says what share of a facade's labels its image shows.

    Parameters
    ----------
    source
        Pairs of labels and photos that it learns from.
    size
        Resolution, a power of two.
    epochs
        Passes through the pairs.
    folder
        Folder of its training, which resumes there and is done once.
    """

    def __init__(self, source: Source, size: int, epochs: float, folder: Path) -> None:
        self._source, self._size, self._epochs, self._folder = source, size, epochs, folder
        self._translator: Translator

    def fit(self, device: torch.device, stage: Stage) -> None:
        """Train, or load what was trained before."""
        if (self._folder / MODEL).exists():
            self._translator = Translator.load(self._folder / MODEL)
        else:
            settings = TrainingSettings(self._epochs, batch_size=_BATCH, learning_rate=1e-3, betas=(0.9, 0.999))
            fabric = launch(device.type, 1 if device.index is None else [device.index])
            config = SegmenterConfig.for_resolution(self._size, 16)
            shown = titled(stage, "training the judge of layouts")
            self._translator = train(config, self._source, settings, self._folder, fabric=fabric, progress=shown)
        self._translator.to(device)

    @torch.no_grad()
    def share(self, made: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """Return the share of pixels of images `(n, 3, size, size)` whose class is that of `labels`, `(n,)`."""
        network = self._translator.network("a2b")
        infer(network, dropout=False)
        device = next(network.parameters()).device
        found = torch.cat([network(one.to(device)).argmax(dim=1).cpu() for one in torch.split(made, 1)])
        right: NDArray[np.float64] = (found == classes_of(labels)).double().mean(dim=(1, 2)).numpy()
        return right
