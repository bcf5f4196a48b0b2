"""Metrics of a generator's latents and the attributes of its images: linear separability and DCI."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlab.errors import UserError
from latentlab.metrics import DCI, Interval, LinearSeparability, unknown_because
from latentlab.pipelines.metrics.names import DCI_SCORES
from latentlab.pipelines.metrics.parts import Array
from latentlab.pipelines.metrics.results import MeasuredMetric
from latentlab.pipelines.metrics.sampling import Source, sample_codes
from latentlab.progress import Stage, titled

_STRONGEST = 3
_SAME_CLASSIFIERS = (
    "values are comparable only with the same classifiers and as many samples; published ones take 40 CelebA "
    "classifiers of their authors"
)
_SAME_FACTORS = (
    "values are comparable only with the same classifiers and as many samples; disentanglement and completeness mean "
    "little where informativeness is near 0"
)


@dataclass(frozen=True, eq=False)
class AttributeSamples:
    """Samples of a generator with the attributes of their images.

    Attributes
    ----------
    source
        Where they come from.
    names
        The attributes.
    logits
        `(n, len(names))`.
    """

    source: Source
    names: Sequence[str]
    logits: Array


def measure_attributes(
    samples: AttributeSamples, names: Iterable[str], stage: Stage
) -> tuple[dict[str, MeasuredMetric], dict[str, Any]]:
    """Measure separability and DCI.

    Parameters
    ----------
    samples
        Samples with their attributes.
    names
        Names of the metrics, such as 'separability-w' and 'dci-s-completeness'.
    stage
        Progress.

    Returns
    -------
    dict
        The metrics by name.
    dict
        Bits of each attribute that are left unknown, and the strongest codes of each attribute, as JSON holds them.
    """
    wanted = list(names)
    found: dict[str, MeasuredMetric] = {}
    details: dict[str, Any] = {}
    for group in dict.fromkeys("-".join(name.split("-")[:2]) for name in wanted):
        kind, space = group.split("-")
        measure = _separability if kind == "separability" else _dci
        measured, detail = measure(samples, space, titled(stage, group))
        found |= measured
        if detail:
            details[group] = detail
    return {name: found[name] for name in wanted}, details


def _separability(
    samples: AttributeSamples, space: str, stage: Stage
) -> tuple[dict[str, MeasuredMetric], dict[str, float]]:
    name = f"separability-{space}"
    title = f"Linear separability in {space.upper()}"
    try:
        codes = sample_codes(samples.source, len(samples.logits), space)
    except UserError as error:  # a generator without W
        return {name: MeasuredMetric(name, title, unknown_because(str(error)), False, _SAME_CLASSIFIERS)}, {}
    metric = LinearSeparability(samples.names)
    metric.update(codes.values, samples.logits)
    value = metric.compute(stage)
    bits = {one: round(entropy, 4) for one, entropy in metric.entropies().items()} if value.known else {}
    return {name: MeasuredMetric(name, title, value, False, _SAME_CLASSIFIERS)}, bits


def _dci(
    samples: AttributeSamples, space: str, stage: Stage
) -> tuple[dict[str, MeasuredMetric], dict[str, list[list[Any]]]]:
    values: dict[str, Interval] = {}
    strongest: dict[str, list[list[Any]]] = {}
    try:
        codes = sample_codes(samples.source, len(samples.logits), space)
        metric = DCI(samples.names)
        metric.update(codes.values, samples.logits)
        scores = metric.compute(stage)
        values = {score: getattr(scores, score) for score in DCI_SCORES}
        strongest = {
            one: [[codes.names[k], round(float(weights[k]), 4)] for k in np.argsort(-weights)[:_STRONGEST]]
            for one, weights in zip(samples.names, scores.importance.T, strict=True)
            if weights.any()
        }
    except UserError as error:  # a generator without styles, or a single attribute
        values = dict.fromkeys(DCI_SCORES, unknown_because(str(error)))
    return {
        f"dci-{space}-{score}": MeasuredMetric(
            f"dci-{space}-{score}", f"{score.capitalize()} of {space.upper()} (DCI)", value, True, _SAME_FACTORS
        )
        for score, value in values.items()
    }, strongest
