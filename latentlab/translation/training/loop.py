"""The loop: players take turns down their gradients, on one process or many, and nothing is lost on the way.

It stands on Lightning Fabric for devices, processes and precision. Gradients are averaged over the processes
explicitly, once a move: the networks of a GAN run several times between their steps, each with a part of them frozen,
which wrappers for data parallel training are not made for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from latentlab.errors import UserError
from latentlab.progress import Step
from latentlab.translation import methods
from latentlab.translation.data.sources import Batch, Source, moved
from latentlab.translation.methods import MethodConfig, Move
from latentlab.translation.training.diary import Diary, Losses
from latentlab.translation.training.grids import examples_of, grid_of
from latentlab.translation.training.settings import TrainingSettings
from latentlab.translation.training.state import StateFolder, TrainingState
from latentlab.translation.training.stream import Share, batches
from latentlab.translation.translator import Translator

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SAVE_SECONDS = 120.0
MODEL = "translator.safetensors"


def train(
    config: MethodConfig,
    source: Source,
    settings: TrainingSettings,
    folder: str | Path,
    shown: Source | None = None,
    fabric: Fabric | None = None,
    workers: int = 0,
    log_every: int = 20,
    sample_every: int = 500,
    progress: Step | None = None,
    tensorboard: bool = False,
) -> Translator:
    """Train a translator, or go on with a training that was stopped, to the same result.

    Parameters
    ----------
    config
        The method, its networks and losses.
    source
        The training set.
    settings
        How long and how fast.
    folder
        Its state, `history.csv`, `samples/step-*.png` and in the end `translator.safetensors` lie here.
    shown
        Samples for the grids; the training set by default.
    fabric
        A launched one of yours; by default one process on the best device there is.
    workers
        Processes that read pictures; no matter of the result.
    log_every, sample_every
        Steps between rows of the history, and between grids.
    progress
        Called with (samples seen, samples in all, the losses in words) after every step.
    tensorboard
        Whether the losses and grids are also written for TensorBoard (extra `tensorboard`).

    Raises
    ------
    UserError
        `folder` holds another training, a loss is not finite, or an extra is missing.
    """
    fabric = launch(precision=settings.precision) if fabric is None else fabric
    folder = Path(folder)
    method = methods.build(config, settings.seed)
    method.networks.to(fabric.device).to(memory_format=torch.channels_last)
    state = TrainingState(method, settings)
    key = {
        "method": json.loads(json.dumps(asdict(config))),
        "settings": json.loads(json.dumps(asdict(settings))),
        "data": source.describe(),
    }
    store = StateFolder(folder, key, fabric.global_rank, fabric.world_size, fabric.barrier)
    store.load(state)
    steps = settings.steps_for(len(source), fabric.world_size)
    diary = Diary(folder, fabric, settings, len(source), state.step, log_every, progress, tensorboard)
    share = Share(settings, steps, state.step, fabric.global_rank, fabric.world_size)
    stream = batches(source, share, workers)
    examples = examples_of(shown or source, fabric.device)
    saved = time.monotonic()
    while state.step < steps:
        some = [moved(next(stream), fabric.device) for _ in range(settings.accumulate)]
        losses = take_step(fabric, state, some, settings.learning_rate_at(state.step, steps))
        diary.note(state.step, steps, losses, settings.learning_rate_at(state.step - 1, steps))
        if state.step % sample_every == 0 or state.step == steps:
            diary.show(state.step, grid_of(method, state, examples))
        # The clocks of processes differ: the first one's counts.
        due = fabric.broadcast(time.monotonic() - saved > SAVE_SECONDS)
        if due or state.step == steps:
            store.save(state)
            saved = time.monotonic()
    return _finish(fabric, state, config, key, folder)


def launch(
    accelerator: str = "auto", devices: int | list[int] = 1, nodes: int = 1, precision: str = "32-true"
) -> Fabric:
    """A launched Fabric: on several devices, of this number or of these, it starts the other processes of the script.

    Raises
    ------
    UserError
        Lightning Fabric is not installed.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise UserError("training needs Lightning Fabric: pip install 'latentlab[translation]'") from error
    many = (devices if isinstance(devices, int) else len(devices)) * nodes > 1
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        precision=precision,  # type: ignore[arg-type]
        strategy="ddp" if many else "auto",
    )
    fabric.launch()
    return fabric


def take_step(fabric: Fabric, state: TrainingState, some: Sequence[Batch], learning_rate: float) -> Losses:
    """One step of every player on all of `some`; the losses' means over all moves in them, of this process.

    The plays of the batches go side by side: a player moves once all of them have told their gradients.
    """
    method, settings = state.method, state.settings
    method.networks.train()
    seed = settings.seed * 1_000_003 + state.step * fabric.world_size + fabric.global_rank
    torch.manual_seed(seed)  # dropout
    plays = [method.play(batch, torch.Generator().manual_seed(seed * 64 + k)) for k, batch in enumerate(some)]
    players = list(method.players)
    told: dict[str, dict[str, list[float]]] = {player: {} for player in players}
    for player in cycle(players):
        moves = [move for play in plays if (move := _next(fabric, play)) is not None]
        if not _any(fabric, bool(moves)):
            break
        weights = method.parameters_of(player)
        for weight in weights:
            weight.grad = None
        for move in moves:
            loss = move.loss / len(plays)
            if not torch.isfinite(loss):
                raise UserError(f"the training diverged at step {state.step}: {_worst(move)}; lower the learning rate")
            loss.backward(inputs=weights)
            for name, value in move.losses.items():
                told[player].setdefault(name, []).append(float(value.detach()))
        _average(fabric, weights)
        for group in state.optimisers[player].param_groups:
            group["lr"] = learning_rate
        state.optimisers[player].step()
    state.update_means()
    state.step += 1
    return {player: {name: sum(v) / len(v) for name, v in losses.items()} for player, losses in told.items()}


def _next(fabric: Fabric, play: Iterator[Move]) -> Move | None:
    with fabric.autocast():
        return next(play, None)


def _any(fabric: Fabric, value: bool) -> bool:
    """Whether it holds in any process."""
    if fabric.world_size == 1:
        return value
    count: Any = fabric.all_reduce(torch.tensor(float(value), device=fabric.device), reduce_op="sum")
    return bool(count > 0)


def _average(fabric: Fabric, weights: Sequence[nn.Parameter]) -> None:
    """Set gradients to their means over the processes; a process without any counts as 0."""
    if fabric.world_size == 1:
        return
    flat = torch.cat([(w.grad if w.grad is not None else torch.zeros_like(w)).flatten() for w in weights])
    mean: Any = fabric.all_reduce(flat, reduce_op="mean")
    for weight, gradient in zip(weights, mean.split([w.numel() for w in weights]), strict=True):
        weight.grad = gradient.reshape(weight.shape).clone(memory_format=torch.preserve_format)


def _worst(move: Move) -> str:
    return ", ".join(
        f"{name} is {float(value.detach())}" for name, value in move.losses.items() if not value.isfinite()
    )


def _finish(
    fabric: Fabric, state: TrainingState, config: MethodConfig, key: dict[str, Any], folder: Path
) -> Translator:
    """The translator, written by the first process."""
    networks = {way: state.method.networks[name] for way, name in state.method.ways.items()}
    weights = {way: state.final(name) for way, name in state.method.ways.items()}
    for way, network in networks.items():
        network.load_state_dict(weights[way])
    card = {"method": methods.name_of(config), "steps": state.step, "training": key}
    translator = Translator({way: network.cpu() for way, network in networks.items()}, card)
    if fabric.global_rank == 0:
        translator.save(folder / MODEL)
    fabric.barrier()
    return translator
