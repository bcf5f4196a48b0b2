"""Learn directions from labelled samples, with the networks that the method needs and no others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latentlab import registry
from latentlab.directions import Finder, Fit, Needs, fit_many
from latentlab.errors import UserError
from latentlab.pipelines.components import Components
from latentlab.progress import Stage
from latentlab.samples import SampleStore
from latentlab.scorers import ThresholdLike, check_score


def fit_samples(
    samples: str | Path,
    attributes: Sequence[str],
    method: str,
    components: Components,
    threshold: ThresholdLike | None = None,
    progress: bool | Stage = True,
) -> dict[str, Fit]:
    """Learn a direction for each of several attributes of labelled samples, and judge it on held-out ones.

    Parameters
    ----------
    samples
        Folder that `label_samples` wrote.
    attributes
        Names of scores; for a method that learns from no score, the one name by which its components are called.
    method
        Name of a finder.
    components
        Networks that the samples were drawn with. The generator is loaded for methods in space z or s, which other
        methods use where it has no W, and for those that look through it, which see images at the samples'
        resolution; the scorer is loaded for those that look through it.
    threshold
        See `latentlab.directions.fit`.
    progress
        True for a progress bar, False for none, or a `Stage` of your own; for methods that take long.

    Raises
    ------
    UserError
        If there are no such samples, score or method, a class is missing, or a network is not that of the samples.
    """
    store = SampleStore.load(samples)
    finder: Finder = registry.finders.load(method)()
    needs = Needs.of(finder, store.has_w)
    if needs.labels:
        for attribute in attributes:
            check_score(store.settings.names, attribute)
    elif len(attributes) > 1:
        raise UserError(f"{method} learns from no score, and finds the same for every attribute: give it one name")
    _report(finder, progress)
    renderer = components.renderer(store.settings.resolution) if needs.renderer else None
    scorer = components.scorer if needs.scorer else None
    return fit_many(store.table(), attributes, finder, threshold=threshold, renderer=renderer, scorer=scorer)


def _report(finder: Any, progress: bool | Stage) -> None:
    """Let a finder that can report its progress do so."""
    if "progress" in (finder.get_params(deep=False) if hasattr(finder, "get_params") else ()):
        finder.set_params(progress=progress)
