"""Continuing a training to a number of epochs other than the one it was begun with."""

from __future__ import annotations

import warnings
from dataclasses import replace

from latentlab.errors import UserError
from latentlab.translation.training.state import TrainingState


def change_epochs(state: TrainingState, before: float, samples: int, processes: int, warns: bool = True) -> int:
    """Let a training begun with `before` epochs continue to those of its settings; return the total number of steps.

    From its step on, the learning rate is that of the new number of epochs. If it had not begun to fall, the result is
    that of a training with this number from the start, bit for bit. If it had, it rises again, and the result is a
    different one, equally reproducible if it is trained in the same parts. Those are noted in `state.earlier`.

    Parameters
    ----------
    state
        The state, as it was read.
    before
        Number of epochs that it was read with.
    samples
        Samples of the training set.
    processes
        Number of processes.
    warns
        Whether to warn of a different result.

    Raises
    ------
    UserError
        The training has had more epochs already.
    """
    settings, done = state.settings, state.step
    steps = settings.steps_for(samples, processes)
    if done > steps:
        had = done * settings.samples_per_step(processes) / samples
        raise UserError(
            f"the training has had {_epochs(had)} already, more than {settings.epochs:g}; ask for {had:g} or more, or "
            "choose another folder"
        )
    former = replace(settings, epochs=before).steps_for(samples, processes)
    # The rate never rises within a training: if the last rates are equal, all were.
    if done and settings.learning_rate_at(done - 1, former) != settings.learning_rate_at(done - 1, steps):
        state.earlier = (*state.earlier, {"epochs": before, "until_step": done})
        if warns:
            warnings.warn(
                f"a training of {_epochs(before)} goes on to {settings.epochs:g}: its learning rate had begun to fall "
                f"and rises again, so the result is not that of {_epochs(settings.epochs)} at once (with a decay of 0 "
                "it would be)",
                stacklevel=3,
            )
    return steps


def _epochs(number: float) -> str:
    return f"{number:g} {'epoch' if number == 1 else 'epochs'}"
