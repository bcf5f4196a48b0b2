"""Training loop: alternating generator and discriminator steps, in one process or many, resumable at any time.

It uses Lightning Fabric for devices, processes and precision. Gradients are averaged over the processes explicitly,
once per optimiser step: the networks of a GAN run several times between their steps, each time with some of them
frozen, which wrappers for data-parallel training are not made for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from latentlab.progress import Stage, stage_of
from latentlab.training import FabricProcesses, Losses, launch
from latentlab.translation.data.sources import Batch, Source, move_batch
from latentlab.translation.methods import OptimiserStep, TranslationConfig
from latentlab.translation.training.epochs import change_epochs
from latentlab.translation.training.grids import examples_of, grid_of
from latentlab.translation.training.logger import Extent, TrainingLogger
from latentlab.translation.training.sampler import BatchSampler, load_batches
from latentlab.translation.training.settings import RunOptions, TrainingSettings
from latentlab.translation.training.state import StateFolder, TrainingState
from latentlab.translation.translator import Translator
from stylegan2.defaults import own_draws, plain_defaults
from stylegan2.training.processes import average_gradients

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SAVE_SECONDS = 120.0
MODEL = "translator.safetensors"


@plain_defaults()
@own_draws()
def train(
    config: TranslationConfig,
    source: Source,
    settings: TrainingSettings,
    folder: str | Path,
    held_out: Source | None = None,
    fabric: Fabric | None = None,
    options: RunOptions | None = None,
    progress: bool | Stage = True,
) -> Translator:
    """Train a translator, or resume a training that was stopped, with the same result.

    With more epochs in its settings, a training continues, even one that was finished. The learning rate then falls
    towards the new end; if it had begun to fall towards the old one, the result is not that of a training with this
    many epochs from the start, and a warning says so.

    Parameters
    ----------
    config
        Configuration of the method, its networks and losses.
    source
        Training set.
    settings
        Length, speed and seed of the training.
    folder
        Folder of the training's state, `history.csv`, `samples/step-*.png` and, in the end, `translator.safetensors`.
    held_out
        Samples shown in the grids; by default those of the training set.
    fabric
        A launched Fabric, see `launch`; by default one process on the best available device.
    options
        Options of this run that do not change the result.
    progress
        True for a progress bar, False for none, or a `Stage` of your own, whose step is called
        with (samples seen, samples in all, the losses), in the first process only.

    Raises
    ------
    UserError
        `folder` holds a training with other settings (names them, with both values) or with more epochs already, a
        loss is not finite, or a package is missing.
    """
    fabric = launch(precision=settings.precision) if fabric is None else fabric
    folder, options = Path(folder), RunOptions() if options is None else options
    state = _begin(config, settings, fabric.device)
    key = _describe(config, settings, source)
    store = StateFolder(folder, key, fabric.global_rank, fabric.world_size, fabric.barrier)
    before, first = store.load(state), fabric.global_rank == 0
    steps = change_epochs(state, before, len(source), fabric.world_size, warns=first)
    extent = Extent(steps, len(source), settings.samples_per_step(fabric.world_size))
    sampler = BatchSampler(settings, steps, state.step, fabric.global_rank, fabric.world_size)
    batches = load_batches(source, sampler, options.workers, ahead=fabric.device.type != "cpu")
    examples = examples_of(held_out or source, fabric.device)
    saved = time.monotonic()
    with stage_of(progress if first else False)("training", "sample") as show:
        logger = TrainingLogger(folder, extent, options, state, show, writes=first)
        while state.step < steps:
            learning_rate = settings.learning_rate_at(state.step, steps)
            some = [move_batch(next(batches), fabric.device) for _ in range(settings.accumulate)]
            losses = take_step(fabric, state, some, learning_rate)
            logger.log_losses(state.step, losses, learning_rate)
            if state.step % options.sample_every == 0 or state.step == steps:
                logger.log_samples(state.step, grid_of(state.method, state, examples))
            # The clocks of processes differ: that of the first one decides.
            due = fabric.broadcast(time.monotonic() - saved > SAVE_SECONDS)
            if due or state.step == steps:
                logger.read_losses()
                store.save(state)
                saved = time.monotonic()
    return _finish(fabric, state, key, folder)


def _begin(config: TranslationConfig, settings: TrainingSettings, device: torch.device) -> TrainingState:
    """Build the method with the weights that it starts from."""
    torch.manual_seed(settings.seed)  # what networks of other packages draw when they are built
    method = config.build(settings.seed)
    method.networks.to(device).to(memory_format=torch.channels_last)
    return TrainingState(method, settings)


def take_step(fabric: Fabric, state: TrainingState, batches: Sequence[Batch], learning_rate: float) -> Losses:
    """Take one training step: the optimiser steps of the method, each on all of `batches`.

    An optimiser steps once the gradients of all batches are there.

    Returns
    -------
    dict
        Means of the losses of this process by optimiser and name, over all optimiser steps and batches; still on the
        device, as reading them would wait for it.
    """
    method, settings = state.method, state.settings
    method.networks.train()
    seed = settings.seed * 1_000_003 + state.step * fabric.world_size + fabric.global_rank
    torch.manual_seed(seed)  # dropout
    pending = [
        method.optimiser_steps(batch, torch.Generator().manual_seed(seed * 64 + k)) for k, batch in enumerate(batches)
    ]
    seen: dict[str, dict[str, list[Tensor]]] = {optimiser: {} for optimiser in method.optimiser_networks}
    for optimiser in cycle(list(method.optimiser_networks)):
        found = [step for steps in pending if (step := _next(fabric, steps)) is not None]
        if not _any(fabric, bool(found)):
            break
        weights = [weight for weight in method.parameters_of(optimiser) if weight.requires_grad]
        for weight in weights:
            weight.grad = None
        for step in found:
            torch.autograd.backward(step.loss / len(pending), inputs=weights)
            for name, value in step.losses.items():
                seen[optimiser].setdefault(name, []).append(value.detach())
        average_gradients(weights, FabricProcesses(fabric))
        for group in state.optimisers[optimiser].param_groups:
            group["lr"] = learning_rate * settings.factor_of(optimiser)
        state.optimisers[optimiser].step()
    state.update_means()
    state.step += 1
    return {
        optimiser: {name: torch.stack(values).mean() for name, values in losses.items()}
        for optimiser, losses in seen.items()
    }


def _describe(config: TranslationConfig, settings: TrainingSettings, source: Source) -> dict[str, Any]:
    """Describe a training as JSON holds it, for its state and the card of its translator."""
    return {"method": config.as_dict(), "settings": settings.as_dict(), "data": source.describe()}


def _next(fabric: Fabric, steps: Iterator[OptimiserStep]) -> OptimiserStep | None:
    with fabric.autocast():
        return next(steps, None)


def _any(fabric: Fabric, value: bool) -> bool:
    """Return whether `value` is true in any process."""
    if fabric.world_size == 1:
        return value
    count: Any = fabric.all_reduce(torch.tensor(float(value), device=fabric.device), reduce_op="sum")
    return bool(count > 0)


def _finish(fabric: Fabric, state: TrainingState, key: dict[str, Any], folder: Path) -> Translator:
    """Build the translator; the first process writes it."""
    method = state.method
    networks = {way: method.generator(way) for way in method.generators}
    weights = {way: state.final(name) for way, name in method.generators.items()}
    for way, network in networks.items():
        network.load_state_dict(weights[way])
    earlier = {"earlier": list(state.earlier)} if state.earlier else {}
    card = {"method": method.name, "steps": state.step, "training": {**key, **earlier}}
    translator = Translator({way: network.cpu() for way, network in networks.items()}, card)
    if fabric.global_rank == 0:
        translator.save(folder / MODEL)
    fabric.barrier()
    return translator
