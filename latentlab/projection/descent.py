"""The state of a tuning: the change so far with Adam's memory, on disk and back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latentlab import cards
from latentlab.filling import check_fits
from latentlab.projection.deltas import DOWN, UP, is_low_rank
from latentlab.projection.features import is_residual
from latentlab.projection.search import check_key
from latentlab.projection.settings import TuningSettings
from latentlab.rendering import synthesis_module
from latentlab.schemas import Count
from stylegan2.protocol import Generator

_BLOCK = re.compile(r"b(\d+)")
MOMENTS = ("exp_avg", "exp_avg_sq")
KIND = cards.Kind("latentlab.tuning-state", 1, "the state of a stopped tuning", "remove it")


def tunable_weights(generator: Generator, affines: bool = False, last_block: bool = True) -> dict[str, Tensor]:
    """Return the synthesis network's parameters by name: all, or all but some.

    Parameters
    ----------
    generator
        Generator whose synthesis is a torch module.
    affines
        Whether those of the maps from w to styles are among them; such a map is recognised by its weight, a matrix.
    last_block
        Whether those of the last block, and of what follows it, are among them.
    """
    synthesis = synthesis_module(generator)
    frozen = set() if last_block else _behind(synthesis)

    def is_affine(name: str) -> bool:
        weight = getattr(synthesis.get_submodule(name.rpartition(".")[0]), "weight", None)
        return isinstance(weight, Tensor) and weight.ndim == 2

    return {
        name: weight.detach()
        for name, weight in synthesis.named_parameters()
        if (affines or not is_affine(name)) and name.partition(".")[0] not in frozen
    }


def _behind(synthesis: nn.Module) -> set[str]:
    """Names of the last block, of those called b4, b8, …, and of the modules that are none of them."""
    children = [name for name, _ in synthesis.named_children()]
    blocks = {name: int(found[1]) for name in children if (found := _BLOCK.fullmatch(name))}
    return set(children) - set(sorted(blocks, key=blocks.__getitem__)[:-1]) if blocks else set()


def no_change(originals: Mapping[str, Tensor], settings: TuningSettings) -> dict[str, Tensor]:
    """Make a change that changes nothing: whole changes and `up` 0, `down` random with variance 1 / rank.

    So in the first steps an entry of up · down moves as fast as the entries of `up` do.
    """
    rng, tensors = torch.Generator().manual_seed(settings.seed), {}
    for name, weight in originals.items():
        if settings.rank is not None and is_low_rank(weight.shape, settings.rank) and not is_residual(name):
            columns = weight.shape[1:].numel()
            down = torch.randn(settings.rank, columns, generator=rng) / math.sqrt(settings.rank)
            tensors[name + UP] = torch.zeros(len(weight), settings.rank, device=weight.device)
            tensors[name + DOWN] = down.to(weight.device)
        else:
            tensors[name] = torch.zeros(weight.shape, device=weight.device)
    return tensors


class Descent:
    """The change so far, and Adam's memory of it."""

    def __init__(self, originals: Mapping[str, Tensor], settings: TuningSettings, feature_size: float = 1.0):
        self.tensors = {name: value.requires_grad_() for name, value in no_change(originals, settings).items()}
        self.settings, self.step = settings, 0

        def rate(name: str) -> float:
            if is_residual(name):
                return settings.feature_rate * feature_size
            return settings.learning_rate * _scale(name, originals, settings)

        groups = [{"params": [value], "rate": rate(name)} for name, value in self.tensors.items()]
        # In units of weights of 0.01 the gradients are near Adam's usual epsilon, which would slow them down.
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, settings.beta2), eps=1e-12 if settings.relative else 1e-8)

    def values(self) -> dict[str, Tensor]:
        """Return the change, without gradients."""
        return {name: value.detach() for name, value in self.tensors.items()}

    def descend(self) -> None:
        """Take one step of Adam."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.ramp_at(self.step) * group["rate"]
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
class _Card:
    key: dict[str, Any]
    step: Count


@dataclass(frozen=True)
class Store:
    """The file of the state, if there is one."""

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
        """Read the state of a stopped run into a new `state`, which stays as it is if there was none.

        Raises
        ------
        UserError
            If the file is broken, or of a run with another key.
        """
        if self.path is None or not self.path.exists():
            return state
        stored, card = cards.read(self.path, KIND, _Card)
        check_key(self.path, card.key, self.key)
        with cards.guard(self.path, KIND), torch.no_grad():
            prefixes = [part for part in ("value", *MOMENTS) if any(name.startswith(f"{part}.") for name in stored)]
            check_fits(stored, {f"{part}.{name}": v for part in prefixes for name, v in state.tensors.items()})
            for name, value in state.tensors.items():
                value.copy_(stored[f"value.{name}"])
                if f"{MOMENTS[0]}.{name}" in stored:
                    memory = {moment: stored[f"{moment}.{name}"].to(value) for moment in MOMENTS}
                    state.optimiser.state[value] = {"step": torch.tensor(float(card.step)), **memory}
        state.step = card.step
        return state
