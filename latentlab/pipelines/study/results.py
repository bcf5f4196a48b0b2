"""The results of a study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentlab.directions import Fit
from latentlab.pipelines.calibration import Reach
from latentlab.pipelines.study.settings import StudySettings
from latentlab.reprs import ShortRepr
from latentlab.samples import EditTable, SampleTable
from latentlab.scorers import LabelCounts, count_labels


@dataclass(frozen=True, repr=False)
class HeldOutEdits(ShortRepr):
    """Held-out faces edited along one direction.

    Attributes
    ----------
    towards
        Faces without the attribute, at strengths from 0 up.
    away
        Faces with it, at strengths from 0 down.
    """

    towards: EditTable
    away: EditTable


@dataclass(frozen=True, repr=False)
class Study(ShortRepr):
    """All results of a study.

    Attributes
    ----------
    settings
        Settings of the study, with the names of the networks.
    table
        The samples, with the threshold of their labels in numbers.
    train, test
        Masks `(samples,)` of the samples that directions were learnt on, and of those held out.
    fits
        Directions and their statistics, by method: the main one first.
    reach
        The calibrated strengths, by method.
    edits
        Scores of the edited faces, by method.
    """

    settings: StudySettings
    table: SampleTable
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    fits: dict[str, Fit]
    reach: dict[str, Reach]
    edits: dict[str, HeldOutEdits]

    @property
    def labels(self) -> NDArray[np.int8]:
        """Labels `(samples,)`: 1 for faces with the attribute, −1 for those without, 0 for neither."""
        return self.table.labels(self.settings.attribute)

    @property
    def counts(self) -> dict[str, LabelCounts]:
        """Numbers of faces with each label: of 'all' samples, of the 'training' ones, and of the 'held out' ones."""
        labels = self.labels
        parts = {"all": self.train | self.test, "training": self.train, "held out": self.test}
        return {part: count_labels(labels[rows]) for part, rows in parts.items()}
