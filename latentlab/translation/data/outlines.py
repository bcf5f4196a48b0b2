"""Masks drawn as polygons: the JSON files of labelme, one for each picture, and of COCO, one for many.

Formats: https://github.com/wkentaro/labelme and https://cocodataset.org/#format-data.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.files import read_json
from latentlab.schemas import checked
from latentlab.translation.data.masks import check_room
from latentlab.translation.data.polygons import fill
from stylegan2.describing import describe, printable

_MOST = 1 << 30  # bytes: the annotations of COCO itself have half as many, and take some gigabytes while they are read

_MOST_POLYGONS = 10_000  # in one picture, where those of COCO have hundreds

Point = tuple[float, float]
Instance = tuple[tuple[Point, ...], ...]
"""Polygons that make up one instance, their corners in pixels."""


@dataclass(frozen=True)
class Outlines:
    """The instances of a picture as polygons.

    Attributes
    ----------
    path
        File that the polygons come from.
    picture
        Name of the picture, with the folders that the file names and without its suffix.
    instances
        Polygons of each instance.
    size
        Height and width of the picture that they were drawn on; None where the file does not say.
    problem
        What is wrong with them, after the name of the file, if they cannot be used.
    """

    path: Path
    picture: str
    instances: tuple[Instance, ...]
    size: tuple[int, int] | None
    problem: str | None = None

    def read(self, height: int, width: int) -> Tensor:
        """Draw the masks for a picture of a given size, `(n, h, w)` in {-1, 1}.

        Raises
        ------
        UserError
            The polygons cannot be used, were drawn on a picture of another size, there are none or thousands, or an
            instance has no pixel.
        """
        if self.problem is not None:
            raise UserError(f"{self.path}{self.problem}")
        if self.size is not None and self.size != (height, width):
            drawn = f"{self.size[1]}x{self.size[0]}"
            raise UserError(f"{self.path} is of another size: drawn on {drawn}, not {width}x{height}")
        if not self.instances:
            raise UserError(f"{self.path} has no instance for it")
        _check_number(self.path, sum(map(len, self.instances)))
        try:
            check_room(len(self.instances), height, width)
            masks = torch.stack([_draw(instance, height, width) for instance in self.instances])
        except UserError as error:
            raise UserError(f"{self.path}: {error}") from error
        if not (masks > 0).flatten(1).any(dim=1).all():
            raise UserError(f"{self.path} has an instance that lies outside the picture")
        return masks


@dataclass(frozen=True)
class Ambiguous:
    """Polygons of several pictures, each of which could be the one with a given name."""

    path: Path
    pictures: tuple[str, ...]

    def read(self, height: int, width: int) -> Tensor:
        """Refuse to guess: UserError names the pictures."""
        pictures = " and ".join(self.pictures)
        raise UserError(f"{self.path} has several pictures of that name, {pictures}: give each of them another name")


def outlines_of(outlines: Sequence[Outlines], pictures: Collection[str]) -> dict[str, Outlines | Ambiguous]:
    """Assign the polygons of a file to pictures of these names.

    They belong to the picture with the name that the file gives, folders included; otherwise to the one with this name
    without the folders.
    """
    exact = {one.picture for one in outlines} & set(pictures)
    found: dict[str, list[Outlines]] = {}
    for one in outlines:
        name = one.picture if one.picture in exact else PurePosixPath(one.picture).name
        if name in pictures and (name == one.picture or name not in exact):
            found.setdefault(name, []).append(one)
    return {
        name: some[0] if len(some) == 1 else Ambiguous(some[0].path, tuple(one.picture for one in some))
        for name, some in found.items()
    }


def read_outlines(path: Path, name: str) -> list[Outlines]:
    """Read a JSON file of labelme or COCO: the instances of each picture.

    A labelme file belongs to the picture of its own name, `name`; shapes with one `group_id` are one instance. In COCO,
    crowds (`iscrowd`) are left out, and pictures without an annotation have no instances. A picture with something
    other than polygons, rectangles and circles has a problem, and the others of its file are as they are.

    Raises
    ------
    UserError
        The file is of neither kind. Names the file.
    """
    data = read_json(path, dict[str, Any], most=_MOST)
    try:
        if "shapes" in data:
            return [_of_labelme(path, name, checked(data, _Labelme, "labelme"))]
        if {"images", "annotations"} <= data.keys():
            return _of_coco(path, checked(data, _Coco, "COCO"))
    except (KeyError, ValueError) as error:
        if isinstance(error, UserError) and str(path) in str(error):
            raise
        raise UserError(f"{path} cannot be read as polygons: {error}; export it again") from error
    raise UserError(f"{path} is a JSON file of neither labelme nor COCO")


_Place = Annotated[float, msgspec.Meta(ge=-1e7, le=1e7)]
_Side = Annotated[float, msgspec.Meta(ge=1, le=1e7)]
_Name = int | str


@dataclass(frozen=True)
class _Shape:
    points: list[tuple[_Place, _Place]]
    shape_type: str = "polygon"
    group_id: _Name | None = None


@dataclass(frozen=True)
class _Labelme:
    """What is used of a file of labelme."""

    shapes: list[_Shape]
    imageHeight: _Side | None = None
    imageWidth: _Side | None = None


@dataclass(frozen=True)
class _Picture:
    id: _Name
    file_name: str
    height: _Side
    width: _Side


@dataclass(frozen=True)
class _Annotation:
    """An instance in a picture: polygons of x, y, x, y, …, or run lengths."""

    image_id: _Name
    segmentation: list[Annotated[list[_Place], msgspec.Meta(min_length=2)]] | dict[str, Any]
    iscrowd: bool | int = 0
    id: _Name | None = None


@dataclass(frozen=True)
class _Coco:
    """What is used of a file of COCO."""

    images: list[_Picture]
    annotations: list[_Annotation]


def _check_number(place: object, polygons: int) -> None:
    """Refuse more polygons in one picture than are drawn; UserError names the place."""
    if polygons > _MOST_POLYGONS:
        raise UserError(f"{place}: {polygons} outlines in one picture, and up to {_MOST_POLYGONS} are drawn")


def _of_labelme(path: Path, name: str, data: _Labelme) -> Outlines:
    height, width = data.imageHeight, data.imageWidth
    size = None if height is None or width is None else (int(height), int(width))
    try:
        return Outlines(path, name, _instances_of_labelme(data.shapes), size)
    except ValueError as error:
        return Outlines(path, name, (), size, str(error))


def _instances_of_labelme(shapes: Sequence[_Shape]) -> tuple[Instance, ...]:
    _check_number("", len(shapes))  # before circles take a hundred times what they take in the file
    instances: dict[object, list[tuple[Point, ...]]] = {}
    for k, shape in enumerate(shapes):
        if shape.shape_type not in _SHAPES:
            kind = printable(shape.shape_type)[:60]
            raise UserError(f" holds a {kind}: masks are drawn as {', '.join(_SHAPES)}")
        group = ("alone", k) if shape.group_id is None else shape.group_id
        try:
            polygon = _SHAPES[shape.shape_type](tuple(shape.points))
        except ValueError as error:
            raise UserError(f" cannot be read as polygons: {error}; draw it again") from error
        instances.setdefault(group, []).append(polygon)
    return tuple(map(tuple, instances.values()))


def _of_coco(path: Path, data: _Coco) -> list[Outlines]:
    instances: dict[object, list[Instance]] = {picture.id: [] for picture in data.images}
    problems: dict[object, str] = {}
    for one in data.annotations:
        if one.iscrowd:
            continue
        if one.image_id not in instances:
            raise UserError(f"an annotation is of the picture {describe(one.image_id)}, which is not among the images")
        try:
            instances[one.image_id].append(_instance_of_coco(one))
        except UserError as error:
            problems.setdefault(one.image_id, str(error))
    return [
        Outlines(
            path,
            PurePosixPath(picture.file_name.replace("\\", "/")).with_suffix("").as_posix(),
            tuple(instances[picture.id]),
            (int(picture.height), int(picture.width)),
            problems.get(picture.id),
        )
        for picture in data.images
    ]


def _instance_of_coco(one: _Annotation) -> Instance:
    if isinstance(one.segmentation, dict):
        raise UserError(
            f" holds an annotation as run lengths (RLE), {describe(one.id)}: export polygons, or masks as images"
        )
    if not one.segmentation:
        raise UserError(f": the annotation {describe(one.id)} has no polygon: outline it, or remove it")
    if any(len(flat) % 2 for flat in one.segmentation):
        raise UserError(
            f": the annotation {describe(one.id)} has a polygon with a corner of one number; export it again"
        )
    return tuple(tuple(zip(flat[::2], flat[1::2], strict=True)) for flat in one.segmentation)


def _polygon(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(points) < 3:
        raise ValueError(f"a polygon of {len(points)} corners")
    return points


def _rectangle(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(points) != 2:
        raise ValueError(f"a rectangle of {len(points)} corners, not of two that face each other")
    (left, top), (right, bottom) = points
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _circle(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """The middle, and a point on the circle."""
    if len(points) != 2:
        raise ValueError(f"a circle of {len(points)} points, not of its middle and one on it")
    (x, y), edge = points
    radius = float(np.hypot(edge[0] - x, edge[1] - y))
    angles = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    return tuple((x + radius * float(np.cos(a)), y + radius * float(np.sin(a))) for a in angles)


_SHAPES = {"polygon": _polygon, "rectangle": _rectangle, "circle": _circle}


def _draw(instance: Instance, height: int, width: int) -> Tensor:
    """Fill the polygons of an instance; `(h, w)` in {-1, 1}."""
    inside = np.zeros((height, width), bool)
    for polygon in instance:
        inside |= fill(polygon, height, width)
    return torch.from_numpy(np.where(inside, np.float32(1), np.float32(-1)))
