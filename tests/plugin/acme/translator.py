"""A translation method: one colour matrix that maps the images of A to those of B, learnt from pairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from latentlab.translation.data.sources import Batch
from latentlab.translation.methods.base import OptimiserStep, TranslationConfig, TranslationMethod
from latentlab.translation.networks.base import NetworkConfig, TranslationGenerator


@dataclass(frozen=True)
class ColourMatrix(NetworkConfig):
    """Configuration of the network."""

    kind: ClassVar[str] = "colour-matrix"

    def build(self) -> "ColourNet":
        """Build the network."""
        return ColourNet(self)


class ColourNet(TranslationGenerator):
    """A 1×1 convolution."""

    def __init__(self, config: ColourMatrix) -> None:
        super().__init__()
        self.config = config
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map `(b, 3, h, w)` to `(b, 3, h, w)`."""
        return self.conv(images)


@dataclass(frozen=True)
class TintConfig(TranslationConfig):
    """Configuration of the method."""

    resolution: int

    @classmethod
    def for_resolution(cls, resolution: int, base_channels: int) -> "TintConfig":
        """Return the configuration; there are no channels to count."""
        return cls(resolution)

    def build(self, seed: int = 0) -> "Tint":
        """Build the method."""
        return Tint(self, seed)


class Tint(TranslationMethod):
    """L1 regression of colours."""

    name = "tint"
    config_class = TintConfig
    paired = True
    network_configs = (ColourMatrix,)

    def __init__(self, config: TintConfig, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.config = config
        self.networks = nn.ModuleDict({"generator": ColourMatrix().build()})
        self.optimiser_networks = {"generator": ("generator",)}
        self.generators = {"a2b": "generator"}

    def optimiser_steps(self, batch: Batch, rng: torch.Generator) -> Iterator[OptimiserStep]:
        """Yield the one loss."""
        made = self.networks["generator"](batch["a"])
        yield OptimiserStep("generator", {"l1": (made - batch["b"]).abs().mean()})

    def preview(self, batch: Batch) -> list[Tensor]:
        """Return input, translation and truth."""
        return [batch["a"], self.networks["generator"](batch["a"]), batch["b"]]
