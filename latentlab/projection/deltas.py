"""Small changes of a generator's weights: saved beside an image, applied without touching the generator.

A large weight W, flattened to a matrix (out, in · k · k), changes by a product of two thin ones, W + up · down
(Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"); a weight that this would not make
smaller changes whole. Inner features may have a residual besides, see `latentlab.projection.features`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latentlab import cards
from latentlab.errors import UserError
from latentlab.projection.features import is_residual, shared_copy, with_residual
from latentlab.rendering import img_channels, synthesis_module
from latentlab.reprs import ShortRepr
from stylegan2 import protocol
from stylegan2.describing import describe
from stylegan2.fingerprint import fingerprint
from stylegan2.protocol import Generator, NoiseMode
from stylegan2.sampling import one_psi

KIND = cards.Kind("latentlab.weight-delta", 1, "a weight delta", "tune again")
# What stands behind a parameter's name for the two factors of its change; a whole change has the bare name.
UP, DOWN = ":up", ":down"


def is_low_rank(shape: torch.Size, rank: int | None) -> bool:
    """Whether a change of `rank` takes fewer numbers than a weight of `shape` has; False for None."""
    if rank is None or len(shape) < 2:
        return False
    return rank * (shape[0] + shape[1:].numel()) < shape.numel()


def changed_weights(originals: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Apply changes to weights; differentiable in the changes.

    Parameters
    ----------
    originals
        Weights by name; those without a change are passed over.
    tensors
        A whole change under the weight's name, of its shape; or the factors `(out, rank)` under "NAME:up" and
        `(rank, in · k · k)` under "NAME:down".

    Returns
    -------
    dict
        Every weight that has a change, with it: new in memory, of the original's type and layout.
    """
    weights = {}
    for name, original in originals.items():
        if name in tensors:
            change = tensors[name]
        elif name + UP in tensors:
            change = tensors[name + UP] @ tensors[name + DOWN]
        else:
            continue
        weights[name] = original + change.reshape(original.shape).to(original.dtype)
    return weights


class TunedGenerator:
    """A generator with changed weights that shares all the others with its original; meets the protocol.

    It renders at the full resolution only: a preview head was fitted to the weights as they were.

    Parameters
    ----------
    original
        Generator that was tuned.
    delta
        Change of its weights, which fits it.
    """

    def __init__(self, original: Generator, delta: WeightDelta):
        self.z_dim, self.c_dim, self.w_dim = original.z_dim, original.c_dim, original.w_dim
        self.num_ws, self.resolution = original.num_ws, original.resolution
        self.original, self.delta, self.img_channels = original, delta, img_channels(original)
        self.image_size = protocol.image_size(original)
        self.mapping: protocol.Mapping = original.mapping
        self.synthesis: protocol.Synthesis = _with_changes(synthesis_module(original), delta)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Resolutions of the images: the full one alone."""
        return (self.resolution,)

    @property
    def w_avg(self) -> Tensor:
        """Mean of the original's w, `(w_dim,)`."""
        return self.original.w_avg

    @property
    def fingerprint(self) -> str:
        """Hash of the original's fingerprint and of the change."""
        return fingerprint({"kind": "tuned", "original": self.original.fingerprint}, self.delta.tensors)

    def __call__(
        self,
        z: Tensor,
        c: Tensor | None = None,
        psi: float | None = None,
        cutoff: int | None = None,
        noise_mode: NoiseMode = "const",
        rng: torch.Generator | int | None = None,
        truncation_psi: float | None = None,
    ) -> Tensor:
        """Render `z (b, z_dim)` as images in about [-1, 1]."""
        return self.synthesis(self.mapping(z, c, one_psi(psi, truncation_psi), cutoff), noise_mode, rng)


def _with_changes(synthesis: nn.Module, delta: WeightDelta) -> Any:
    """A second set of modules over the same tensors, the changed weights and the residual of features put in."""
    resolution = delta.refined
    view = shared_copy(synthesis) if resolution is None else with_residual(synthesis, resolution, fades=True)
    for name, weight in delta.weights(view).items():
        layer, _, parameter = name.rpartition(".")
        setattr(view.get_submodule(layer), parameter, nn.Parameter(weight, requires_grad=False))
    return view


@dataclass(frozen=True)
class _Card:
    generator: str
    settings: dict[str, Any]
    figures: dict[str, float | list[float]]


@dataclass(frozen=True, eq=False, repr=False)
class WeightDelta(ShortRepr):
    """Change of a generator's synthesis network by tuning, and its card.

    Attributes
    ----------
    tensors
        Changes by name, as in `changed_weights`; half precision on the CPU, rounded to it when the delta is made:
        what is rendered is what is saved.
    generator
        Fingerprint of the generator it is for.
    settings
        Settings of the tuning, as JSON holds them.
    figures
        Results of the tuning: numbers and lists of numbers by name.
    """

    tensors: dict[str, Tensor]
    generator: str
    settings: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        halves = {name: tensor.detach().to("cpu", torch.float16) for name, tensor in self.tensors.items()}
        for name, tensor in halves.items():
            dimensions = 2 if name.endswith((UP, DOWN)) else 4 if is_residual(name) else tensor.ndim
            if tensor.ndim != dimensions:
                raise UserError(f"the change {describe(name)} has {tensor.ndim} dimensions, not {dimensions}")
            if not tensor.isfinite().all():
                raise UserError(f"the change of {describe(name)} is not finite in half precision; tune at a lower rate")
        object.__setattr__(self, "tensors", halves)

    @property
    def size(self) -> int:
        """Size of the numbers in bytes; the file has a few kilobytes more for names and card."""
        return sum(2 * tensor.numel() for tensor in self.tensors.values())

    @property
    def refined(self) -> int | None:
        """Resolution of the features that have a residual; None without one."""
        return next((tensor.shape[-1] for name, tensor in self.tensors.items() if is_residual(name)), None)

    def weights(self, synthesis: nn.Module) -> dict[str, Tensor]:
        """Return the changed weights by name, of the device, type and layout of those in `synthesis`.

        A residual of features is among them if `synthesis` has it, see `latentlab.projection.features`.
        """
        originals = dict(synthesis.named_parameters())
        device = next(iter(originals.values())).device
        tensors = {name: tensor.to(device, torch.float32) for name, tensor in self.tensors.items()}
        with torch.no_grad():
            return changed_weights(originals, tensors)

    def check(self, generator: Generator, force: bool = False) -> None:
        """Refuse a generator that the delta was not tuned on.

        Raises
        ------
        UserError
            If the fingerprints differ, unless forced; and, forced or not, if names or shapes do not fit.
        """
        synthesis, resolution = synthesis_module(generator), self.refined
        if resolution is not None:
            synthesis = with_residual(synthesis, resolution, fades=True)
        shapes = {name: weight.shape for name, weight in synthesis.named_parameters()}
        for name, tensor in self.tensors.items():
            shape = shapes.get(name.removesuffix(UP).removesuffix(DOWN))
            if shape is None or not _fits(name, tensor, self.tensors, shape):
                raise UserError(
                    f"the weight delta does not fit this generator: its {describe(name)} has no counterpart there"
                )
        if not force and self.generator != generator.fingerprint:
            raise UserError(
                f"the weight delta was tuned on generator {self.generator[:12]}…, not on "
                f"{generator.fingerprint[:12]}…; tune on this generator, or give force=True"
            )

    def apply(self, generator: Generator, force: bool = False) -> TunedGenerator:
        """Return the generator with these weights; it is not changed itself, and what is not tuned is not copied.

        Raises
        ------
        UserError
            If the delta does not fit, see `check`.
        """
        self.check(generator, force)
        return TunedGenerator(generator, self)

    def save(self, path: str | Path) -> None:
        """Write the delta as safetensors, with the card as JSON in the metadata.

        Raises
        ------
        UserError
            If `path` cannot be written.
        """
        card = {"generator": self.generator, "settings": self.settings, "figures": self.figures}
        cards.write(path, KIND, self.tensors, card)

    @classmethod
    def load(cls, path: str | Path) -> WeightDelta:
        """Read what `save` wrote.

        Raises
        ------
        UserError
            If the file is missing, broken, something else, or of a newer version.
        """
        tensors, card = cards.read(path, KIND, _Card)
        with cards.guard(path, KIND):
            return cls(tensors, card.generator, card.settings, card.figures)


def _fits(name: str, tensor: Tensor, tensors: Mapping[str, Tensor], shape: torch.Size) -> bool:
    """Whether the entry `name` of a delta's `tensors` is a change, or a factor of one, for a weight of `shape`."""
    if not name.endswith((UP, DOWN)):
        return tensor.shape == shape
    base = name.removesuffix(UP).removesuffix(DOWN)
    up, down = tensors.get(base + UP), tensors.get(base + DOWN)
    if up is None or down is None or not shape:
        return False
    return up.shape[1:] == down.shape[:1] and (len(up), *down.shape[1:]) == (shape[0], shape[1:].numel())
