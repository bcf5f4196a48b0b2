"""What a method is: networks that take turns, and the losses of each turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latentlab.translation.data.sources import Batch
from latentlab.translation.networks import initialise_
from latentlab.translation.pool import PicturePool


@dataclass(frozen=True)
class Move:
    """One player's turn.

    Attributes
    ----------
    player
        Whose networks step down their gradients.
    losses
        Scalars by name, weights and all; what is stepped down is their sum.
    """

    player: str
    losses: Mapping[str, Tensor]

    @property
    def loss(self) -> Tensor:
        """The sum."""
        return torch.stack(list(self.losses.values())).sum()


class Method:
    """A way to train a translator.

    Attributes
    ----------
    networks
        By name.
    players
        Names of the networks of each player, by the player's name, in the order in which they move.
    ways
        Names of the generators by the way they translate: 'a2b', 'b2a'.
    pools
        By name.
    """

    networks: nn.ModuleDict
    players: Mapping[str, tuple[str, ...]]
    ways: Mapping[str, str]
    pools: Mapping[str, PicturePool]

    def play(self, batch: Batch, rng: torch.Generator) -> Iterator[Move]:
        """The moves of a training step on `batch`.

        Between a move and the next its player's weights change, so that the next is computed with the new ones.

        Parameters
        ----------
        batch
            On the networks' device.
        rng
            On the CPU; all chance but the networks' dropout.
        """
        raise NotImplementedError

    def show(self, batch: Batch) -> list[Tensor]:
        """Columns of a grid of samples, `(b, 3, h, w)` each: what goes in and what comes out."""
        raise NotImplementedError

    def parameters_of(self, player: str) -> list[nn.Parameter]:
        """A player's weights."""
        return [weight for name in self.players[player] for weight in self.networks[name].parameters()]


def network_dict(networks: Mapping[str, nn.Module], seed: int) -> nn.ModuleDict:
    """Networks with weights drawn from `seed`, each its own."""
    for k, network in enumerate(networks.values()):
        initialise_(network, seed=seed * 1000 + k)
    return nn.ModuleDict(networks)
