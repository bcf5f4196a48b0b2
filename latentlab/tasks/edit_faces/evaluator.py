"""Measure edits of faces: whether the target was reached, and what changed besides it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.comparison.protocol import Columns, Measure
from latentlab.datasets.labelled_faces import Labeller
from latentlab.faces.regions import find_region, mean_region, region_of
from latentlab.images import reduce
from latentlab.metrics import LPIPS, Identity, Interval, Leakage, OutsideChange, Sharpness
from latentlab.metrics.base import LastResult
from latentlab.metrics.identity import enlarged
from latentlab.pipelines.components import Components
from latentlab.scorers import MouthGeometry
from latentlab.scorers.attributes.scorer import AttributeScorer
from latentlab.tasks.distributions import MEASURES as DISTRIBUTION_MEASURES
from latentlab.tasks.distributions import DistributionMetrics
from latentlab.tasks.edit_faces.definition import EditSettings


def edit_measures(judged: str) -> tuple[Measure, ...]:
    """Return the measures of edits of an attribute."""
    region = region_of(judged)
    where = "to the photo" if region is None else f"outside the {region}"
    return (
        Measure("judge_reached", "target reached, by the independent classifier", "more", share=True),
        # Latent methods move each photo until this scorer is content, so it crowns nobody.
        Measure("reached", "target reached, by the labelling scorer", "neither", share=True),
        Measure("judge", "probability of the target, by the independent classifier", "more"),
        Measure("corner_lift", "mouth corners lifted, eye distances", "neither", unknown="no face is found"),
        Measure("identity", "identity kept", "more", unknown=Identity.unknown),
        Measure("lpips_outside", f"LPIPS {where}", "less"),
        Measure("l1_outside", f"L1 {where}", "less", unknown="the region covers the whole image"),
        Measure("leakage", "leakage to other attributes", "less"),
        *DISTRIBUTION_MEASURES,
        Measure("sharpness", "sharpness, as a share of the photo's", "neither", unknown=Sharpness.unknown),
    )


class EditEvaluator:
    """Measures edits of photos.

    Parameters
    ----------
    photos
        The photos to edit, `(n, 3, h, h)` in [-1, 1].
    part
        Gives the images of a part of the training set, 'trainA', 'trainB' or 'testB'.
    components
        Labelling scorer, face detector, descriptor and perceptual distance.
    judge
        Classifier that judges the results.
    settings
        Attributes, direction and resolution of the task.

    Attributes
    ----------
    labeller
        Decides with the labelling scorer which images are of the target domain.
    """

    def __init__(
        self,
        photos: Tensor,
        part: Callable[[str], Tensor],
        components: Components,
        judge: AttributeScorer,
        settings: EditSettings,
    ) -> None:
        self.judge, self.settings = judge, settings
        self.labeller = Labeller(components.scorer, settings.attribute, settings.towards, components.device)
        self._photos, self._part, self._components = photos, part, components
        self._logits = LastResult(self._classify)
        self._sharpness, self._outside = Sharpness(), OutsideChange()

    @property
    def sign(self) -> float:
        """Sign of the judge's logits, and of strengths, that lead to the target."""
        return 1.0 if self.settings.towards == "positive" else -1.0

    @cached_property
    def shown(self) -> Tensor:
        """The photos at the task's resolution, `(n, 3, size, size)`."""
        return reduce(self._photos, self.settings.size)

    @cached_property
    def regions(self) -> Tensor:
        """Where edits may change `shown`, `(n, 1, size, size)`, 1 within, such as the mouths; nowhere for others."""
        size, name = self.settings.size, region_of(self.settings.judged)
        if name is None:
            return self._photos.new_zeros(len(self._photos), 1, size, size)
        usual = mean_region(name, size).to(self._photos)
        found = (find_region(photo, name, self._components.detector, size) for photo in torch.split(self._photos, 1))
        return torch.cat([usual if region is None else region for region in found])

    # --- metrics, each built at its first use ---------------------------------------------------------------

    @cached_property
    def _identity(self) -> Identity:
        return Identity(self._components.descriptor)

    @cached_property
    def _lpips(self) -> LPIPS:
        return LPIPS(self._components.perceptual)

    def _corner_lift(self, images: Tensor) -> Tensor:
        return MouthGeometry(self._components.detector)(enlarged(images))[:, 0]

    @cached_property
    def _corner_lift_before(self) -> Tensor:
        return self._corner_lift(self.shown)

    @cached_property
    def _leakage(self) -> Leakage:
        deviation = np.concatenate([self.logits(self._part("trainA")), self.logits(self._part("trainB"))]).std(axis=0)
        return Leakage(self.judge, self.settings.judged, self.settings.related, deviation, self.logits)

    @cached_property
    def _distributions(self) -> DistributionMetrics:
        return DistributionMetrics(self._components.perceptual, self._part("testB"))

    @torch.no_grad()
    def _classify(self, images: Tensor) -> NDArray[np.float64]:
        return self.judge.logits(images.to(self._components.device)).double().cpu().numpy()

    def logits(self, images: Tensor) -> NDArray[np.float64]:
        """Return the logits of all attributes of the judge, `(n, k)`."""
        return self._logits(images)

    # --- measuring ------------------------------------------------------------------------------------------

    def measure(self, made: Tensor) -> Columns:
        """Return all measures of single images."""
        lift = self._corner_lift(made) - self._corner_lift_before
        return {
            **self.gained_and_kept(made),
            "reached": self.labeller.in_target(made).astype(np.float64),
            "corner_lift": lift.double().cpu().numpy(),
            "sharpness": self._sharpness.per_image(self.shown, made),
        }

    def gained_and_kept(self, made: Tensor) -> Columns:
        """Return the measures of each point of a curve: 'judge', 'judge_reached', 'identity', and `changes`."""
        judge = self.sign * self.logits(made)[:, self.judge.names.index(self.settings.judged)]
        return {
            "judge": 1 / (1 + np.exp(-judge)),
            "judge_reached": (judge > 0).astype(np.float64),
            "identity": self.identity(self.shown, made),
            **self.changes(self.shown, made),
        }

    def identity(self, before: Tensor, after: Tensor) -> NDArray[np.float64]:
        """Return how much of the identity is kept, `(n,)`."""
        return self._identity.per_image(before, after)

    def changes(self, before: Tensor, after: Tensor) -> Columns:
        """Return how far apart images are outside `regions`: 'lpips_outside', 'l1_outside'."""
        return {
            "lpips_outside": self._lpips.per_image(before, after, self.regions),
            "l1_outside": self._outside.per_image(before, after, self.regions),
        }

    def measure_set(self, made: Tensor) -> dict[str, Interval]:
        """Return 'leakage' and the distances to the target domain."""
        self._leakage.reset()
        self._leakage.update(self.shown, made)
        return {"leakage": self._leakage.compute(), **self._distributions.measure(made)}
