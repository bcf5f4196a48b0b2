"""InstaGAN: two unpaired sets whose pictures come with the masks of their instances.

Mo et al. 2019, "InstaGAN: Instance-aware Image-to-Image Translation". Unlike the original it takes batches of any
size, of pictures with any number of instances: see `latentlab.translation.networks.instagan` for how they travel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.translation.data.sources import Batch
from latentlab.translation.losses import context_loss, context_weight, l1
from latentlab.translation.methods.base import Method, Move, network_dict
from latentlab.translation.networks import InstaDiscriminatorConfig, InstaGeneratorConfig, build
from latentlab.translation.networks.instagan import present
from latentlab.translation.networks.resnet import blocks_for
from latentlab.translation.objectives import objective
from latentlab.translation.pool import PicturePool


@dataclass(frozen=True)
class InstaGANConfig:
    """An InstaGAN.

    Attributes
    ----------
    generator, discriminator
        The shapes of both.
    objective
        See `latentlab.translation.objectives`; it takes those without a penalty.
    cycle_weight
        Of the way there and back, pictures and masks.
    identity_weight, context_weight
        In units of `cycle_weight`.
    instances
        The most of a picture that are translated, the largest.
    at_once
        How many of them in each step of the sequential mini-batch (section 2.3).
    pool_size
        Generated pictures, with their masks, that are kept for each discriminator.
    """

    generator: InstaGeneratorConfig = field(default_factory=InstaGeneratorConfig)
    discriminator: InstaDiscriminatorConfig = field(default_factory=InstaDiscriminatorConfig)
    objective: str = "least-squares"
    cycle_weight: float = 10.0
    identity_weight: float = 1.0
    context_weight: float = 1.0
    instances: int = 4
    at_once: int = 2
    pool_size: int = 50

    def __post_init__(self) -> None:
        if objective(self.objective).penalty_weight:
            raise UserError(f"InstaGAN takes no {self.objective}: a penalty between sets of masks is not defined")
        if min(self.cycle_weight, self.identity_weight, self.context_weight, self.pool_size) < 0:
            raise UserError(f"weights of losses and the pool's size are 0 or more, unlike {self}")
        if not 1 <= self.at_once <= self.instances or self.instances % self.at_once:
            raise UserError(f"instances are a multiple of those at once: not {self.instances} by {self.at_once}")

    @classmethod
    def of(cls, size: int, width: int) -> InstaGANConfig:
        """The paper's, for pictures of `size`."""
        return cls(InstaGeneratorConfig(blocks_for(size), width), InstaDiscriminatorConfig(width))


@dataclass
class _Journey:
    """A batch of pictures on its way to the other set.

    Attributes
    ----------
    name, other
        Of its set and of the other.
    there, back, judge
        The generator to the other set, the one back, and the discriminator of the other.
    pictures
        `(b, 3, h, w)`: as far as they have come.
    masks
        `(b, n, h, w)`: of all their instances, in the order in which they are translated.
    translated
        `(b, k, h, w)`: those that have been, k of n.
    """

    name: str
    other: str
    there: nn.Module
    back: nn.Module
    judge: nn.Module
    pictures: Tensor
    masks: Tensor
    translated: Tensor

    def rows(self, count: int) -> Tensor:
        """Which pictures have an instance among the next `count`, by number."""
        return present(self._next(count)).any(dim=1).nonzero()[:, 0]

    def _next(self, count: int) -> Tensor:
        done = self.translated.shape[1]
        return self.masks[:, done : done + count]

    def go(self, rows: Tensor, count: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], Tensor]:
        """Translate the next `count` instances of some of the pictures, and take over what comes out, detached.

        Returns
        -------
        tuple
            Pictures and masks before, pictures and masks after, and all masks translated so far, these with
            their gradients, for the discriminator.
        """
        before = self.pictures[rows], self._next(count)[rows]
        picture, masks = self.there(*before)
        after = picture.float(), masks.float()  # of half precision in a mixed one
        so_far = torch.cat([self.translated[rows], after[1]], dim=1)
        self.pictures = self.pictures.index_copy(0, rows, after[0].detach())
        none = torch.full_like(self._next(count), -1)
        self.translated = torch.cat([self.translated, none.index_copy(0, rows, after[1].detach())], dim=1)
        return before, after, so_far


class InstaGAN(Method):
    """Generators and discriminators move once for each mini-batch of instances, the generators first."""

    players = {"generator": ("G_A", "G_B"), "discriminator": ("D_A", "D_B")}
    ways = {"a2b": "G_A", "b2a": "G_B"}

    def __init__(self, config: InstaGANConfig, seed: int = 0):
        self.config, self.objective = config, objective(config.objective)
        generators = {name: build(config.generator) for name in ("G_A", "G_B")}
        self.networks = network_dict(generators | {name: build(config.discriminator) for name in ("D_A", "D_B")}, seed)
        self.pools = {"b": PicturePool(config.pool_size), "a": PicturePool(config.pool_size)}

    def play(self, batch: Batch, rng: torch.Generator) -> Iterator[Move]:
        """See `Method`. Pictures whose instances are all translated sit out, and no move is made for nothing."""
        g_a, g_b, d_a, d_b = self.networks.values()
        journeys = [
            _Journey("a", "b", g_a, g_b, d_a, batch["a"], batch["a_masks"], batch["a_masks"][:, :0]),
            _Journey("b", "a", g_b, g_a, d_b, batch["b"], batch["b_masks"], batch["b_masks"][:, :0]),
        ]
        for _ in range(0, self.config.instances, self.config.at_once):
            generated: Batch = {}
            fakes: list[tuple[_Journey, Tensor, Tensor]] = []  # whence, pictures, all their masks so far
            for journey in journeys:
                rows = journey.rows(self.config.at_once)
                if not len(rows):
                    continue
                before, after, so_far = journey.go(rows, self.config.at_once)
                generated[f"gan_{journey.other}"] = self.objective.generator(journey.judge(after[0], so_far))
                generated |= self._kept(journey.name, journey.back, before, after)
                fakes.append((journey, after[0].detach(), so_far.detach()))
            if not fakes:
                return
            yield Move("generator", generated)
            yield Move("discriminator", {f"d_{j.other}": self._judged(j, batch, x, m, rng) for j, x, m in fakes})

    def _judged(self, journey: _Journey, batch: Batch, fake: Tensor, masks: Tensor, rng: torch.Generator) -> Tensor:
        real = journey.judge(batch[journey.other], batch[f"{journey.other}_masks"])
        none = masks.new_full((len(masks), self.config.instances - masks.shape[1], *masks.shape[2:]), -1)
        seen = self.pools[journey.other].swap(torch.cat([fake, masks, none], dim=1), rng)
        channels = fake.shape[1]
        return self.objective.discriminator(real, journey.judge(seen[:, :channels], seen[:, channels:]))

    def _kept(self, name: str, back: nn.Module, before: tuple[Tensor, Tensor], after: tuple[Tensor, Tensor]) -> Batch:
        """Losses that keep what a picture and its masks were: cycle, identity, context."""
        weight, source = self.config.cycle_weight, torch.cat(before, dim=1)
        losses = {f"cycle_{name}": weight * l1(torch.cat(back(*after), dim=1), source)}
        if self.config.identity_weight:
            same = l1(torch.cat(back(*before), dim=1), source)
            losses[f"identity_{name}"] = weight * self.config.identity_weight * same
        if self.config.context_weight:
            outside = context_weight(before[1], after[1])
            kept = context_loss(before[0], after[0], outside)
            losses[f"context_{name}"] = weight * self.config.context_weight * kept
        return losses

    def show(self, batch: Batch) -> list[Tensor]:
        """A with its masks, made B with its masks; B, made A."""
        columns = []
        for way, x in (("a2b", "a"), ("b2a", "b")):
            pictures, masks = batch[x], batch[f"{x}_masks"]
            made, made_masks = translate_all(self.networks[self.ways[way]], pictures, masks, self.config.at_once)
            columns += [pictures, _union(masks), made, _union(made_masks)]
        return columns


def translate_all(generator: nn.Module, pictures: Tensor, masks: Tensor, at_once: int) -> tuple[Tensor, Tensor]:
    """Pictures `(b, 3, h, w)` with all their instances `(b, n, h, w)` translated, `at_once` in each step."""
    translated = []
    for start in range(0, masks.shape[1], at_once):
        some = masks[:, start : start + at_once]
        rows = present(some).any(dim=1).nonzero()[:, 0]
        out = some.clone()
        if len(rows):
            made, out_rows = generator(pictures[rows], some[rows])
            pictures, out = pictures.index_copy(0, rows, made), out.index_copy(0, rows, out_rows)
        translated.append(out)
    return pictures, torch.cat(translated, dim=1) if translated else masks


def _union(masks: Tensor) -> Tensor:
    """Masks `(b, n, h, w)` as grey pictures of their union."""
    return masks.amax(dim=1, keepdim=True).expand(-1, 3, -1, -1)
