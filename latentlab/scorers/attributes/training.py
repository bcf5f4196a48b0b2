"""Training of the attribute classifier: fitted on some persons, calibrated on others, judged on yet others."""

from __future__ import annotations

import json
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
from latentlab.errors import UserError
from latentlab.progress import Step
from latentlab.scorers.attributes.data import MARGIN, Labels, split
from latentlab.scorers.attributes.network import SIDE, AttributeNet
from latentlab.scorers.attributes.scorer import AttributeScorer
from stylegan2.fingerprint import fingerprint

SHARES = (0.8, 0.1, 0.1)  # of the persons: to train on, to calibrate on, to judge on
_WEAK = 0.8  # an AUC below which the card warns
_STATE = cards.Kind("latentlab.attribute-training", 1, "the state of a stopped training", "remove it to begin anew")


@dataclass(frozen=True)
class TrainingPlan:
    """How it is trained.

    Attributes
    ----------
    epochs
        Passes through the pictures.
    batch_size
        Pictures a step.
    learning_rate, weight_decay
        Of AdamW; the rate rises over a tenth of the steps and falls to 0 along a cosine.
    width
        See `AttributeNet`.
    seed
        Of the split, the weights, the order, the augmentation.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    width: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size, self.width) < 1 or not self.learning_rate > 0:
            raise UserError(f"a training takes an epoch, a batch of 1 and a positive learning rate at least: {self}")

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of `step`, 0 … steps − 1."""
        t = step / steps
        return self.learning_rate * min(t / 0.1, 1.0) * (0.5 + 0.5 * float(np.cos(np.pi * t)))


def train(
    pictures: Tensor,
    labels: Labels,
    plan: TrainingPlan,
    state: Path,
    card: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
    progress: Step | None = None,
) -> AttributeScorer:
    """Train a classifier, or go on with a training that was stopped, to the same result.

    Parameters
    ----------
    pictures
        `(n, 3, 72, 72)` uint8, of `read_pictures`.
    labels
        Their labels.
    plan
        How.
    state
        A file that is written after every epoch, and removed in the end.
    card
        Where the data come from and under what licence; the held-out figures are added.
    device
        To train on.
    progress
        Called with (epochs done, of how many, the loss in words).

    Raises
    ------
    UserError
        The state is of another training, there are too few persons, or an attribute has one value only in a part.
    """
    parts = split(labels.persons, SHARES, plan.seed)
    for part in parts:
        lone = [name for name, row in zip(labels.names, labels.values[part].T, strict=True) if row.min() == row.max()]
        if lone:
            raise UserError(f"{', '.join(lone)}: a part of the pictures has one value only; leave it out or add some")
    network = _trained(pictures, labels, parts[0], plan, state, torch.device(device), progress)
    slopes, offsets = _calibrated(_logits(network, pictures[parts[1]]), labels.values[parts[1]])
    held_out = _logits(network, pictures[parts[2]]) * slopes + offsets
    figures = _figures(held_out, labels.values[parts[2]], labels.names)
    told = {
        **(card or {}),
        "limits": limits_of(figures),
        "plan": asdict(plan),
        "pictures": {name: len(part) for name, part in zip(("train", "calibrate", "held_out"), parts, strict=True)},
        "held_out": figures,
    }
    state.unlink(missing_ok=True)
    return AttributeScorer(network, labels.names, _tensor(slopes, device), _tensor(offsets, device), told)


def _tensor(values: NDArray[Any], device: torch.device | str) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)


def _trained(
    pictures: Tensor,
    labels: Labels,
    rows: NDArray[np.intp],
    plan: TrainingPlan,
    state: Path,
    device: torch.device,
    progress: Step | None,
) -> AttributeNet:
    torch.manual_seed(plan.seed)
    network = AttributeNet(len(labels.names), plan.width).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
    key = {
        "plan": asdict(plan),
        "names": list(labels.names),
        "data": fingerprint({"files": labels.files}, {"labels": torch.from_numpy(labels.values)}),
    }
    first = _resume(state, key, network, optimiser)
    targets = torch.from_numpy(labels.values).float()
    steps = plan.epochs * -(-len(rows) // plan.batch_size)
    for epoch in range(first, plan.epochs):
        chance = torch.Generator().manual_seed(plan.seed * 10_000 + epoch)
        torch.manual_seed(plan.seed * 10_000 + epoch)  # dropout
        losses = []
        network.train()
        order = torch.from_numpy(rows)[torch.randperm(len(rows), generator=chance)]
        for k, some in enumerate(torch.split(order, plan.batch_size)):
            for group in optimiser.param_groups:
                group["lr"] = plan.rate_at(epoch * -(-len(rows) // plan.batch_size) + k, steps)
            logits = network(_augmented(pictures[some], chance).to(device))
            loss = F.binary_cross_entropy_with_logits(logits, targets[some].to(device))
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            losses.append(float(loss.detach()))
        _keep(state, key, network, optimiser, epoch + 1)
        if progress is not None:
            progress(epoch + 1, plan.epochs, f"loss {np.mean(losses):.3f}")
    return network.eval().requires_grad_(False)


def _augmented(pictures: Tensor, chance: torch.Generator) -> Tensor:
    """Bytes `(b, 3, 72, 72)` shifted, mirrored, brightened or darkened: `(b, 3, 64, 64)` in about [-1, 1]."""
    found = []
    for picture in pictures:
        top, left = torch.randint(2 * MARGIN + 1, (2,), generator=chance).tolist()
        some = picture[:, top : top + SIDE, left : left + SIDE]
        found.append(some.flip(2) if torch.rand((), generator=chance) < 0.5 else some)
    gain = 0.8 + 0.4 * torch.rand(len(pictures), 1, 1, 1, generator=chance)
    shift = 0.2 * torch.rand(len(pictures), 1, 1, 1, generator=chance) - 0.1
    return (torch.stack(found) / 127.5 - 1) * gain + shift


def _logits(network: AttributeNet, pictures: Tensor) -> NDArray[np.float64]:
    """`(n, k)` of pictures as they are, margins cut off."""
    device = next(network.parameters()).device
    middle = pictures[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
    with torch.no_grad():
        found = [network(some.to(device) / 127.5 - 1).cpu() for some in torch.split(middle, 256)]
    return torch.cat(found).double().numpy()


def _calibrated(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Slope and offset of each attribute, by logistic regression of the truth on the logit (Platt 1999)."""
    fits = [LogisticRegression(C=10.0).fit(x[:, None], y) for x, y in zip(logits.T, truth.T, strict=True)]
    return np.array([fit.coef_[0, 0] for fit in fits]), np.array([fit.intercept_[0] for fit in fits])


def _figures(logits: NDArray[np.float64], truth: NDArray[np.bool_], names: tuple[str, ...]) -> dict[str, Any]:
    """AUC, accuracy at ½, share of positives, and calibration error of every attribute on pictures not trained on."""
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
    """What a user has to know, by rule: attributes that are hardly told apart, and what labels are."""
    weak = [name for name, row in held_out.items() if row["auc"] < _WEAK]
    return (
        "An attribute is what the labels' annotators saw in a picture, with their biases and those of the choice of "
        "persons; it is no fact about a person. Probabilities hold for pictures like those it was calibrated on. "
        f"Held-out AUC below {_WEAK}: {', '.join(weak) or 'none'}."
    )


def calibration_error(probabilities: NDArray[np.float64], truth: NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error (Naeini et al. 2015).

    The mean over `bins` of equal width, each weighted by how many `probabilities (n,)` fall into it, of how far their
    mean lies from the share of the positive ones among them.
    """
    places = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        (places == k).mean() * abs(probabilities[places == k].mean() - truth[places == k].mean())
        for k in range(bins)
        if (places == k).any()
    ]
    return float(sum(gaps))


# --- stopping and going on ----------------------------------------------------------------------------------


def _keep(path: Path, key: Mapping[str, Any], network: AttributeNet, optimiser: torch.optim.AdamW, epoch: int) -> None:
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for k, weight in enumerate(network.parameters()):
        tensors |= {f"adam.{k}.{name}": value.reshape(-1) for name, value in optimiser.state[weight].items()}
    cards.write(path, _STATE, tensors, {"key": json.loads(json.dumps(key)), "epoch": epoch})


def _resume(path: Path, key: Mapping[str, Any], network: AttributeNet, optimiser: torch.optim.AdamW) -> int:
    """The epoch to go on with."""
    if not path.exists():
        return 0
    tensors, card = cards.read(path, _STATE)
    with cards.guard(path, _STATE):
        if card["key"] != json.loads(json.dumps(key)):
            raise UserError(f"{path} is of a training on other data or with another plan: remove it to begin anew")
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
        return int(card["epoch"])
