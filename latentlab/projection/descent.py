"""How tuning goes on from step to step: its settings, the change so far with Adam's memory, on disk and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab import cards
from latentlab.errors import UserError
from latentlab.projection.deltas import DOWN, UP, is_low_rank, synthesis_module
from latentlab.projection.search import check_key
from stylegan2.protocol import Generator

MOMENTS = ("exp_avg", "exp_avg_sq")
KIND = cards.Kind("latentlab.tuning-state", 1, "the state of a stopped tuning", "remove it")


@dataclass(frozen=True)
class TuningSettings:
    """All that decides about a tuning, but the pictures, their codes and the two networks.

    The loss is the mean over the pictures of LPIPS + pixel_weight · MSE, both at `side` pixels and of pictures in
    [-1, 1]; plus locality_weight times the same between what the tuned and the original generator make of
    w_r = w_p + locality_distance · (w_z − w_p) / |w_z − w_p|, where w_p is the code of a picture, each in its turn,
    and w_z a random one at psi `locality_psi`, a new one each step (the paper's section 3.2; norms over all rows).

    Attributes
    ----------
    rank
        Of the change of a large weight; None: every weight changes whole, which takes as much room as the network.
    affines
        Whether the maps from w to styles change too.
    steps
        The most steps it takes.
    learning_rate
        Of Adam, at its height; in units of each weight's root mean square if `relative`.
    relative
        Weights of networks differ a hundredfold in size; this gives all the same share of change. A weight
        that is 0 everywhere then stays so.
    beta2
        Of Adam's mean of squared gradients; its first beta is 0.9.
    rampup, rampdown
        The shares of the steps in which the learning rate rises linearly and falls along a cosine. A quick rise
        throws away what the projection had reached, and other identities with it.
    stop_at
        It ends when no picture's LPIPS is above this.
    pixel_weight, side
        See above; `side` is also that of all figures.
    locality_weight, locality_distance, locality_psi
        See above. It holds back the drift, which spoils edits; weight 0 leaves it out and halves the time of a
        step with one picture.
    drift_seeds, drift_psi
        The other identities by which the drift is measured; the regulariser never sees them.
    seed
        Of all that is random.
    """

    rank: int | None = 32
    affines: bool = False
    steps: int = 80
    learning_rate: float = 0.004
    relative: bool = True
    beta2: float = 0.99
    rampup: float = 0.4
    rampdown: float = 0.6
    stop_at: float = 0.03
    pixel_weight: float = 1.0
    side: int = 256
    locality_weight: float = 0.0
    locality_distance: float = 30.0
    locality_psi: float = 0.5
    drift_seeds: tuple[int, ...] = tuple(range(90_000, 90_004))
    drift_psi: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.rank is not None and self.rank < 1) or self.steps < 0 or not self.learning_rate > 0:
            raise UserError(f"tuning takes a rank of 1, 0 steps and a positive learning rate at least, unlike {self}")
        if not (0 <= self.rampup <= 1 and 0 <= self.rampdown <= 1):
            raise UserError(f"rampup and rampdown are shares of the steps, not {self.rampup:g} and {self.rampdown:g}")
        if not self.drift_seeds:
            raise UserError("the drift is measured on one seed at least")

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of `step` (0 … steps − 1)."""
        rise = min(1.0, (step + 1) / (self.rampup * self.steps)) if self.rampup else 1.0
        left = min(1.0, (1 - step / self.steps) / self.rampdown) if self.rampdown else 1.0
        return self.learning_rate * rise * (0.5 - 0.5 * math.cos(math.pi * left))


PTI = TuningSettings(
    rank=None,
    affines=True,
    steps=350,
    learning_rate=3e-4,
    relative=False,
    beta2=0.999,
    locality_weight=0,
    rampup=0,
    rampdown=0,
    stop_at=0.06,
)
"""The published recipe, which takes LPIPS with AlexNet. Its delta has every weight: 15 MB for `mobile-ffhq`, 57 MB
for config F at 1024²."""


def tunable_weights(generator: Generator, affines: bool) -> dict[str, Tensor]:
    """The synthesis network's parameters by name: all, or all but those of the maps from w to styles.

    Such a map is known by its weight, a matrix.
    """
    synthesis = synthesis_module(generator)

    def is_affine(name: str) -> bool:
        weight = getattr(synthesis.get_submodule(name.rpartition(".")[0]), "weight", None)
        return isinstance(weight, Tensor) and weight.ndim == 2

    return {name: w.detach() for name, w in synthesis.named_parameters() if affines or not is_affine(name)}


def no_change(originals: Mapping[str, Tensor], settings: TuningSettings) -> dict[str, Tensor]:
    """A change of nothing: whole changes and `up` 0, `down` random of variance 1 / rank.

    So an entry of up · down moves, in the first steps, as fast as the entries of `up` do.
    """
    rng, tensors = torch.Generator().manual_seed(settings.seed), {}
    for name, weight in originals.items():
        if settings.rank is not None and is_low_rank(weight.shape, settings.rank):
            width = weight.shape[1:].numel()
            down = torch.randn(settings.rank, width, generator=rng) / math.sqrt(settings.rank)
            tensors[name + UP] = torch.zeros(len(weight), settings.rank, device=weight.device)
            tensors[name + DOWN] = down.to(weight.device)
        else:
            tensors[name] = torch.zeros(weight.shape, device=weight.device)
    return tensors


class Descent:
    """The change so far and Adam's memory of it."""

    def __init__(self, originals: Mapping[str, Tensor], settings: TuningSettings):
        self.tensors = {name: value.requires_grad_() for name, value in no_change(originals, settings).items()}
        self.settings, self.step = settings, 0
        groups = [
            {"params": [value], "scale": _scale(name, originals, settings)} for name, value in self.tensors.items()
        ]
        # In units of weights of 0.01 the gradients are near Adam's usual epsilon, which would slow them down.
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, settings.beta2), eps=1e-12 if settings.relative else 1e-8)

    def values(self) -> dict[str, Tensor]:
        """The change, without gradients."""
        return {name: value.detach() for name, value in self.tensors.items()}

    def descend(self) -> None:
        """One step of Adam."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate_at(self.step) * group["scale"]
        self.optimiser.step()
        self.step += 1


def _scale(name: str, originals: Mapping[str, Tensor], settings: TuningSettings) -> float:
    """Factor of a tensor's learning rate: the size of what it stands for, or 1."""
    if not settings.relative:
        return 1.0
    if name.endswith(DOWN):
        assert settings.rank is not None
        return 1 / math.sqrt(settings.rank)
    return float(originals[name.removesuffix(UP)].square().mean().sqrt())


@dataclass(frozen=True)
class Store:
    """Keeps the state in a file, if there is one."""

    path: Path | None
    key: dict[str, Any]

    def save(self, state: Descent) -> None:
        """Write the state, atomically."""
        if self.path is None:
            return
        tensors = {f"value.{name}": value for name, value in state.values().items()}
        for name, value in state.tensors.items():
            memory = state.optimiser.state.get(value, {})
            tensors |= {f"{moment}.{name}": memory[moment] for moment in MOMENTS if memory}
        cards.write(self.path, KIND, tensors, {"key": self.key, "step": state.step})

    def load(self, state: Descent) -> Descent:
        """The state of a stopped run, put into a new `state`; that one, if there was none.

        Raises
        ------
        UserError
            The file is broken, or of a run with another key.
        """
        if self.path is None or not self.path.exists():
            return state
        stored, card = cards.read(self.path, KIND)
        with cards.guard(self.path, KIND), torch.no_grad():
            check_key(self.path, card["key"], self.key)
            step = int(card["step"])
            for name, value in state.tensors.items():
                value.copy_(stored[f"value.{name}"])
                if f"{MOMENTS[0]}.{name}" in stored:
                    memory = {moment: stored[f"{moment}.{name}"].to(value) for moment in MOMENTS}
                    state.optimiser.state[value] = {"step": torch.tensor(float(step)), **memory}
        state.step = step
        return state
