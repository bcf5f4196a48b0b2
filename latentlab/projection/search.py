"""The search for one image's latent: free numbers, their optimiser and how far it is; on disk and back."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from latentlab import cards
from latentlab.errors import UserError
from latentlab.filling import check_fits
from latentlab.projection.adam import Adam
from latentlab.projection.settings import Phase, ProjectionSettings, with_present_names
from latentlab.rendering import Latents, is_noise_map
from latentlab.resuming import check_same
from latentlab.schemas import Count

KIND = cards.Kind("latentlab.projection-state", 2, "the state of a stopped projection", "remove it")
LATENT = "code."  # what stands before the names of latents in files


@dataclass(frozen=True)
class _Progress:
    """How far a search is, under the names of `Search`."""

    phase: Count
    step: Count
    steps: Count
    losses: list[float]
    loss: float
    distance: float

    def check(self, settings: ProjectionSettings) -> None:
        """Refuse a place that these settings do not have, from which a search would not come to its end."""
        phases = settings.phases
        inside = self.phase == len(phases) or (self.phase < len(phases) and self.step < phases[self.phase].steps)
        if not inside or self.steps > settings.steps:
            raise UserError(f"there is no step {self.step} of phase {self.phase}, {self.steps} in all")


@dataclass(frozen=True)
class _Card:
    key: dict[str, Any]
    progress: _Progress


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
        """Count a step whose loss was `loss`; go to the next phase after this one's last step, or on a plateau."""
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
        progress = {field.name: getattr(self, field.name) for field in fields(_Progress)}
        cards.write(path, KIND, self._tensors(), {"key": key, "progress": progress})

    def resume(self, path: Path, key: dict[str, Any], settings: ProjectionSettings) -> None:
        """Go on where the search that `save` wrote had stopped; this one must be new.

        Raises
        ------
        UserError
            If the file is broken, or of a run with another key.
        """
        tensors, card = cards.read(path, KIND, _Card)
        check_key(path, card.key, key)
        with cards.guard(path, KIND):
            card.progress.check(settings)
            own = self._tensors()
            check_fits(tensors, own)
            for name, value in own.items():
                value.copy_(tensors[name])
        for field in fields(_Progress):
            setattr(self, field.name, getattr(card.progress, field.name))

    def _tensors(self) -> dict[str, Tensor]:
        """The latents and Adam's memory of each, by their names in the file."""
        tensors = {}
        for name, value in self.latents.items():
            tensors[LATENT + name] = value
            tensors |= {f"adam.{name}.{part}": memory for part, memory in self.memory[name].state.items()}
        return tensors


def check_key(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuse a state of another run; UserError if any entry of the keys differs, with both values."""
    check_same(path, "the state of a run", with_present_names(found), wanted)
