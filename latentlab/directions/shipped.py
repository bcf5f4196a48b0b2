"""Directions that come with the package, by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from latentlab.directions.direction import Direction
from latentlab.errors import UserError

SHIPPED = ("smile",)


def load_direction(name_or_path: str) -> Direction:
    """The direction in a file, or the shipped one of that name.

    'smile' is what `latentlab smile` learns with its own defaults: 2,000 seeds of `mobile-ffhq`, all generated
    faces, labelled by `fer`; its card has its held-out figures. Non-commercial, like the generator.

    Raises
    ------
    UserError
        There is neither, or the file is no direction.
    """
    if Path(name_or_path).exists():
        return Direction.load(name_or_path)
    if name_or_path in SHIPPED:
        return Direction.load(str(files("latentlab") / "data" / "directions" / f"{name_or_path}.safetensors"))
    raise UserError(f"there is no file {name_or_path}, and of that name no direction is shipped: {', '.join(SHIPPED)}")
