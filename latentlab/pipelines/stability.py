"""How stable the direction of a method is: refitted to resampled and to fewer samples, and beside another method."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentlab import registry
from latentlab.directions import Needs
from latentlab.directions.confidence import (
    Comparison,
    CurvePoint,
    bootstrap_cosine,
    compare_decisions,
    learning_curve,
)
from latentlab.directions.finders import Classifier
from latentlab.directions.fitting import Examples, examples_for
from latentlab.errors import UserError
from latentlab.intervals import Interval
from latentlab.markdown import table
from latentlab.metrics import format_interval
from latentlab.pipelines.components import Components
from latentlab.progress import Stage
from latentlab.reprs import ShortRepr
from latentlab.samples import SampleStore
from latentlab.scorers import ThresholdLike


@dataclass(frozen=True, repr=False)
class Stability(ShortRepr):
    """How far the direction of a method depends on its samples.

    Attributes
    ----------
    attribute, method
        Names of the score, and of the finder.
    cosine
        Cosine between directions that are learnt from resampled rows and the one that is learnt from all.
    curve
        What fewer samples give, from all of them downwards.
    against
        Another finder's name, and the comparison of both on the held-out rows; None if there is none.
    """

    attribute: str
    method: str
    cosine: Interval
    curve: tuple[CurvePoint, ...]
    against: tuple[str, Comparison] | None

    def lines(self) -> list[str]:
        """Describe it in lines, with a table of the curve."""
        header = ["samples", "AUC, held out", "cosine to the direction of all"]
        rows = [(point.n, format_interval(point.auc), format_interval(point.cosine)) for point in self.curve]
        found = [
            f"{self.attribute} by {self.method}: the cosine of a direction of resampled samples to this one is "
            f"{format_interval(self.cosine)}",
            "",
            *table(header, rows, numbers=()).splitlines(),
        ]
        if self.against is not None:
            found += ["", _verdict(self.method, *self.against)]
        return found


def _verdict(method: str, other: str, found: Comparison) -> str:
    better = {"one": f"{method} separates better", "other": f"{other} separates better", "neither": "a tie"}
    return (
        f"AUC of {method} {found.one:.3f}, of {other} {found.other:.3f}, difference "
        f"{format_interval(found.difference)}: {better[found.better]}"
    )


def measure_stability(
    samples: str | Path,
    attribute: str,
    method: str,
    components: Components,
    against: str | None = None,
    threshold: ThresholdLike | None = None,
    resamples: int = 50,
    progress: bool | Stage = True,
) -> Stability:
    """Refit a finder to resampled and to fewer samples, and compare it with another one.

    Parameters
    ----------
    samples
        Folder that `label_samples` wrote.
    attribute
        Name of a score.
    method, against
        Names of finders of one direction; the second is compared with the first.
    components
        See `fit_samples`.
    threshold
        See `latentlab.directions.fit`.
    resamples
        How often rows are drawn.
    progress
        True for progress bars, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If there are no such samples, score or method, a method gives several directions, or a class is missing.
    """
    store = SampleStore.load(samples)
    rows = {name: _examples(store, name, attribute, components, threshold) for name in (method, against) if name}
    one = rows[method]
    cosine = bootstrap_cosine(one.finder, one.x, one.y, resamples, progress=progress)
    assert one.y is not None
    curve = learning_curve(one.finder, one.x, one.y, one.held_out, progress=progress)
    if against is None:
        return Stability(attribute, method, cosine, curve, None)
    compared = compare_decisions(_decision(one), _decision(rows[against]), one.held_out[1])
    return Stability(attribute, method, cosine, curve, (against, compared))


def _examples(
    store: SampleStore, method: str, attribute: str, components: Components, threshold: ThresholdLike | None
) -> Examples:
    needs = Needs.of(method, store.has_w)
    if not needs.labels:
        raise UserError(f"{method} learns from no score: it gives the same components for all labels")
    renderer = components.renderer(store.settings.resolution) if needs.renderer else None
    scorer = components.scorer if needs.scorer else None
    finder = registry.finders.load(method)()
    return examples_for(store.table(), attribute, finder, threshold=threshold, renderer=renderer, scorer=scorer)


def _decision(rows: Examples) -> NDArray[np.float64]:
    finder = rows.finder
    finder.fit(rows.x, rows.y)
    if not isinstance(finder, Classifier):
        raise UserError(f"{type(finder).__name__} has no decision_function, by which it could be judged")
    return finder.decision_function(rows.held_out[0])
