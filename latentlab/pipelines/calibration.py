"""How far to go along a direction, the same for all faces: learnt on training faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from latentlab.batching import AnyBatch, Batches
from latentlab.directions import Direction
from latentlab.directions.response import Response
from latentlab.editing import from_sigmas, spread
from latentlab.files import read_json, write_json
from latentlab.pipelines.edits import rescore
from latentlab.progress import Stage, Step, stage_of
from latentlab.rendering import Renderer
from latentlab.samples import SampleTable
from latentlab.scorers import Scorer
from latentlab.scorers.threshold import NEGATIVE, POSITIVE

# Faces of each label, and the strengths that are tried, in sigmas.
_FACES = 12
_SERIES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)


@dataclass(frozen=True)
class Reach:
    """How far edits go, in the direction's units.

    Attributes
    ----------
    towards
        Strength, positive, at which faces without the attribute get it.
    away
        Strength, negative, at which faces with the attribute lose it.
    changed_towards, changed_away
        Shares of the training faces whose label changed at these two strengths: below 1 where none of the strengths
        that were tried changed them all. None if unknown.
    response
        Share of the faces that changed their label, at every strength that was tried; None if unknown.
    """

    towards: float
    away: float
    changed_towards: float | None = None
    changed_away: float | None = None
    response: Response | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as a dictionary for JSON."""
        response = None if self.response is None else self.response.to_dict()
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "response": response}

    def calibrated(self, direction: Direction) -> Direction:
        """Return a direction with the response, and with the range if every face changed its label at its ends."""
        direction = replace(direction, response=self.response)
        if all(share is None or share == 1 for share in (self.changed_away, self.changed_towards)):
            direction = replace(direction, strength_range=(self.away, self.towards))
        return direction

    def strengths(self, steps: int) -> tuple[float, ...]:
        """An odd number of strengths from `away` through 0 to `towards`, evenly spaced on either side."""
        return spread(self.away, self.towards, steps)


def calibrate_reach(
    train: SampleTable,
    attribute: str,
    direction: Direction,
    renderer: Renderer,
    scorer: Scorer,
    batch_size: AnyBatch = "auto",
    progress: bool | Stage = True,
    begun: Path | None = None,
) -> Reach:
    """Find how far to go along `direction`, towards an attribute and away from it.

    Each of the two is the first strength at which a dozen faces of the other label have all changed theirs. Where none
    up to 8 standard deviations does that, it is the first that changes the most of them: beyond it, faces only get
    distorted.

    Parameters
    ----------
    train
        Training faces, not held-out ones: a strength chosen on the faces that it is judged by flatters itself.
    attribute
        Name of the score that decides the label, at the threshold of `train`.
    direction
        Direction with a sigma.
    renderer, scorer
        Networks that render and score the edited faces.
    batch_size
        Images rendered at once, see `latentlab.batching`.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.
    begun
        File that keeps what was found at each strength, from which a stopped run goes on; the caller removes it, and
        has made sure that it belongs to the same work. None keeps nothing.

    Raises
    ------
    UserError
        If the file is broken, or cannot be written.
    """
    train = train.resolve(attribute)
    labels, series = train.labels(attribute), [from_sigmas(direction, sigmas) for sigmas in _SERIES]
    kept, done, total = _KeptShares(begun), 0, 2 * len(_SERIES) * _FACES

    def respond(sign: int, step: Step) -> Response:
        nonlocal done
        faces = train.subset(np.flatnonzero(labels == (NEGATIVE if sign > 0 else POSITIVE))[:_FACES])
        shares: dict[float, float] = {}
        for strength in series:
            args = (faces, direction, sign * strength, renderer, scorer, attribute, sign < 0, batch_size)
            share = kept.find(sign * strength, partial(changed_share, *args))
            shares[sign * strength] = share
            done += len(faces)
            step(min(done, total), total)
            if share == 1:
                break
        return Response(tuple(shares), tuple(shares.values()))

    batch_size = Batches.of(batch_size, renderer)
    with stage_of(progress)("calibrating") as step:
        towards, away = respond(1, step), respond(-1, step)
        step(total, total)
    furthest, back = towards.strongest(1), away.strongest(-1)
    response = Response(
        (*away.strengths, 0.0, *towards.strengths),
        (*away.values, 0.0, *towards.values),  # a face counts as changed where its label differs from before
    )
    return Reach(furthest, back, towards(furthest), away(back), response)


class _KeptShares:
    """Shares by strength, which a file keeps if there is one."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.shares: dict[str, float] = {} if path is None or not path.exists() else read_json(path, dict[str, float])

    def find(self, strength: float, measure: Callable[[], float]) -> float:
        """Return the share at a strength, measuring it if that was not done yet."""
        if str(strength) not in self.shares:
            self.shares[str(strength)] = measure()
            if self.path is not None:
                write_json(self.path, self.shares)
        return self.shares[str(strength)]


def changed_share(
    faces: SampleTable,
    direction: Direction,
    strength: float,
    renderer: Renderer,
    scorer: Scorer,
    attribute: str,
    away: bool = False,
    batch_size: AnyBatch = "auto",
) -> float:
    """Share of the faces that have an attribute at a strength or, if `away`, lack it; see `rescore`."""
    edited = rescore(faces, direction, [strength], renderer, scorer, batch_size, progress=False)
    return float(np.mean(edited.labels(attribute) == (NEGATIVE if away else POSITIVE)))
