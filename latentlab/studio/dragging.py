"""Drag points of a face: moves as lines of text, which clicks also write, and the drag itself."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from latentlab.dragging import DragSettings
from latentlab.dragging import steps as drag_steps
from latentlab.errors import UserError
from latentlab.images import to_pil
from latentlab.latents import save_latents
from latentlab.studio.faces import PhotoFace
from latentlab.studio.kept import note_photo
from latentlab.studio.subjects import Steps, Subject
from latentlab.studio.working import Report

SIDE = 512
"""Side of the image that is clicked on."""

_POINT = r"\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*"
_MOVE = re.compile(f"{_POINT}>{_POINT}")
_BEGUN = re.compile(f"{_POINT}>\\s*")
_MOST = 20  # moves


@dataclass(frozen=True)
class Moves:
    """Points of an image, and where they are to go.

    Attributes
    ----------
    points, targets
        Pairs of x and y in pixels of the full image; a last point may have no target yet.
    """

    points: tuple[tuple[float, float], ...] = ()
    targets: tuple[tuple[float, float], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Moves:
        """Read a line such as '512,600 > 540,610' for each move; the last one may end after its '>'.

        Raises
        ------
        UserError
            If a line is not a move, or there are too many.
        """
        points, targets = [], []
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > _MOST:
            raise UserError(f"{_MOST} points at once are the most, not {len(lines)}")
        for number, line in enumerate(lines, 1):
            found = _MOVE.fullmatch(line) or (_BEGUN.fullmatch(line) if number == len(lines) else None)
            if found is None:
                raise UserError(f"a move is a point and its target, such as 512,600 > 540,610, not {line[:60]!r}")
            x, y, *target = (float(one) for one in found.groups())
            points.append((x, y))
            targets += [(target[0], target[1])] if target else []
        return cls(tuple(points), tuple(targets))

    def clicked(self, x: float, y: float) -> Moves:
        """Add a place: a new point, or the target of the last one."""
        place = (float(x), float(y))
        if len(self.targets) < len(self.points):
            return Moves(self.points, (*self.targets, place))
        return Moves((*self.points, place), self.targets)

    def __str__(self) -> str:
        ends = [f"{x:g},{y:g}" for x, y in self.targets] + [""] * (len(self.points) - len(self.targets))
        return "\n".join(f"{x:g},{y:g} > {end}" for (x, y), end in zip(self.points, ends, strict=True))

    def checked(self) -> tuple[Tensor, Tensor]:
        """Points and targets `(n, 2)`; UserError if there are none, or one has no target."""
        if not self.points:
            raise UserError("click on a point of the face, and then where it is to go")
        if len(self.targets) < len(self.points):
            raise UserError("the last point has no target yet: click where it is to go")
        return torch.tensor(self.points), torch.tensor(self.targets)


def check_draggable(subject: Subject) -> None:
    """Refuse a face whose latents are styles, which have no ws that a drag would move; UserError."""
    if subject.ws(()) is None:
        raise UserError("this face was projected into style channels, and a drag moves w; project it into w+")


def image_with(subject: Subject, steps: Steps, moves: Moves) -> Image.Image:
    """The face at `SIDE` pixels, without what moves style channels, with its points and their targets."""
    small = to_pil(subject.previewed([step for step in steps if step[0].space != "s"]))
    # The preview, enlarged: it is drawn anew after every click.
    return marked(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC), moves, subject.preview.generator.resolution)


def marked(image: Image.Image, moves: Moves, resolution: int) -> Image.Image:
    """Draw moves, which are in pixels of a resolution, into an image of any size."""
    image = image.convert("RGB")
    draw, scale = ImageDraw.Draw(image), image.width / resolution
    for k, point in enumerate(moves.points):
        x, y = (scale * one for one in point)
        if k < len(moves.targets):
            end_x, end_y = (scale * one for one in moves.targets[k])
            draw.line([(x, y), (end_x, end_y)], fill="white", width=3)
            _dot(draw, end_x, end_y, "#1d4ed8")
        _dot(draw, x, y, "#dc2626")
    return image


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, colour: str) -> None:
    radius = 6
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour, outline="white", width=2)


def mask_of(drawn: Image.Image | None, resolution: int) -> Tensor | None:
    """What was drawn over the face as the mask of what may move, `(r, r)`; None where nothing was."""
    if drawn is None:
        return None
    alpha = drawn.convert("RGBA").getchannel("A").resize((resolution, resolution), Image.Resampling.NEAREST)
    if alpha.getextrema()[1] == 0:
        return None
    return torch.from_numpy(np.asarray(alpha) > 0).float()


def drag_face(
    subject: Subject,
    steps: Steps,
    moves: Moves,
    mask: Tensor | None,
    most: int,
    path: Path,
    report: Report,
    photo: PhotoFace | None = None,
) -> Path:
    """Drag a face as directions of w have moved it, showing every step, and save its code.

    Parameters
    ----------
    subject, steps
        The face, and how it is edited; what moves style channels is left out.
    moves, mask
        The moves, and `(r, r)` of what may move; None for everything.
    most
        Maximum number of steps.
    path
        File of the code.
    report
        Receives the progress of the work.
    photo
        The face of a photo that is dragged, which is noted beside the code.

    Raises
    ------
    UserError
        If the face has no ws, or as `latentlab.dragging.steps` says.
    """
    check_draggable(subject)
    points, targets = moves.checked()
    ws, generator = subject.ws(steps), subject.preview.generator
    assert ws is not None
    with report.stage("dragging", "step") as show:
        for step in drag_steps(ws, points, targets, generator, DragSettings(steps=most), mask):
            left = float(step.distances.max())
            show(step.done, step.total, "" if math.isnan(left) else f"{left:.1f} px left")
            report.show(subject.with_ws(step.ws).before)  # with its noise maps, which a preview of the drag lacks
    path.parent.mkdir(parents=True, exist_ok=True)
    if photo is not None:  # before the code, which would be one of the generator's own without it
        note_photo(photo, path.parent)
    save_latents(step.ws, path)
    return path
