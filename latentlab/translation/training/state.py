"""State of a training at a step, to disk and back: networks, optimisers, averages, pools, recent losses."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor

from latentlab import cards
from latentlab.errors import UserError
from latentlab.files import remove, sync_folder, tell
from latentlab.filling import check_fits
from latentlab.resuming import check_same
from latentlab.schemas import Count, checked
from latentlab.training import RecentLosses
from latentlab.translation.methods.base import TranslationMethod
from latentlab.translation.pool import in_layout
from latentlab.translation.training.settings import TrainingSettings
from stylegan2.describing import describe

KIND = cards.Kind("latentlab.training-state", 1, "the state of a stopped training", "remove it to begin anew")
_MOMENTS = ("exp_avg", "exp_avg_sq")


class TrainingState:
    """A method with its optimisers and averages.

    Attributes
    ----------
    step
        Number of steps taken.
    optimisers
        Adam optimisers by name.
    means
        Moving averages of the generators' weights, by network and name; empty without them.
    earlier
        Earlier numbers of epochs that it was trained towards, and until which step, where that changes the result:
        see `change_epochs`.
    recent
        Losses since the last row of the history.
    """

    def __init__(self, method: TranslationMethod, settings: TrainingSettings):
        self.method, self.settings, self.step = method, settings, 0
        self.optimisers = {
            name: torch.optim.Adam(
                method.parameters_of(name), lr=settings.learning_rate, betas=settings.betas, fused=True
            )
            for name in method.optimiser_networks
        }
        self.earlier: tuple[Mapping[str, float], ...] = ()
        self.recent = RecentLosses()
        self.means: dict[str, dict[str, Tensor]] = {}
        if settings.ema:
            self.means = {name: _clone(method.networks[name].state_dict()) for name in method.generators.values()}

    @torch.no_grad()
    def update_means(self) -> None:
        """Average the present weights into the means; buffers, which are statistics already, are copied.

        The decay rises to that of the settings, so that the means of a short training hold nothing of its beginning.
        """
        decay = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        for name, mean in self.means.items():
            network = self.method.networks[name]
            weights = dict(network.named_parameters())
            for key, value in network.state_dict().items():
                if key in weights:
                    mean[key].lerp_(value, 1 - decay)
                else:
                    mean[key].copy_(value)

    def final(self, network: str) -> dict[str, Tensor]:
        """Return the weights of a generator that are kept."""
        return self.means.get(network) or self.method.networks[network].state_dict()

    # --- on disk ---

    def shared(self) -> dict[str, Tensor]:
        """Return what all processes agree on: everything but the pools."""
        tensors = {f"network.{name}": value for name, value in self.method.networks.state_dict().items()}
        tensors |= {f"mean.{name}.{k}": v for name, mean in self.means.items() for k, v in mean.items()}
        for name, optimiser in self.optimisers.items():
            for k, weight in enumerate(self.method.parameters_of(name)):
                memory = optimiser.state.get(weight, {})
                tensors |= {f"adam.{name}.{k}.{moment}": memory[moment] for moment in _MOMENTS if memory}
                if memory:
                    tensors[f"adam.{name}.{k}.step"] = memory["step"].reshape(1)
        return tensors

    def own(self) -> dict[str, Tensor]:
        """Return what each process has for itself: its pools."""
        return {name: pool.images for name, pool in self.method.pools.items() if pool.images is not None}

    def _wanted(self, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of the shapes that a state has: those of Adam where the stored one has its count of steps."""
        wanted = {f"network.{name}": value for name, value in self.method.networks.state_dict().items()}
        wanted |= {f"mean.{name}.{k}": v for name, mean in self.means.items() for k, v in mean.items()}
        for name in self.optimisers:
            for k, weight in enumerate(self.method.parameters_of(name)):
                if f"adam.{name}.{k}.step" in stored:
                    wanted |= {f"adam.{name}.{k}.{moment}": weight for moment in _MOMENTS}
                    wanted[f"adam.{name}.{k}.step"] = torch.zeros(1)
        return wanted

    @torch.no_grad()
    def take(self, shared: Mapping[str, Tensor], own: Mapping[str, Tensor], step: int) -> None:
        """Resume from what `shared` and `own` returned at `step`."""
        check_fits(shared, self._wanted(shared))
        prefix = "network."
        networks = {name.removeprefix(prefix): v for name, v in shared.items() if name.startswith(prefix)}
        self.method.networks.load_state_dict(networks)
        for name, mean in self.means.items():
            for key, value in mean.items():
                value.copy_(shared[f"mean.{name}.{key}"])
        for name, optimiser in self.optimisers.items():
            for k, weight in enumerate(self.method.parameters_of(name)):
                start = f"adam.{name}.{k}."
                if f"{start}step" in shared:
                    # In the layout of the weight, which the fused optimiser goes by.
                    moments = {moment: torch.empty_like(weight).copy_(shared[start + moment]) for moment in _MOMENTS}
                    optimiser.state[weight] = {"step": shared[f"{start}step"].reshape(()), **moments}
        device = next(self.method.networks.parameters()).device
        for name, images in own.items():
            if images.ndim != 4 or not images.is_floating_point():
                raise UserError(f"the pool {describe(name)} holds no images, but an array {tuple(images.shape)}")
            self.method.pools[name].images = in_layout(images.to(device))
        self.step = step


def _clone(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in tensors.items()}


@dataclass(frozen=True)
class _Card:
    """The card of a state; earlier versions neither changed the number of epochs nor kept sums of losses."""

    key: dict[str, Any]
    step: Count
    earlier: tuple[dict[str, float], ...] = ()
    recent: dict[str, tuple[float, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Key:
    """What is used of the description of a training."""

    settings: dict[str, Any]
    data: dict[str, Any]


@dataclass(frozen=True)
class _Epochs:
    epochs: Annotated[float, msgspec.Meta(gt=0)]


class StateFolder:
    """Folder with the state of a training: one folder per step, which gets its name when every process has written.

    Parameters
    ----------
    folder
        Folder of the training.
    key
        Description of the training; a state with another one is refused, unless only the number of epochs differs.
    rank, processes
        Number of this process, and number of processes.
    barrier
        Function that waits for all processes.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any], rank: int, processes: int, barrier: Callable[[], object]):
        self.root, self.key, self.rank = folder / "state", {**key, "processes": processes}, rank
        self.barrier = barrier

    def save(self, state: TrainingState) -> None:
        """Write the state of this process; once all have written, it replaces older ones."""
        temporary, final = self.root / ".writing", self.root / f"step-{state.step:08d}"
        if final.exists():
            return
        if self.rank == 0:
            shutil.rmtree(temporary, ignore_errors=True)
        self.barrier()
        card = {"key": self.key, "step": state.step, "earlier": list(state.earlier), "recent": state.recent.totals}
        cards.write(temporary / f"pools-{self.rank}.safetensors", KIND, state.own(), card)
        if self.rank == 0:
            cards.write(temporary / "networks.safetensors", KIND, state.shared(), card)
        self.barrier()
        if self.rank == 0:
            temporary.rename(final)
            sync_folder(self.root)
            tell(final)
            self._leave_only(final)
        self.barrier()

    def load(self, state: TrainingState) -> float:
        """Read the last complete state into `state`, if there is one.

        Returns
        -------
        float
            Number of epochs that it was trained towards, which may differ from the key's.

        Raises
        ------
        UserError
            The state is broken, or belongs to a training with another key.
        """
        epochs = float(self.key["settings"]["epochs"])
        found = sorted(path for path in self.root.glob("step-*") if self._is_whole(path))
        if not found:
            return epochs
        path = found[-1] / "networks.safetensors"
        shared, card = cards.read(path, KIND, _Card)
        own, _ = cards.read(found[-1] / f"pools-{self.rank}.safetensors", KIND, _Card)
        stored = checked(card.key, _Key, str(path))
        # Earlier versions did not say how images were placed.
        placed = {"augmentation": self.key["data"].get("augmentation")}
        same = {**card.key, "settings": {**stored.settings, "epochs": epochs}, "data": {**placed, **stored.data}}
        check_same(self.root.parent, "a training", same, self.key)
        if self.rank == 0:  # a run may have been killed before it removed the others
            self._leave_only(found[-1])
        with cards.guard(path, KIND):
            state.take(shared, own, card.step)
            state.earlier = card.earlier
            state.recent.totals = card.recent
        return checked(stored.settings, _Epochs, str(path)).epochs

    def _is_whole(self, path: Path) -> bool:
        """Whether no file of a state is missing, as one may be where writing to an object store stopped midway."""
        names = ["networks", *(f"pools-{rank}" for rank in range(int(self.key["processes"])))]
        return all((path / f"{name}.safetensors").exists() for name in names)

    def _leave_only(self, final: Path) -> None:
        """Remove older states, and one that was being written."""
        for path in self.root.iterdir():
            if path != final:
                remove(path)
