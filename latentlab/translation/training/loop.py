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
from torch import Tensor, nn

from latentlab import images
from latentlab.errors import UserError
from latentlab.progress import Step
from latentlab.translation import methods
from latentlab.translation.data.sources import Batch, Source, collate
from latentlab.translation.methods import Method, MethodConfig, Move
from latentlab.translation.networks import infer
from latentlab.translation.training.history import History
from latentlab.translation.training.settings import TrainingSettings
from latentlab.translation.training.state import StateFolder, TrainingState
from latentlab.translation.training.stream import Share, batches
from latentlab.translation.translator import Translator

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SAVE_SECONDS = 120.0
MODEL, HISTORY, SAMPLES = "translator.safetensors", "history.csv", "samples"
_SHOWN = 8  # rows of a grid of samples

Losses = dict[str, dict[str, float]]  # by player and name


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
    diary = _Diary(folder, fabric, settings, len(source), state.step, log_every, progress, tensorboard)
    share = Share(settings, steps, state.step, fabric.global_rank, fabric.world_size)
    stream = batches(source, share, workers)
    examples = _examples(shown or source, fabric.device)
    saved = time.monotonic()
    while state.step < steps:
        some = [_to(next(stream), fabric.device) for _ in range(settings.accumulate)]
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


def launch(accelerator: str = "auto", devices: int = 1, nodes: int = 1, precision: str = "32-true") -> Fabric:
    """A launched Fabric: on several devices it starts the other processes, which run the same script.

    Raises
    ------
    UserError
        Lightning Fabric is not installed.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise UserError("training needs Lightning Fabric: pip install 'latentlab[translation]'") from error
    many = devices * nodes > 1
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


def _to(batch: Batch, device: torch.device) -> Batch:
    return {name: value.to(device, memory_format=torch.channels_last) for name, value in batch.items()}


# --- what is told and kept ----------------------------------------------------------------------------------


def _examples(source: Source, device: torch.device) -> Batch:
    count = min(_SHOWN, len(source))
    chosen = [round(k * (len(source) - 1) / max(count - 1, 1)) for k in range(count)]
    return _to(collate([source.sample(k, None) for k in chosen]), device)


@torch.no_grad()
def grid_of(method: Method, state: TrainingState, examples: Batch) -> Tensor:
    """A picture `(3, h, w)` of what the method makes of examples, a row each, with the weights that are kept."""
    own = {name: {k: v.clone() for k, v in method.networks[name].state_dict().items()} for name in state.means}
    for name, mean in state.means.items():
        method.networks[name].load_state_dict(mean)
    infer(method.networks, dropout=True)
    count = len(examples["a"])
    rows = [method.show({name: value[k : k + 1] for name, value in examples.items()}) for k in range(count)]
    for name, weights in own.items():
        method.networks[name].load_state_dict(weights)
    cells = torch.cat([torch.cat(row) for row in rows])
    return images.grid(cells.float().cpu(), len(rows[0]))


class _Diary:
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
        images.save(grid, self.folder / SAMPLES / f"step-{step:08d}.png")
        if self.board is not None:
            self.board.add_image("samples", (grid + 1) / 2, step)


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError("TensorBoard is not installed: pip install 'latentlab[tensorboard]'") from error
    return SummaryWriter(folder / "tensorboard")


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
