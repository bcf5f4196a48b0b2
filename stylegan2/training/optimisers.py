"""Adam for networks whose regularisers are not used in every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stylegan2.growing import EqualizedConv, EqualizedDense
from stylegan2.layers import Conv2d, FullyConnected
from stylegan2.training.levels import AnyDiscriminator

_MOMENTS = ("exp_avg", "exp_avg_sq")


def trained_weights(discriminator: AnyDiscriminator, freeze: int) -> list[nn.Parameter]:
    """Weights of the discriminator except those of the first `freeze` layers, counted from the image.

    Raises
    ------
    ValueError
        No layer would be left.
    """
    layers = [
        m for m in discriminator.modules() if isinstance(m, (Conv2d, FullyConnected, EqualizedConv, EqualizedDense))
    ]
    if freeze >= len(layers):
        raise ValueError(f"the discriminator has {len(layers)} layers, so at most {len(layers) - 1} can be frozen")
    frozen = {id(weight) for layer in layers[:freeze] for weight in layer.parameters()}
    return [weight for weight in discriminator.parameters() if id(weight) not in frozen]


class Side:
    """Generator or discriminator with its optimiser.

    With a regulariser that is used in one of n steps, there are n + 1 updates where there were n: the learning rate and
    betas are corrected for this (Karras et al. 2020, appendix B).

    Attributes
    ----------
    weights
        What is trained.
    """

    def __init__(self, weights: Sequence[nn.Parameter], rate: float, betas: tuple[float, float], every: int | None):
        share = 1.0 if every is None else every / (every + 1)
        self.weights = list(weights)
        corrected = (betas[0] ** share, betas[1] ** share)
        fused = all(weight.device.type in ("cpu", "cuda", "mps") for weight in self.weights)
        self._adam = torch.optim.Adam(self.weights, lr=rate * share, betas=corrected, eps=1e-8, fused=fused)

    def learn(self, learning: bool) -> None:
        """Let gradients pass to the weights, or not."""
        for weight in self.weights:
            weight.requires_grad_(learning)
            weight.grad = None

    def step(self) -> None:
        """Update the weights with their gradients."""
        self._adam.step()

    def tensors(self) -> dict[str, Tensor]:
        """The optimiser's state by name; empty before the first step."""
        found: dict[str, Tensor] = {}
        for k, weight in enumerate(self.weights):
            if memory := self._adam.state.get(weight):
                found |= {f"{k}.{moment}": memory[moment] for moment in _MOMENTS}
                found[f"{k}.step"] = memory["step"].reshape(1)
        return found

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from what `tensors` returned.

        Raises
        ------
        ValueError
            They do not belong to these weights.
        """
        for k, weight in enumerate(self.weights):
            names = [f"{k}.step", *(f"{k}.{moment}" for moment in _MOMENTS)]
            given = [name for name in names if name in tensors]
            if not given:
                continue
            if given != names or any(tensors[name].shape != weight.shape for name in names[1:]):
                raise ValueError(f"the optimiser's memory does not fit its weight {k}")
            memory: dict[str, Any] = {
                moment: torch.empty_like(weight).copy_(tensors[f"{k}.{moment}"]) for moment in _MOMENTS
            }
            self._adam.state[weight] = {"step": tensors[names[0]].reshape(()).clone(), **memory}
