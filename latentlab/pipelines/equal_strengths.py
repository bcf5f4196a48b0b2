"""Strengths of equal effect: how far each of several directions has to go to change the same share of faces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.batching import BatchSize
from latentlab.directions import Direction
from latentlab.directions.response import Response
from latentlab.editing import strength_range
from latentlab.errors import UserError
from latentlab.files import read_json, write_json
from latentlab.pipelines.calibration import changed_share
from latentlab.pipelines.crossings import first_crossings
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Renderer
from latentlab.resuming import check_same
from latentlab.samples import SampleTable
from latentlab.schemas import checked
from latentlab.scorers import Scorer, check_score
from stylegan2.fingerprint import fingerprint

_FILE = "equal_strengths.json"
# Where sigma is unknown, the furthest strength that is tried, in multiples of the end of the direction's range.
_RANGES = 3.0


@dataclass(frozen=True)
class EqualStrength:
    """The strength at which a direction changes as many faces as the others do.

    Attributes
    ----------
    strength
        The least strength found to change that many, in the direction's units; if none did, the one changing the most.
    share
        Share of the faces that it changes.
    reached
        Whether that is as many as were asked for.
    response
        Share of the faces at every strength that was tried.
    """

    strength: float
    share: float
    reached: bool
    response: Response


@dataclass(frozen=True)
class EqualSettings:
    """How strengths of equal effect are searched for.

    Attributes
    ----------
    away
        Whether faces are to lose the attribute.
    most_sigmas
        The furthest that faces are moved, in standard deviations along the direction; of a direction without sigma,
        three times the end of its range.
    tries
        Number of strengths that are tried for each direction at most, 2 or more.
    batch_size
        Images rendered at once, see `latentlab.batching`.
    folder
        Folder that keeps what was measured, in `equal_strengths.json`, where a stopped run resumes; None for none.
    """

    away: bool = False
    most_sigmas: float = 8.0
    tries: int = 8
    batch_size: BatchSize = "auto"
    folder: Path | None = None


def calibrate_equal(
    directions: Mapping[str, Direction],
    faces: SampleTable,
    share: float,
    renderer: Renderer,
    scorer: Scorer,
    attribute: str,
    settings: EqualSettings | None = None,
    progress: bool | Stage = True,
) -> dict[str, EqualStrength]:
    """Find for each of several directions the strength at which it changes a given share of the same faces.

    Parameters
    ----------
    directions
        Directions by name, of any spaces.
    faces
        Faces that are to change: without the attribute or, if they are to lose it, with it. Not those that the
        directions are to be judged on: a strength chosen on these flatters itself.
    share
        Share of the faces that is to get (or lose) the attribute, above 0 up to 1.
    renderer, scorer
        Networks that render and score the edited faces.
    attribute
        Name of the score that decides the label, at the threshold of `faces`.
    settings
        Way, range and effort of the search; None for the defaults.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Returns
    -------
    dict
        Strengths by name. A direction that changes too few faces is not `reached`.

    Raises
    ------
    UserError
        If there are no faces, the share is out of range, the scorer has no such score, a direction is of another
        generator, or the folder holds another calibration.
    """
    settings = EqualSettings() if settings is None else settings
    check_score(scorer.names, attribute)
    if not len(faces) or not 0 < share <= 1:
        raise UserError(f"a calibration takes faces and a share above 0 up to 1, not {len(faces)} and {share:g}")
    for direction in directions.values():
        direction.check(renderer.generator)
    kept = _Kept(settings.folder, _inputs(faces, renderer, scorer, attribute, settings))
    found = {}
    with stage_of(progress)("calibrating", "direction") as step:
        for name, direction in directions.items():
            search = _Search(faces, direction, renderer, scorer, attribute, settings)
            found[name] = search(share, kept.of(name, direction), kept.save)
            step(len(found), len(directions))
    return found


@dataclass(frozen=True, eq=False)
class _Search:
    """Search for the strength of one direction."""

    faces: SampleTable
    direction: Direction
    renderer: Renderer
    scorer: Scorer
    attribute: str
    settings: EqualSettings

    def __call__(self, share: float, tried: dict[str, float], save: Callable[[], None]) -> EqualStrength:
        """Find it; `tried` has the shares that are known, by strength as JSON holds it, and gets those that are new."""
        sign = -1 if self.settings.away else 1

        def respond(rows: NDArray[np.intp], strengths: NDArray[np.float64]) -> NDArray[np.float64]:
            strength = sign * float(strengths[0])
            if repr(strength) not in tried:
                tried[repr(strength)] = self._share(strength)
                save()
            return np.array([tried[repr(strength)]])

        before = respond(np.zeros(1, dtype=np.intp), np.zeros(1))
        slack = np.array([(1 - 1e-6) / len(self.faces)])  # a share has so many steps
        most = np.array([self._most()])
        end = first_crossings(respond, before, share - 1e-9, most, slack, self.settings.tries)
        response = Response(tuple(map(float, tried)), tuple(tried.values()))
        return EqualStrength(sign * float(end.strengths[0]), float(end.after[0]), bool(end.reached[0]), response)

    def _share(self, strength: float) -> float:
        return changed_share(
            self.faces,
            self.direction,
            strength,
            self.renderer,
            self.scorer,
            self.attribute,
            self.settings.away,
            self.settings.batch_size,
        )

    def _most(self) -> float:
        if self.direction.sigma:
            return self.settings.most_sigmas * self.direction.sigma
        return _RANGES * abs(strength_range(self.direction)[0 if self.settings.away else 1])


@dataclass(frozen=True)
class _Tried:
    """What is kept of a direction: its fingerprint, and shares by strengths as `repr` writes them."""

    direction: str
    shares: dict[str, Annotated[float, msgspec.Meta(ge=0, le=1)]]

    def __post_init__(self) -> None:
        if not all(math.isfinite(float(strength)) for strength in self.shares):
            raise ValueError("a strength is no finite number")


@dataclass(frozen=True)
class _State:
    """What is read of the file, besides what the shares depend on."""

    directions: dict[str, _Tried]


class _Kept:
    """Shares by direction and strength, in a file that a stopped run finds again."""

    def __init__(self, folder: Path | None, inputs: dict[str, Any]) -> None:
        self._path = None if folder is None else folder / _FILE
        self._state: dict[str, Any] = {**inputs, "directions": {}}
        if self._path is not None and self._path.exists():
            self._state = read_json(self._path, dict[str, Any])
            checked(self._state, _State, str(self._path))
            check_same(self._path, "a calibration", self._state, inputs)

    def of(self, name: str, direction: Direction) -> dict[str, float]:
        """Shares of a direction by strength; UserError if those of another one of that name were kept."""
        inputs = {"direction": _fingerprint(direction)}
        entry: dict[str, Any] = self._state["directions"].setdefault(name, {**inputs, "shares": {}})
        check_same(f"{self._path}: {name}", "a calibration", entry, inputs)
        shares: dict[str, float] = entry["shares"]
        return shares

    def save(self) -> None:
        """Write the file, if there is to be one."""
        if self._path is not None:
            write_json(self._path, self._state)


def _inputs(
    faces: SampleTable, renderer: Renderer, scorer: Scorer, attribute: str, settings: EqualSettings
) -> dict[str, Any]:
    """What the shares depend on besides the direction, for JSON."""
    return {
        "generator": renderer.generator.fingerprint,
        "resolution": renderer.resolution,
        "scorer": scorer.fingerprint,
        "attribute": attribute,
        "threshold": None if faces.threshold is None else str(faces.threshold),
        "faces": fingerprint({}, {"seeds": torch.from_numpy(faces.seeds), "w": torch.from_numpy(faces.w)}),
        "away": settings.away,
    }


def _fingerprint(direction: Direction) -> str:
    """Hash of all that moves latents."""
    tensors = {"vector": torch.from_numpy(direction.vector)}
    where: dict[str, Any] = {"space": direction.space, "layers": direction.layers}
    if direction.channels is not None:
        where["channels"] = direction.channels.names
        tensors["scales"] = torch.from_numpy(direction.channels.scales)
    return fingerprint(where, tensors)
