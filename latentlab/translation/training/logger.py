"""Log of a training: progress bar, `history.csv`, grids of samples, TensorBoard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from latentlab import images
from latentlab.progress import Step
from latentlab.training import History, Losses, open_tensorboard
from latentlab.translation.training.settings import RunOptions
from latentlab.translation.training.state import TrainingState

HISTORY, SAMPLES = "history.csv", "samples"


@dataclass(frozen=True)
class Extent:
    """Extent of a training.

    Attributes
    ----------
    steps
        Training steps in all.
    samples
        Samples of the training set.
    samples_per_step
        Samples of a step, over all processes.
    """

    steps: int
    samples: int
    samples_per_step: int


class TrainingLogger:
    """Writes history, grids and TensorBoard, and moves the progress bar; a no-op in all processes but the first.

    Parameters
    ----------
    folder
        Folder of the training.
    extent
        Length of the training.
    options
        How often to write, and whether to write for TensorBoard.
    state
        State from which the training goes on.
    show
        Called after every step with (samples seen, samples in all, the losses).
    writes
        Whether this process writes.
    """

    def __init__(
        self, folder: Path, extent: Extent, options: RunOptions, state: TrainingState, show: Step, writes: bool
    ):
        self.folder, self.extent, self.options, self.show = folder, extent, options, show
        self.recent = state.recent
        self.history = History(folder / HISTORY, state.step) if writes else None
        self.show(state.step * extent.samples_per_step, extent.steps * extent.samples_per_step)
        self.board = open_tensorboard(folder) if writes and options.tensorboard else None

    def log_losses(self, step: int, losses: Losses, learning_rate: float) -> None:
        """Log the losses of the step just taken; every `log_every` steps, their means become a row of the history.

        Raises
        ------
        UserError
            One of the recent losses is not finite.
        """
        steps, samples = self.extent.steps, step * self.extent.samples_per_step
        self.recent.add(step, losses)
        due = step % self.options.log_every == 0 or step == steps
        if due:
            self.recent.read()
        if self.history is not None:
            self.show(samples, steps * self.extent.samples_per_step, self.recent.note)
        if due:
            self._add_row(step, learning_rate)
            self.recent.begin_anew()

    def read_losses(self) -> None:
        """Read the losses of all steps taken.

        Raises
        ------
        UserError
            One is not finite: the state is not worth keeping.
        """
        self.recent.read()

    def _add_row(self, step: int, learning_rate: float) -> None:
        if self.history is None:
            return
        samples, means = step * self.extent.samples_per_step, self.recent.means()
        row = {"step": step, "epoch": samples / self.extent.samples, "samples": samples, "learning_rate": learning_rate}
        self.history.add({**row, **means})
        if self.board is not None:
            for name, value in means.items():
                self.board.add_scalar(f"loss/{name}", value, step)

    def log_samples(self, step: int, grid: Tensor) -> None:
        """Write a grid of samples `(1, 3, h, w)`."""
        if self.history is None:
            return
        images.save_image(grid, self.folder / SAMPLES / f"step-{step:08d}.png")
        if self.board is not None:
            self.board.add_image("samples", (grid[0] + 1) / 2, step)
