"""How faces respond to strengths along a direction, and the strengths at which directions have an equal effect."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MARGINS = 400  # margins that are tried between the faces' logits


@dataclass
class Trail:
    """Logits of faces at strengths, each face with its own; linear in between.

    Attributes
    ----------
    strengths
        `(n, s)`, the first of them 0.
    logits
        `(n, s, k)` of all scores.
    """

    strengths: Floats
    logits: Floats

    @classmethod
    def begin(cls, logits: Floats) -> Trail:
        """Start with unedited faces, whose logits are `(n, k)`."""
        return cls(np.zeros((len(logits), 1)), logits[:, None])

    def add(self, strengths: Floats, logits: Floats) -> None:
        """Add a strength of each face, `(n,)`, and the logits there, `(n, k)`."""
        strengths = np.concatenate([self.strengths, strengths[:, None]], axis=1)
        order = np.argsort(strengths, axis=1, kind="stable")
        self.strengths = np.take_along_axis(strengths, order, axis=1)
        joined = np.concatenate([self.logits, logits[:, None]], axis=1)
        self.logits = np.take_along_axis(joined, order[:, :, None], axis=1)

    @property
    def end(self) -> float:
        """The strength up to which all faces are known."""
        return float(self.strengths[:, -1].min())

    def at(self, strengths: Floats, score: int) -> Floats:
        """Interpolate the logits of a score, `(n,)`, at a strength of each face."""
        rows = zip(strengths, self.strengths, self.logits[:, :, score], strict=True)
        return np.array([np.interp(strength, known, values) for strength, known, values in rows])

    def share(self, strength: float, score: int) -> float:
        """Share of the faces that are positive at one strength."""
        return float((self.at(np.full(len(self.strengths), strength), score) > 0).mean())

    def first_reaching(self, margin: float, score: int, limit: float) -> Floats:
        """The first strength `(n,)` at which each face's logit reaches a margin; the limit where none does before."""
        found = np.full(len(self.strengths), limit)
        for row, (known, values) in enumerate(zip(self.strengths, self.logits[:, :, score], strict=True)):
            above = np.flatnonzero(values >= margin)
            if len(above) == 0:
                continue
            k = int(above[0])
            if k == 0:
                found[row] = 0.0
            else:
                part = (margin - values[k - 1]) / (values[k] - values[k - 1])
                found[row] = min(limit, known[k - 1] + part * (known[k] - known[k - 1]))
        return found


def needed(success: float, faces: int) -> int:
    """Number of faces that a share of them means, rounded up."""
    return math.ceil(success * faces - 1e-9)


def one_strength(trail: Trail, judge: int, success: float) -> float:
    """The least strength for all at which a share of the faces is positive according to the judge.

    It is looked for between 0 and the end of the trail, where each face's logit is interpolated. If no strength there
    succeeds, it is the one at which most faces are positive, the least of several.
    """
    crossings = [0.0]
    for known, values in zip(trail.strengths, trail.logits[:, :, judge], strict=True):
        for k in range(1, len(known)):
            low, high = values[k - 1], values[k]
            if low <= 0 < high and known[k] <= trail.end:
                crossing = known[k - 1] + (known[k] - known[k - 1]) * (-low / (high - low))
                crossings.append(crossing * (1 + 1e-6) + 1e-9 * trail.end)  # just beyond
    strengths = sorted(crossings)
    counts = [round(trail.share(strength, judge) * len(trail.strengths)) for strength in strengths]
    return strengths[_first_enough(counts, needed(success, len(trail.strengths)))]


def strength_per_face(trail: Trail, teacher: int, judge: int, success: float, limit: float) -> Floats:
    """Strengths `(n,)` at which the teacher's logit of every face reaches one margin, the least that succeeds.

    A margin succeeds where a share of the faces is positive according to the judge. No face is moved by more than the
    limit. If no margin succeeds, it is the one with which most faces are positive.
    """
    known = trail.logits[:, :, teacher][trail.strengths <= limit]
    margins = np.linspace(known.min(), known.max(), _MARGINS)
    strengths = [trail.first_reaching(float(margin), teacher, limit) for margin in margins]
    counts = [int((trail.at(each, judge) > 0).sum()) for each in strengths]
    return strengths[_first_enough(counts, needed(success, len(trail.strengths)))]


def _first_enough(counts: list[int], least: int) -> int:
    """Index of the first count that is enough, or of the first of the largest."""
    return next((k for k, count in enumerate(counts) if count >= least), counts.index(max(counts)))


def monotonicity(trail: Trail, score: int) -> float:
    """Spearman's rank correlation between strength and logit of each face, on average: 1 where it always rises."""
    from scipy.stats import spearmanr

    found = [
        spearmanr(known, values).statistic
        for known, values in zip(trail.strengths, trail.logits[:, :, score], strict=True)
        if np.ptp(known) > 0 and np.ptp(values) > 0
    ]
    return float(np.mean(found)) if found else math.nan
