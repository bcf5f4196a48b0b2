"""State of a generator's training on disk: all that it needs to continue to the same result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentlab import cards
from latentlab.errors import UserError
from latentlab.resuming import check_same
from latentlab.training import RecentLosses
from stylegan2.training import GANTraining

KIND = cards.Kind("latentlab.gan-state", 1, "the state of a generator's training", "remove it to begin anew")


@dataclass
class Watched:
    """What a training has found out about itself.

    Attributes
    ----------
    recent
        Losses since the last row of the history.
    best, best_step
        Least distance so far, and the step at which it was measured; None before the first.
    """

    recent: RecentLosses = field(default_factory=RecentLosses)
    best: float | None = None
    best_step: int | None = None


@dataclass(frozen=True)
class _Card:
    key: dict[str, Any]
    recent: dict[str, tuple[float, int]]
    best: float | None
    best_step: int | None


def save(path: Path, training: GANTraining, watched: Watched, key: Mapping[str, Any]) -> None:
    """Write the state, whole or not at all."""
    card = {"key": key, "recent": watched.recent.totals, "best": watched.best, "best_step": watched.best_step}
    cards.write(path, KIND, training.tensors(), card)


def load(path: Path, training: GANTraining, watched: Watched, key: Mapping[str, Any]) -> None:
    """Continue from a state, if there is one.

    Raises
    ------
    UserError
        The state is broken, that of another training (names what differs), or that of one that is already longer.
    """
    if not path.exists():
        return
    tensors, card = cards.read(path, KIND, _Card)
    stored = {**card.key, "settings": {**card.key.get("settings", {}), "images": key["settings"]["images"]}}
    check_same(path.parent, "a training", stored, key)
    with cards.guard(path, KIND):
        try:
            training.take(tensors)
        except ValueError as error:
            raise UserError(f"{error}; {KIND.remedy}") from error
    watched.recent.totals, watched.best, watched.best_step = card.recent, card.best, card.best_step
    if training.step > training.settings.steps:
        raise UserError(
            f"{path.parent} has seen {training.images_seen} images already, more than {training.settings.images}; "
            "ask for more, or choose another folder"
        )
