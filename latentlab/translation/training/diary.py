"""What a training tells of itself as it goes: the bar, `history.csv`, grids of samples, TensorBoard."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.progress import Step
from latentlab.translation.training.history import History
from latentlab.translation.training.settings import TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

HISTORY, SAMPLES = "history.csv", "samples"

Losses = dict[str, dict[str, float]]  # by player and name


class Diary:
    """History, bar, grids and TensorBoard; the first process alone writes."""

    def __init__(
        self,
        folder: Path,
        fabric: Fabric,
        settings: TrainingSettings,
        samples: int,
        step: int,
        log_every: int,
        progress: Step | None,
        tensorboard: bool,
    ):
        self.writes = fabric.global_rank == 0
        self.folder, self.samples, self.log_every, self.progress = folder, samples, log_every, progress
        self.a_step = settings.samples_a_step(fabric.world_size)
        self.recent: list[dict[str, float]] = []
        self.since = time.monotonic()
        self.history = History(folder / HISTORY, step) if self.writes else None
        self.board = _board(folder) if tensorboard and self.writes else None

    def note(self, step: int, steps: int, losses: Losses, learning_rate: float) -> None:
        """Take the losses of the step that was taken."""
        if self.history is None:
            return
        self.recent.append({name: value for own in losses.values() for name, value in own.items()})
        if self.progress is not None:
            note = ", ".join(f"{player} {sum(own.values()):.3g}" for player, own in losses.items() if own)
            self.progress(step * self.a_step, steps * self.a_step, note)
        if step % self.log_every and step != steps:
            return
        names = list(dict.fromkeys(name for one in self.recent for name in one))
        found = {name: [one[name] for one in self.recent if name in one] for name in names}
        means = {name: sum(values) / len(values) for name, values in found.items()}
        pace = len(self.recent) * self.a_step / max(time.monotonic() - self.since, 1e-9)
        where = {"step": step, "epoch": step * self.a_step / self.samples, "samples": step * self.a_step}
        self.history.add({**where, "samples_per_second": pace, "learning_rate": learning_rate, **means})
        if self.board is not None:
            for name, value in means.items():
                self.board.add_scalar(f"loss/{name}", value, step)
        self.recent, self.since = [], time.monotonic()

    def show(self, step: int, grid: Tensor) -> None:
        """Write a grid of samples."""
        if not self.writes:
            return
        images.save_image(grid, self.folder / SAMPLES / f"step-{step:08d}.png")
        if self.board is not None:
            self.board.add_image("samples", (grid + 1) / 2, step)


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError("TensorBoard is not installed: pip install 'latentlab[tensorboard]'") from error
    return SummaryWriter(folder / "tensorboard")
