"""Contract of a translation method: its configuration, its networks, and the losses of its optimiser steps.

A method of your own is a `TranslationMethod` with a `TranslationConfig`, in any package. With an entry point in the
group `latentlab.translators`, it is trained with `latentlab translate train NAME`, and its translators are loaded and
compared like the built-in ones.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.perceptual import Backbone
from latentlab.reprs import ShortRepr
from latentlab.translation.data.folders import Reading
from latentlab.translation.data.sets import Folders, OpenedSet, folders_of_part, open_pairs, open_unpaired
from latentlab.translation.data.sources import Batch
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.networks import NetworkConfig, TranslationGenerator, Way, initialise_
from latentlab.translation.networks.layers import Upsampling
from latentlab.translation.pool import ImagePool
from latentlab.translation.sizes import Size, sides_of

PAPER = "paper"
"""Variant of every method: the configuration of its paper."""


@dataclass(frozen=True)
class Techniques:
    """Techniques of the field that the methods' papers do without; the defaults use none of them.

    Attributes
    ----------
    upsampling
        How generators double the resolution: 'transposed', or 'resize' and convolve, which leaves no checkerboards
        (Odena et al. 2016).
    perceptual_weight
        Weight of LPIPS between what the method compares with L1 (Zhang et al. 2018).
    backbone
        Network of LPIPS, 'alex' or 'vgg'.
    scales
        Number of discriminators, each at half the resolution of the one before (Wang et al. 2018).
    spectral_norm
        Whether discriminators have spectral norm instead of their normalisation (Miyato et al. 2018).
    diff_augment
        Whether discriminators see augmented images, for small sets (Zhao et al. 2020).
    """

    upsampling: Upsampling = "transposed"
    perceptual_weight: float = 0.0
    backbone: Backbone = "alex"
    scales: int = 1
    spectral_norm: bool = False
    diff_augment: bool = False


class TranslationConfig(ABC):
    """Configuration of a translation method: a frozen dataclass whose fields JSON can hold."""

    @classmethod
    @abstractmethod
    def for_resolution(cls, resolution: Size, base_channels: int) -> TranslationConfig:
        """Return the paper's configuration for images of a size, with a base channel count (ngf, ndf).

        The size is a number for square images, and `(height, width)` for others.
        """

    @abstractmethod
    def build(self, seed: int = 0) -> TranslationMethod:
        """Build the method, with networks whose weights are drawn from `seed`."""

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON holds it."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # type: ignore[call-overload]
        return found

    def for_channels(self, a: int, b: int) -> TranslationConfig:
        """Return the configuration for images of A with `a` channels and images of B with `b` channels.

        Raises
        ------
        UserError
            The method takes only colour images.
        """
        if (a, b) != (3, 3):
            raise UserError(f"{self._method} takes colour images, of 3 channels, not {a} and {b}")
        return self

    @property
    def _method(self) -> str:
        """Name of the method, for readers."""
        return type(self).__name__.removesuffix("Config")

    def with_techniques(self, techniques: Techniques) -> TranslationConfig:
        """Return the configuration with these techniques.

        Raises
        ------
        UserError
            The method takes none, or not these.
        """
        if techniques != Techniques():
            raise UserError(f"{self._method} has no choice of techniques such as {techniques}")
        return self

    @property
    def channels(self) -> tuple[int, int]:
        """Number of channels of the images of A and of B."""
        return 3, 3

    @property
    def masks_per_image(self) -> int:
        """Number of instance masks that come with each image; 0 for a method without masks."""
        return 0


@dataclass(frozen=True, repr=False)
class OptimiserStep(ShortRepr):
    """Losses that one optimiser step minimises.

    Attributes
    ----------
    optimiser
        Name of the optimiser, such as 'generator' or 'discriminator'.
    losses
        Weighted scalars by name; the step follows the gradient of their sum.
    """

    optimiser: str
    losses: Mapping[str, Tensor]

    @property
    def loss(self) -> Tensor:
        """Sum of the losses."""
        return torch.stack(list(self.losses.values())).sum()


class TranslationMethod(ABC):
    """A way to train a translator: networks and the losses of their optimiser steps.

    Attributes
    ----------
    name
        Name in the registry, in saved translators and in reports.
    config_class
        Class of its configurations.
    paired
        Whether it learns from pairs of images; otherwise from two sets without pairs.
    variants
        Changes to the paper's configuration by name, such as ablations.
    network_configs
        Configurations of generators that are not among `latentlab.translation.networks`.
    networks
        Generators and discriminators by name.
    optimiser_networks
        Names of the networks that each optimiser trains, by the optimiser's name, in the order of their steps.
    generators
        Name of the generator for each way, 'a2b' and perhaps 'b2a'.
    pools
        Histories of generated images by name.
    """

    name: ClassVar[str]
    config_class: ClassVar[type[TranslationConfig]]
    paired: ClassVar[bool] = False
    variants: ClassVar[Mapping[str, Callable[[Any], TranslationConfig]]] = {}
    network_configs: ClassVar[tuple[type[NetworkConfig], ...]] = ()

    networks: nn.ModuleDict
    optimiser_networks: Mapping[str, tuple[str, ...]]
    generators: Mapping[Way, str]
    pools: Mapping[str, ImagePool] = {}

    @abstractmethod
    def optimiser_steps(self, batch: Batch, rng: torch.Generator) -> Iterator[OptimiserStep]:
        """Yield the losses of each optimiser step of a training step on `batch`.

        The loop steps the optimiser before it asks for the next losses, which are computed with the new weights.

        Parameters
        ----------
        batch
            Training samples on the networks' device.
        rng
            Random generator on the CPU, for everything random but the networks' dropout.
        """

    @abstractmethod
    def preview(self, batch: Batch) -> list[Tensor]:
        """Return the columns of a grid of samples, `(b, 3, h, w)` each: inputs and translations."""

    def generator(self, way: Way) -> TranslationGenerator:
        """Return the generator for a way."""
        network = self.networks[self.generators[way]]
        if not isinstance(network, TranslationGenerator):
            raise TypeError(f"the generators of {self.name} are no subclasses of TranslationGenerator: {type(network)}")
        return network

    def parameters_of(self, optimiser: str) -> list[nn.Parameter]:
        """Return the weights that an optimiser trains."""
        return [weight for name in self.optimiser_networks[optimiser] for weight in self.networks[name].parameters()]

    @classmethod
    def configure(
        cls, resolution: Size, base_channels: int, variant: str = PAPER, objective: str | None = None
    ) -> TranslationConfig:
        """Return the paper's configuration, or a variant of it.

        Parameters
        ----------
        resolution
            Height and width of square images, or `(height, width)`.
        base_channels
            Base channel count (ngf, ndf).
        variant
            'paper', or one of `variants`.
        objective
            Adversarial objective instead of the paper's, see `latentlab.translation.objectives`.

        Raises
        ------
        UserError
            The method has no such variant, no choice of objectives, or no network for this resolution.
        """
        height, width = sides_of(resolution)
        config = cls.config_class.for_resolution(height if height == width else (height, width), base_channels)
        if variant != PAPER:
            if variant not in cls.variants:
                raise UserError(f"the variants of {cls.name} are {', '.join((PAPER, *cls.variants))}, not {variant!r}")
            config = cls.variants[variant](config)
        if objective is None:
            return config
        if "objective" not in {field.name for field in fields(config)}:  # type: ignore[arg-type]
            raise UserError(f"{cls.name} has no choice of adversarial objectives")
        return replace(config, objective=objective)  # type: ignore[type-var]

    @classmethod
    def open_folder(
        cls,
        folder: Folders,
        part: str,
        config: TranslationConfig,
        augmentation: Augmentation,
        reading: Reading | None = None,
    ) -> OpenedSet:
        """Open a part of a folder as the data of this method.

        Parameters
        ----------
        folder
            Folder with the two sets in `part` + 'A' and 'B', or with pairs side by side in `part`; or two folders, of A
            and of B.
        part
            'train', 'test' or 'val'. Two folders are those of 'train'; the others lie beside, see `folders_of_part`.
        config
            Configuration, which says how many masks come with an image.
        augmentation
            Placement of the images.
        reading
            How the files are read; `Reading()` by default.

        Raises
        ------
        UserError
            The folder has no such part, or a file cannot be used.
        """
        reading = reading or Reading()
        if cls.paired:
            return open_pairs(folder, part, augmentation, reading, config.channels)
        return open_unpaired(folder, part, augmentation, config.masks_per_image, reading, config.channels)

    @classmethod
    def held_out_part(cls, folder: Folders) -> str | None:
        """Return the part of a folder, or beside two folders, that is held out: 'test' or 'val', or None."""
        if isinstance(folder, tuple):
            for part in ("test", "val"):
                sides = folders_of_part(folder, part)
                if all(side.is_dir() and side != own for side, own in zip(sides, folder, strict=True)):
                    return part
            return None
        suffixes = ("", "A") if cls.paired else ("A",)
        parts = ((part, suffix) for part in ("test", "val") for suffix in suffixes)
        return next((part for part, suffix in parts if (folder / f"{part}{suffix}").is_dir()), None)


def network_dict(networks: Mapping[str, nn.Module], seed: int) -> nn.ModuleDict:
    """Collect networks, each with weights drawn from a seed of its own."""
    for k, network in enumerate(networks.values()):
        initialise_(network, seed=seed * 1000 + k)
    return nn.ModuleDict(networks)
