"""Load directions: those that come with the package, by name, and files."""

from __future__ import annotations

import difflib
import os
import warnings
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from latentlab.cards import has_card
from latentlab.directions.direction import Direction
from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.scorers.base import Scorer
    from stylegan2.protocol import Generator

_SUFFIX = ".safetensors"
_SEEDS, _PSI = range(8), 0.7  # faces that show the sign of a published direction
_SIGMAS = 2.0


def shipped_directions() -> tuple[str, ...]:
    """Names of the directions that come with the package, in alphabetical order."""
    folder = files("latentlab") / "data" / "directions"
    return tuple(sorted(one.name.removesuffix(_SUFFIX) for one in folder.iterdir() if one.name.endswith(_SUFFIX)))


def load_direction(
    name_or_path: str | Path,
    attribute: str | None = None,
    generator: str | Generator | None = None,
    scorer: Scorer | None = None,
    space: Literal["w", "z"] | None = None,
) -> Direction:
    """Load a direction that comes with the package by its name, or one from a file.

    'smile' moves a few style channels of `mobile-ffhq` (space s), learnt from generated faces that `fer` labelled;
    'smile-w' is the direction in W that an SVM learnt on 2,000 faces, for what takes only directions of W. Cards have
    held-out statistics, and what was measured of edits; `latentlab directions list` shows all. They are non-commercial,
    like the generator.

    Parameters
    ----------
    name_or_path
        A name of `shipped_directions`, or a file: as `latentlab fit` and `Direction.save` write it, or a published
        .npy, .npz, .pt or .safetensors (see `latentlab.directions.published`). Names come before files: give a file
        that is named like one as ./NAME, or as a Path.
    attribute
        Attribute of a published array; by default the file's name. Other files have it in their cards.
    generator
        Generator that a published array was learnt on, or its fingerprint, if known.
    scorer
        With a generator: finds out from a few renders with which sign the attribute of a published array grows; where
        that is the negative one, or none, a warning says so. It scores the attribute by name, or has a single score.
    space
        What the single row of a published array moves, w or z: such files do not say. None for w, or for z where the
        generator is given and has no W.

    Raises
    ------
    UserError
        If there is neither (suggests the nearest name), or the file is not a direction; if a scorer is given without a
        generator, or does not score the attribute.
    """
    shipped = shipped_directions()
    if isinstance(name_or_path, str) and name_or_path in shipped:
        with as_file(files("latentlab") / "data" / "directions" / f"{name_or_path}{_SUFFIX}") as path:
            return Direction.load(path)
    path = Path(name_or_path)
    if not os.path.isfile(path):  # which a name that is too long does not make raise
        raise _missing(path, shipped)
    if has_card(path):
        if any(given is not None for given in (attribute, generator, scorer, space)):
            raise UserError(
                f"{path} has a card that names its attribute, generator and space; give these for published arrays only"
            )
        return Direction.load(path)
    from latentlab.directions.published import load_published

    if generator is None or isinstance(generator, str):
        direction = load_published(path, attribute or path.stem, generator, space or "w")
    else:
        own = space or ("w" if generator.num_ws else "z")
        direction = load_published(path, attribute or path.stem, generator.fingerprint, own)
    if scorer is not None:
        if generator is None or isinstance(generator, str):
            raise UserError("the sign of a direction shows on faces: give the generator with the scorer")
        _tell_sign(direction, generator, scorer)
    return direction


def _tell_sign(direction: Direction, generator: Generator, scorer: Scorer) -> None:
    """Warn where the attribute does not grow with positive strengths."""
    import torch

    from latentlab.directions.signs import find_sign, score_for
    from latentlab.mapping import ws_of_seeds

    direction.check(generator)
    if direction.space not in ("w", "w+"):
        raise UserError(
            f"the sign of a direction of space {direction.space} shows with `latentlab directions import`, not here"
        )
    ws = ws_of_seeds(generator, list(_SEEDS), _PSI)
    rows = torch.from_numpy(direction.rows(generator.num_ws)).to(ws)
    strength = _SIGMAS * float(direction.coordinates(ws[:, 0].double().cpu().numpy()).std())
    resolution = min(generator.resolutions)
    notice = find_sign(
        lambda s: generator.synthesis(ws + s * rows, resolution=resolution),
        scorer,
        score_for(scorer, direction.attribute),
        strength,
    )
    if notice.sign != 1:
        warnings.warn(str(notice), stacklevel=3)


def _missing(path: Path, shipped: tuple[str, ...]) -> UserError:
    if os.path.isdir(path):
        return UserError(f"{path} is a folder; give the file of a direction in it")
    near = difflib.get_close_matches(str(path), shipped, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"directions that come with the package: {', '.join(shipped)}"
    return UserError(f"there is no file {path}, and no direction of that name; {hint}")
