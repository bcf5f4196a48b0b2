"""How far an edit moves attributes that it was not meant for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.errors import UserError
from latentlab.metrics import functional
from latentlab.metrics.base import LastResult, Metric
from latentlab.metrics.intervals import UNKNOWN, Interval, statistic_interval, unknown_because
from latentlab.scorers import check_related
from latentlab.scorers import related as related_of
from latentlab.scorers.attributes.scorer import AttributeScorer, load_attributes

# In standard deviations of the target's logit: leakage is a share of the target's move, meaningless for less.
_LEAST_MOVE = 0.2


class Leakage(Metric):
    """Mean move of the other attributes as a share of the target's move; see `functional.leakage`.

    Parameters
    ----------
    classifier
        Attribute classifier whose logits are used; None for the one that comes with the package.
    target
        Attribute that is edited.
    related
        Attributes that change with the target by nature, and are not leakage; None for those of
        `latentlab.scorers.related` that the classifier knows.
    deviation
        `(k,)`: standard deviation of the classifier's logits over a population; None for that of the images before.
    logits
        Images to logits `(n, k)`, where something remembers them; None for the classifier's own.

    Raises
    ------
    UserError
        If the classifier does not know the target or a related attribute.
    """

    title = "Leakage to other attributes"
    higher_is_better = False

    def __init__(
        self,
        classifier: AttributeScorer | None = None,
        target: str = "smiling",
        related: Sequence[str] | None = None,
        deviation: NDArray[np.float64] | None = None,
        logits: Callable[[Tensor], NDArray[np.float64]] | None = None,
    ) -> None:
        self.classifier = load_attributes() if classifier is None else classifier
        names = self.classifier.names
        if target not in names:
            raise UserError(f"this classifier knows no {target}; it knows {', '.join(names)}")
        related = related_of(target, names) if related is None else check_related(related, names)
        self._target = names.index(target)
        self._others = [k for k, name in enumerate(names) if name != target and name not in related]
        self._deviation = deviation
        self._logits = logits or self._classify
        self._logits_before = LastResult(self._logits)
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._batches: list[NDArray[np.float64]] = []

    @torch.no_grad()
    def _classify(self, images: Tensor) -> NDArray[np.float64]:
        device = next(self.classifier.network.parameters()).device
        return self.classifier.logits(images.to(device)).double().cpu().numpy()

    def update(self, before: Tensor, after: Tensor) -> None:
        """Add images; see `Metric.update`."""
        self._batches.append(np.stack([self._logits_before(before), self._logits(after)], axis=1))

    def compute(self) -> Interval:
        """Return the mean over the other attributes; unknown where the target moved by less than 0.2 deviations."""
        if not self._batches:
            return UNKNOWN
        logits = np.concatenate(self._batches)  # (n, 2, k)
        deviation = logits[:, 0].std(axis=0) if self._deviation is None else self._deviation
        target, others = self._target, self._others

        def mean_leakage(both: NDArray[np.float64]) -> float:
            return float(functional.leakage(both[:, 0], both[:, 1], deviation, target)[others].mean())

        moved = abs((logits[:, 1] - logits[:, 0])[:, target].mean()) / deviation[target]
        if moved < _LEAST_MOVE:
            return unknown_because("the edited attribute itself hardly moved")
        return statistic_interval(mean_leakage, logits, least=0)
