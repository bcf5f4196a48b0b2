"""Training of the attribute classifier: fitted, calibrated and judged on different people."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor

from latentlab import cards
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.filling import check_fits
from latentlab.progress import Stage, stage_of
from latentlab.resuming import check_same
from latentlab.schemas import Count
from latentlab.scorers.attributes.data import MARGIN, Labels, split
from latentlab.scorers.attributes.network import RESOLUTION, AttributeNet
from latentlab.scorers.attributes.scorer import AttributeScorer
from stylegan2.defaults import own_draws, plain_defaults
from stylegan2.fingerprint import fingerprint

SHARES = (0.8, 0.1, 0.1)  # shares of the people to train, calibrate and judge on
SAVE_SECONDS = 30.0  # what a stop may cost, besides a step
_WEAK = 0.8  # an AUC below which the card warns
_STATE = cards.Kind("latentlab.attribute-training", 2, "the state of a stopped training", "remove it to begin anew")


@dataclass(frozen=True)
class TrainingPlan:
    """Settings of a training.

    Attributes
    ----------
    epochs
        Passes through the images.
    batch_size
        Images per step.
    learning_rate, weight_decay
        Settings of AdamW; the rate rises over a tenth of the steps and falls to 0 along a cosine.
    base_channels
        Base channel count, see `AttributeNet`.
    seed
        Random seed of the split, the weights, the order and the augmentation.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    base_channels: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size, self.base_channels) < 1 or not self.learning_rate > 0:
            raise UserError(f"a training takes an epoch, a batch of 1 and a positive learning rate at least: {self}")
        if self.seed < 0:
            raise UserError(f"the seed of a training is 0 or more, not {self.seed}")

    def as_dict(self) -> dict[str, Any]:
        """The settings under their names on disk."""
        return {{"base_channels": "width"}.get(name, name): value for name, value in asdict(self).items()}

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of `step`, 0 … steps − 1."""
        t = step / steps
        return self.learning_rate * min(t / 0.1, 1.0) * (0.5 + 0.5 * float(np.cos(np.pi * t)))


@plain_defaults()
@own_draws()
def train(
    images: Tensor,
    labels: Labels,
    plan: TrainingPlan,
    state: Path,
    card: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
    progress: bool | Stage = True,
) -> AttributeScorer:
    """Train a classifier; a training that was stopped is resumed and ends with the result it would have had.

    Parameters
    ----------
    images
        `(n, 3, 72, 72)` uint8, from `load_faces`.
    labels
        Labels of the images.
    plan
        Settings of the training.
    state
        File that is written every half minute and removed at the end.
    card
        Origin and licence of the data; the held-out statistics are added.
    device
        Device to train on.
    progress
        True for a progress bar, False for none, or a `Stage` of your own, whose step is called with
        (epochs done, epochs in all, the loss).

    Raises
    ------
    UserError
        If the state belongs to another training, there are too few people, an attribute has only one value in a
        part, or the device is not available.
    """
    place = find_device(device)
    parts = split(labels.persons, SHARES, plan.seed)
    for part in parts:
        lone = [name for name, row in zip(labels.names, labels.values[part].T, strict=True) if row.min() == row.max()]
        if lone:
            raise UserError(f"{', '.join(lone)}: a part of the images has one value only; leave it out or add images")
    network = _trained(images, labels, parts[0], plan, state, place, stage_of(progress))
    slopes, offsets = _calibrated(_logits(network, images[parts[1]]), labels.values[parts[1]])
    held_out = _logits(network, images[parts[2]]) * slopes + offsets
    statistics = _statistics(held_out, labels.values[parts[2]], labels.names)
    whole_card = {
        **(card or {}),
        "limits": limits_of(statistics),
        "plan": plan.as_dict(),
        "pictures": {name: len(part) for name, part in zip(("train", "calibrate", "held_out"), parts, strict=True)},
        "held_out": statistics,
    }
    state.unlink(missing_ok=True)
    return AttributeScorer(network, labels.names, _tensor(slopes, place), _tensor(offsets, place), whole_card)


def _tensor(values: NDArray[Any], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)


def _trained(
    images: Tensor,
    labels: Labels,
    rows: NDArray[np.intp],
    plan: TrainingPlan,
    state: Path,
    device: torch.device,
    stage: Stage,
) -> AttributeNet:
    torch.manual_seed(plan.seed)
    network = AttributeNet(len(labels.names), plan.base_channels).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
    key = {
        "plan": plan.as_dict(),
        "names": list(labels.names),
        "data": fingerprint({"files": labels.files}, {"labels": torch.from_numpy(labels.values)}),
    }
    done = _resume(state, key, network, optimiser)
    targets = torch.from_numpy(labels.values).float()
    each = -(-len(rows) // plan.batch_size)  # steps of an epoch
    saved, losses = time.monotonic(), []
    network.train()
    with stage("training", "epoch") as step:
        step(done // each, plan.epochs)
        for number in range(done, plan.epochs * each):
            some = torch.from_numpy(rows)[_batch(plan, len(rows), number)]
            # Seeded by its number, a step draws the same whether or not those before it were taken in this run.
            rng = _generator(plan.seed, number)
            torch.manual_seed(rng.initial_seed())  # dropout
            for group in optimiser.param_groups:
                group["lr"] = plan.rate_at(number, plan.epochs * each)
            augmented = _augmented(images[some], rng).to(device)
            losses.append(_step(network, optimiser, augmented, targets[some].to(device)))
            if time.monotonic() - saved > SAVE_SECONDS:
                _keep(state, key, network, optimiser, number + 1)
                saved = time.monotonic()
            if (number + 1) % each == 0:
                step((number + 1) // each, plan.epochs, f"loss {np.mean(losses):.3f}")
                losses.clear()
    return network.eval().requires_grad_(False)


def _step(network: AttributeNet, optimiser: torch.optim.AdamW, images: Tensor, targets: Tensor) -> float:
    loss = F.binary_cross_entropy_with_logits(network(images), targets)
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    optimiser.step()
    return float(loss.detach())


def _batch(plan: TrainingPlan, rows: int, number: int) -> Tensor:
    """Places in `rows` rows of the images of a step: every epoch takes all of them in an order of its own."""
    epoch, place = divmod(number, -(-rows // plan.batch_size))
    order = torch.randperm(rows, generator=_generator(plan.seed, epoch, 0))
    return order[place * plan.batch_size :][: plan.batch_size]


def _generator(*seeds: int) -> torch.Generator:
    seed = int(np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(seed)


def _augmented(images: Tensor, rng: torch.Generator) -> Tensor:
    """Shift, mirror, brighten or darken bytes `(b, 3, 72, 72)`: `(b, 3, 64, 64)` in about [-1, 1]."""
    found = []
    for image in images:
        top, left = torch.randint(2 * MARGIN + 1, (2,), generator=rng).tolist()
        crop = image[:, top : top + RESOLUTION, left : left + RESOLUTION]
        found.append(crop.flip(2) if torch.rand((), generator=rng) < 0.5 else crop)
    gain = 0.8 + 0.4 * torch.rand(len(images), 1, 1, 1, generator=rng)
    shift = 0.2 * torch.rand(len(images), 1, 1, 1, generator=rng) - 0.1
    return (torch.stack(found) / 127.5 - 1) * gain + shift


def _logits(network: AttributeNet, images: Tensor) -> NDArray[np.float64]:
    """Logits `(n, k)` of images as they are, margins cut off."""
    device = next(network.parameters()).device
    middle = images[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
    with torch.no_grad():
        found = [network(some.to(device) / 127.5 - 1).cpu() for some in torch.split(middle, 256)]
    return torch.cat(found).double().numpy()


def _calibrated(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Fit slope and offset of each attribute by logistic regression of the truth on the logit (Platt 1999)."""
    fits = [LogisticRegression(C=10.0).fit(x[:, None], y) for x, y in zip(logits.T, truth.T, strict=True)]
    return np.array([fit.coef_[0, 0] for fit in fits]), np.array([fit.intercept_[0] for fit in fits])


def _statistics(logits: NDArray[np.float64], truth: NDArray[np.bool_], names: tuple[str, ...]) -> dict[str, Any]:
    """AUC, accuracy at ½, share of positives, and calibration error of every attribute on held-out images."""
    found = {}
    for name, x, y in zip(names, logits.T, truth.T, strict=True):
        p = expit(x)
        found[name] = {
            "auc": round(float(roc_auc_score(y, x)), 4),
            "accuracy": round(float(((p > 0.5) == y).mean()), 4),
            "positives": round(float(y.mean()), 4),
            "calibration_error": round(calibration_error(p, y), 4),
        }
    return found


def limits_of(held_out: Mapping[str, Any]) -> str:
    """State the limits of a classifier: what its labels are, and which attributes it hardly recognises."""
    weak = [name for name, row in held_out.items() if row["auc"] < _WEAK]
    return (
        "An attribute is what the labels' annotators saw in an image, with their biases and those of the choice of "
        "persons; it is no fact about a person. Probabilities hold for images like those it was calibrated on. "
        f"Held-out AUC below {_WEAK}: {', '.join(weak) or 'none'}."
    )


def calibration_error(probabilities: NDArray[np.float64], truth: NDArray[np.bool_], bins: int = 10) -> float:
    """Compute the expected calibration error (Naeini et al. 2015).

    `probabilities (n,)` are sorted into `bins` of equal width; the result is the mean over the bins, weighted by their
    numbers, of the distance between the mean probability and the share of positives in `truth (n,)`.
    """
    places = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        (places == k).mean() * abs(probabilities[places == k].mean() - truth[places == k].mean())
        for k in range(bins)
        if (places == k).any()
    ]
    return float(sum(gaps))


# --- stopping and resuming ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Card:
    key: dict[str, Any]
    steps: Count


def _keep(path: Path, key: Mapping[str, Any], network: AttributeNet, optimiser: torch.optim.AdamW, steps: int) -> None:
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for k, weight in enumerate(network.parameters()):
        tensors |= {f"adam.{k}.{name}": value.reshape(-1) for name, value in optimiser.state[weight].items()}
    cards.write(path, _STATE, tensors, {"key": json.loads(json.dumps(key)), "steps": steps})


def _resume(path: Path, key: Mapping[str, Any], network: AttributeNet, optimiser: torch.optim.AdamW) -> int:
    """Restore network and optimiser; return the steps that were taken."""
    if not path.exists():
        return 0
    tensors, card = cards.read(path, _STATE, _Card)
    check_same(path, "the state of a training", card.key, key, "ask for the same, or remove it to start anew")
    with cards.guard(path, _STATE):
        wanted = {f"network.{name}": value for name, value in network.state_dict().items()}
        for k, weight in enumerate(network.parameters()):
            moments = {f"adam.{k}.{name}": weight.reshape(-1) for name in ("exp_avg", "exp_avg_sq")}
            wanted |= {f"adam.{k}.step": torch.zeros(1), **moments}
        check_fits(tensors, wanted)
        own = {name.removeprefix("network."): v for name, v in tensors.items() if name.startswith("network.")}
        network.load_state_dict(own)
        for k, weight in enumerate(network.parameters()):
            optimiser.state[weight] = {
                "step": tensors[f"adam.{k}.step"].reshape(()),
                **{
                    name: tensors[f"adam.{k}.{name}"].reshape(weight.shape).to(weight.device)
                    for name in ("exp_avg", "exp_avg_sq")
                },
            }
    return card.steps
