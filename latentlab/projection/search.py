"""The search for one image's latent: free numbers, their optimiser and how far it is; on disk and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from latentlab import cards
from latentlab.projection.adam import Adam
from latentlab.projection.settings import Phase, ProjectionSettings, with_present_names
from latentlab.rendering import Latents, is_noise_map
from latentlab.resuming import check_same

KIND = cards.Kind("latentlab.projection-state", 2, "the state of a stopped projection", "remove it")
LATENT = "code."  # what stands before the names of latents in files
PROGRESS = ("phase", "step", "steps", "losses", "loss", "distance")


class Search:
    """The state of one image; images are independent, so that a batch gives what single runs give.

    Attributes
    ----------
    latents
        Free numbers, each with a batch of 1.
    phase, step
        Index of the phase, and of the step within.
    steps
        Number of steps taken in all.
    losses
        Losses of the present phase, for the plateau.
    loss, distance
        The last loss and the LPIPS in it; infinite before the first step.
    """

    def __init__(self, latents: Latents, settings: ProjectionSettings):
        self.latents = {name: value.detach().clone() for name, value in latents.items()}
        turns = settings.turn_every is not None
        self.memory = {name: Adam(value, turns and not is_noise_map(name)) for name, value in self.latents.items()}
        self.phase = self.step = self.steps = 0
        self.losses: list[float] = []
        self.loss = self.distance = float("inf")

    def current(self, settings: ProjectionSettings) -> Phase | None:
        """Return the present phase; None when the search is done."""
        return settings.phases[self.phase] if self.phase < len(settings.phases) else None

    def descend(self, settings: ProjectionSettings, gradients: Latents) -> None:
        """Take one step of Adam by the latents' gradients."""
        rate, every = settings.phases[self.phase].learning_rate_at(self.step), settings.turn_every
        turn = every is not None and self.steps > 0 and self.steps % every == 0
        for name, value in self.latents.items():
            value += self.memory[name].step(gradients[name], rate, self.steps, turn and self.memory[name].turns)

    def advance(self, settings: ProjectionSettings, loss: float, distance: float) -> None:
        """Count a step whose loss was `loss`; go to the next phase after the last one, or on a plateau."""
        self.loss, self.distance = loss, distance
        self.losses.append(loss)
        self.step += 1
        self.steps += 1
        if self.step == settings.phases[self.phase].steps or self._is_stuck(settings):
            self.phase, self.step, self.losses = self.phase + 1, 0, []

    def _is_stuck(self, settings: ProjectionSettings) -> bool:
        if settings.patience is None or len(self.losses) <= settings.patience:
            return False
        before, lately = self.losses[: -settings.patience], self.losses[-settings.patience :]
        return min(lately) > min(before) * (1 - settings.tolerance)

    def save(self, path: Path, key: dict[str, Any]) -> None:
        """Write the state as safetensors, atomically; `key` says which run it belongs to."""
        tensors = {}
        for name, value in self.latents.items():
            tensors[LATENT + name] = value
            tensors |= {f"adam.{name}.{part}": memory for part, memory in self.memory[name].state.items()}
        progress = {name: getattr(self, name) for name in PROGRESS}
        cards.write(path, KIND, tensors, {"key": key, "progress": progress})

    @classmethod
    def load(cls, path: Path, key: dict[str, Any], settings: ProjectionSettings, device: torch.device) -> Search:
        """Read what `save` wrote.

        Raises
        ------
        UserError
            If it is broken, or of a run with another key.
        """
        tensors, card = cards.read(path, KIND)
        with cards.guard(path, KIND):
            found = dict(card["key"])
        check_key(path, found, key)
        with cards.guard(path, KIND):
            names = [name for name in tensors if name.startswith(LATENT)]
            search = cls({name.removeprefix(LATENT): tensors[name].to(device) for name in names}, settings)
            for name, adam in search.memory.items():
                for part, value in adam.state.items():
                    value.copy_(tensors[f"adam.{name}.{part}"])
            for name in PROGRESS:
                setattr(search, name, card["progress"][name])
        return search


def check_key(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuse a state of another run; UserError if any entry of the keys differs, with both values."""
    check_same(path, "the state of a run", with_present_names(found), wanted)
