"""The results of a study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentlab.directions import Fit
from latentlab.pipelines.calibration import Reach
from latentlab.pipelines.study.settings import StudySettings
from latentlab.samples import EditTable, SampleTable


@dataclass(frozen=True)
class HeldOutEdits:
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


@dataclass(frozen=True)
class Study:
    """All results of a study.

    Attributes
    ----------
    settings
        Settings of the study, with the names of the networks.
    table
        The samples.
    train, test
        Masks `(samples,)` of the samples that directions were learnt on, and of those held out.
    fits
        Directions and their statistics, by method.
    reach
        The calibrated strengths.
    edits
        Scores of the edited faces, by method.
    """

    settings: StudySettings
    table: SampleTable
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    fits: dict[str, Fit]
    reach: Reach
    edits: dict[str, HeldOutEdits]
