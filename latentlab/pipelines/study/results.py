"""What travels through a study: what it works with, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentlab.directions import Direction, DirectionStatistics
from latentlab.pipelines.study.settings import StudySettings
from latentlab.progress import Stage
from latentlab.rendering import Renderer
from latentlab.samples import EditTable, SampleTable
from latentlab.scorers import Scorer
from stylegan2.protocol import Generator


@dataclass(frozen=True)
class Bench:
    """What a study works with.

    Attributes
    ----------
    settings, folder
        What is studied, and where its results lie.
    generator, scorer
        The networks.
    renderer
        Renders what is scored.
    stage
        Shows the progress.
    batch_size
        Pictures rendered at once.
    """

    settings: StudySettings
    folder: Path
    generator: Generator
    scorer: Scorer
    renderer: Renderer
    stage: Stage
    batch_size: int


@dataclass(frozen=True)
class Fit:
    """A direction, and what it is worth on the held-out samples."""

    direction: Direction
    held_out: DirectionStatistics


@dataclass(frozen=True)
class Edits:
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
    """All that a study found.

    Attributes
    ----------
    table, train, test
        The samples, and masks of those learnt on and held out.
    fits
        By method.
    reach
        The calibrated strengths (towards, away): positive and negative, in units of w.
    edits
        By method.
    """

    table: SampleTable
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    fits: dict[str, Fit]
    reach: tuple[float, float]
    edits: dict[str, Edits]
