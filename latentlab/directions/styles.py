"""The space S: the styles of all layers as one row of standardised channels, and the channels that a direction moves.

Wu et al. 2021, "StyleSpace Analysis: Disentangled Controls for StyleGAN Image Generation". The layers that turn
features into colours (toRGB) are left out, as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError
from latentlab.reprs import ShortRepr

if TYPE_CHECKING:
    from torch import Tensor

    from stylegan2.protocol import Generator

# Last parts of the names of layers that make colours rather than features.
_COLOURS = ("torgb", "toimg", "preview")
# Share of the largest standard deviation below which a channel counts as constant.
_CONSTANT = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class StyleChannels(ShortRepr):
    """Style channels that a direction moves.

    Attributes
    ----------
    layers
        Name of the layer of each of the k channels, such as 'b8.conv1'.
    indices
        `(k,)` int64: its number in the layer, from 0.
    scales
        `(k,)` float32: standard deviation of the channel over a population, above 0.

    Raises
    ------
    UserError
        If the three do not fit each other, a channel occurs twice, or a scale is not above 0.
    """

    layers: tuple[str, ...]
    indices: NDArray[np.int64]
    scales: NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "indices", np.asarray(self.indices, dtype=np.int64))
        object.__setattr__(self, "scales", np.asarray(self.scales, dtype=np.float32))
        k = len(self.layers)
        if k == 0 or self.indices.shape != (k,) or self.scales.shape != (k,):
            raise UserError(
                f"style channels are a layer, an index and a scale each, not {k} layers, "
                f"{self.indices.shape} indices and {self.scales.shape} scales"
            )
        if len(set(self.names)) < k or self.indices.min() < 0:
            raise UserError("style channels are distinct, with indices from 0")
        if not (np.isfinite(self.scales).all() and self.scales.min() > 0):
            raise UserError("the scales of style channels are finite and above 0")

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels, such as 'b8.conv1:391'."""
        return tuple(f"{layer}:{index}" for layer, index in zip(self.layers, self.indices.tolist(), strict=True))

    def by_layer(self) -> dict[str, NDArray[np.intp]]:
        """Positions among the k channels of those of each layer."""
        layers = np.array(self.layers)
        return {layer: np.flatnonzero(layers == layer) for layer in dict.fromkeys(self.layers)}

    def take(self, styles: Mapping[str, Any]) -> NDArray[np.float64]:
        """Pick the channels from `styles`, `(n, channels)` by layer, in units of their scales: `(n, k)`.

        Raises
        ------
        UserError
            If the styles lack a layer or a channel.
        """
        self.check({layer: style.shape[1] for layer, style in styles.items()})
        columns = {layer: np.asarray(styles[layer], dtype=np.float64) for layer in self.by_layer()}
        found = [columns[layer][:, index] for layer, index in zip(self.layers, self.indices, strict=True)]
        return np.stack(found, axis=1) / self.scales.astype(np.float64)

    def check(self, widths: Mapping[str, int]) -> None:
        """Refuse a generator, whose layers have these `widths`, that lacks a channel; UserError names it."""
        for layer, index, name in zip(self.layers, self.indices.tolist(), self.names, strict=True):
            if layer not in widths:
                raise UserError(f"the generator has no layer {layer}; its styles are of {', '.join(widths)}")
            if index >= widths[layer]:
                raise UserError(f"the generator has no channel {name}: {layer} has {widths[layer]} channels")


@dataclass(frozen=True, eq=False, repr=False)
class StyleSpace(ShortRepr):
    """Style channels of a generator and their distribution over a population.

    Attributes
    ----------
    layers, widths
        Names of the layers in the order of use, without toRGB, and the number of channels of each; C in all.
    mean, scale
        `(C,)` float64: mean and standard deviation of each channel over the population; the scale of a channel that is
        constant there is 0.
    """

    layers: tuple[str, ...]
    widths: tuple[int, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, styles: Mapping[str, Any]) -> StyleSpace:
        """Measure the styles of a population, `(n, channels)` by layer, n at least 2."""
        layers = tuple(name for name in styles if not is_colour(name))
        rows = np.concatenate([np.asarray(styles[layer], dtype=np.float64) for layer in layers], axis=1)
        if len(rows) < 2:
            raise UserError(f"the spread of styles is measured on 2 rows or more, not on {len(rows)}")
        scale = rows.std(axis=0)
        scale[scale <= _CONSTANT * scale.max(initial=0)] = 0
        return cls(layers, tuple(int(styles[layer].shape[1]) for layer in layers), rows.mean(axis=0), scale)

    @classmethod
    def measure(cls, generator: Generator, w: NDArray[Any]) -> StyleSpace:
        """Measure the styles of a population `w (n, w_dim)`; UserError if the generator has no space S."""
        return cls.of(styles_of_w(generator, w))

    def __len__(self) -> int:
        """Number of channels, C."""
        return len(self.mean)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all channels, such as 'b8.conv1:391'."""
        pairs = zip(self.layers, self.widths, strict=True)
        return tuple(f"{layer}:{index}" for layer, width in pairs for index in range(width))

    def flatten(self, styles: Mapping[str, Any]) -> NDArray[np.float64]:
        """Put styles `(n, channels)` by layer side by side: `(n, C)`.

        Raises
        ------
        UserError
            If they are of other layers or widths.
        """
        for layer, width in zip(self.layers, self.widths, strict=True):
            found = styles[layer].shape[1] if layer in styles else 0
            if found != width:
                raise UserError(f"these styles have {found} channels of {layer}, not {width}: of another generator")
        return np.concatenate([np.asarray(styles[layer], dtype=np.float64) for layer in self.layers], axis=1)

    def standardise(self, styles: Mapping[str, Any]) -> NDArray[np.float64]:
        """Distance from the mean in standard deviations of each channel: `(n, C)`; 0 for constant channels."""
        centred = self.flatten(styles) - self.mean
        return np.divide(centred, self.scale, out=np.zeros_like(centred), where=self.scale > 0)

    def standardise_w(self, generator: Generator, w: NDArray[Any]) -> NDArray[np.float64]:
        """Standardise the styles of `w (n, w_dim)`: `(n, C)`."""
        return self.standardise(styles_of_w(generator, w))

    def channels(self, columns: Sequence[int] | NDArray[np.intp]) -> StyleChannels:
        """Channels of some columns of `(n, C)`, for a `Direction`."""
        layers = np.repeat(np.array(self.layers), self.widths)
        indices = np.concatenate([np.arange(width) for width in self.widths])
        chosen = np.asarray(columns, dtype=np.intp)
        return StyleChannels(tuple(layers[chosen].tolist()), indices[chosen], self.scale[chosen].astype(np.float32))


def is_colour(layer: str) -> bool:
    """Whether a layer, by its name, makes colours (toRGB) rather than features: the space S leaves it out."""
    return layer.rpartition(".")[2] in _COLOURS


def styles_of_w(generator: Generator, w: NDArray[Any], batch_size: int = 256) -> dict[str, NDArray[np.float32]]:
    """Styles `(n, channels)` by layer of `w (n, w_dim)`, the same in all rows of ws.

    Raises
    ------
    UserError
        If the generator has no space S, or w has another width.
    """
    import torch

    from latentlab.rendering import styles_of

    w = np.asarray(w, dtype=np.float32)
    if w.ndim != 2 or w.shape[1] != generator.w_dim:
        raise UserError(f"w of this generator is (n, {generator.w_dim}), not {w.shape}")
    parts: list[dict[str, Tensor]] = []
    with torch.no_grad():
        for some in torch.split(torch.from_numpy(w).to(generator.w_avg), batch_size):
            parts.append({name: style.float().cpu() for name, style in styles_of({"w": some}, generator).items()})
    return {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}


def style_widths(generator: Generator) -> dict[str, int]:
    """Number of channels of each layer's style, by layer; UserError if the generator has no space S."""
    import torch

    from latentlab.rendering import styles_of

    with torch.no_grad():
        styles = styles_of({"w": generator.w_avg[None]}, generator)
    return {name: style.shape[1] for name, style in styles.items()}
