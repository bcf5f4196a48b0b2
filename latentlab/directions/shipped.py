"""Load directions: those that come with the package, by name, and files."""

from __future__ import annotations

import difflib
from importlib.resources import as_file, files
from pathlib import Path

from latentlab.cards import has_card
from latentlab.directions.direction import Direction
from latentlab.errors import UserError

SHIPPED = ("smile",)


def load_direction(name_or_path: str | Path, attribute: str | None = None, generator: str | None = None) -> Direction:
    """Load a direction that comes with the package by its name, or one from a file.

    'smile' is what `latentlab smile` learns with its own defaults: 2,000 seeds of `mobile-ffhq`, all generated
    faces, labelled by `fer`; its card has its held-out statistics. Non-commercial, like the generator.

    Parameters
    ----------
    name_or_path
        'smile', or a file: as `latentlab fit` and `Direction.save` write it, or a published .npy, .npz, .pt or
        .safetensors with one array (see `latentlab.directions.published`). Names come before files: give a file that is
        called like one as ./NAME, or as a Path.
    attribute
        Attribute of a published array; by default the file's name. Other files have it in their cards.
    generator
        Fingerprint of the generator that a published array was learnt on, if known.

    Raises
    ------
    UserError
        If there is neither (suggests the nearest name), or the file is not a direction.
    """
    if isinstance(name_or_path, str) and name_or_path in SHIPPED:
        with as_file(files("latentlab") / "data" / "directions" / f"{name_or_path}.safetensors") as shipped:
            return Direction.load(shipped)
    path = Path(name_or_path)
    if not path.is_file():
        raise _missing(path)
    if not has_card(path):
        from latentlab.directions.published import load_published

        return load_published(path, attribute or path.stem, generator)
    if attribute is not None or generator is not None:
        raise UserError(
            f"{path} has a card that names its attribute and generator; give these for published arrays only"
        )
    return Direction.load(path)


def _missing(path: Path) -> UserError:
    if path.is_dir():
        return UserError(f"{path} is a folder; give the file of a direction in it")
    near = difflib.get_close_matches(str(path), SHIPPED, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"directions that come with the package: {', '.join(SHIPPED)}"
    return UserError(f"there is no file {path}, and no direction of that name; {hint}")
