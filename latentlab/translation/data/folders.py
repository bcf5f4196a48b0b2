"""Training images in folders, checked before a training starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.files import images_in

Order = Literal["AB", "BA"]
OnProblem = Literal["error", "skip"]
_Half = Literal["left", "right"]
_HALVES: tuple[_Half, _Half] = ("left", "right")

_MASK = re.compile(r"(?P<name>.+)_(?P<number>\d+)")


@dataclass(frozen=True)
class Problem:
    """A file that cannot be used, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class ImageFiles:
    """Images in files.

    Attributes
    ----------
    paths
        Paths of the files.
    half
        'left' or 'right' of two images that lie side by side in each file; None for the whole.
    """

    paths: tuple[Path, ...]
    half: _Half | None = None

    @property
    def names(self) -> Sequence[str]:
        """Names of the images, without folder and suffix."""
        return [path.stem for path in self.paths]

    def image(self, index: int) -> Tensor:
        """Read an image, `(1, 3, h, w)` in [-1, 1]."""
        image = images.load_image(self.paths[index])
        if self.half is None:
            return image
        middle = image.shape[3] // 2
        return image[..., :middle] if self.half == "left" else image[..., -middle:]

    def masks(self, index: int) -> Tensor:
        """Return no masks: `(1, 0, h, w)`."""
        return self.image(index)[:, :0]


@dataclass(frozen=True)
class MaskedFiles(ImageFiles):
    """Images in files, with the files of their masks, white within the instance."""

    mask_paths: tuple[tuple[Path, ...], ...] = ()

    def masks(self, index: int) -> Tensor:
        """Read the masks of an image, `(1, n, h, w)` in {-1, 1}."""
        masks = [images.load_image(path)[:, :1] for path in self.mask_paths[index]]
        return torch.where(torch.cat(masks, dim=1) > 0, 1.0, -1.0).float()


@dataclass(frozen=True)
class Checked:
    """Images of a folder that can be used, and the files that were left out."""

    files: ImageFiles
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class CheckedPairs:
    """Pairs of a folder that can be used, and the files that were left out."""

    before: ImageFiles
    after: ImageFiles
    problems: tuple[Problem, ...]


def pairs_in(folder: Path, order: Order, on_problem: OnProblem) -> CheckedPairs:
    """List pairs that lie side by side, A left and B right.

    Parameters
    ----------
    folder
        Folder of files that are twice as wide as each of the two images.
    order
        'AB': the left becomes the right; 'BA': the right becomes the left.
    on_problem
        'error', or 'skip' to leave out files that cannot be used.

    Raises
    ------
    UserError
        A file cannot be used, or with 'skip', none can.
    """
    checked = _check(images_in(folder), _why_no_pair, folder, on_problem)
    left, right = (ImageFiles(checked.files.paths, half) for half in _HALVES)
    before, after = (left, right) if order == "AB" else (right, left)
    return CheckedPairs(before, after, checked.problems)


def singles_in(folder: Path, on_problem: OnProblem) -> Checked:
    """List images on their own; see `pairs_in`."""
    return _check(images_in(folder), _why_no_image, folder, on_problem)


def masked_in(folder: Path, on_problem: OnProblem) -> Checked:
    """List images NAME.png with masks NAME_0.png, NAME_1.png, … in the folder beside, whose name ends in _seg.

    An image without a mask, a mask without an image and a mask of another size cannot be used; see `pairs_in`.
    """
    seg = folder.with_name(f"{folder.name}_seg")
    masks: dict[str, list[tuple[int, Path]]] = {}
    for path in images_in(seg):
        found = _MASK.fullmatch(path.stem)
        name, number = (found["name"], int(found["number"])) if found else (path.stem, -1)
        masks.setdefault(name, []).append((number, path))
    own = {name: tuple(path for _, path in sorted(paths)) for name, paths in masks.items()}
    paths = images_in(folder)
    strays = [
        Problem(own[name][0], f"there is no image {name} in {folder.name}")
        for name in sorted(own.keys() - {path.stem for path in paths})
    ]
    checked = _check(paths, lambda path: _why_no_masks(path, own.get(path.stem, ()), seg), folder, on_problem, strays)
    good = checked.files.paths
    return Checked(MaskedFiles(good, None, tuple(own[path.stem] for path in good)), checked.problems)


def load_masks(image: Path, seg: Path) -> Tensor:
    """Read the masks of one image from a folder of masks, `(1, n, h, w)` in {-1, 1}.

    Raises
    ------
    UserError
        There is no mask, or one cannot be used.
    """
    numbered = [(found, path) for path in images_in(seg) if (found := _MASK.fullmatch(path.stem))]
    own = sorted((int(found["number"]), path) for found, path in numbered if found["name"] == image.stem)
    masks = [path for _, path in own]
    reason = _why_no_masks(image, masks, seg)
    if reason is not None:
        raise UserError(f"{image}: {reason}")
    return MaskedFiles((image,), None, (tuple(masks),)).masks(0)


# --- checks -------------------------------------------------------------------------------------------------


def _check(
    paths: Sequence[Path],
    why_not: Callable[[Path], str | None],
    folder: Path,
    on_problem: OnProblem,
    known: Sequence[Problem] = (),
) -> Checked:
    """Keep the files that can be used."""
    with ThreadPoolExecutor() as pool:
        reasons = list(pool.map(why_not, paths))
    problems = [*known, *(Problem(path, why) for path, why in zip(paths, reasons, strict=True) if why)]
    good = tuple(path for path, why in zip(paths, reasons, strict=True) if not why)
    if problems and on_problem == "error":
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{problems[0]}{more}; repair or remove it, or skip files that cannot be used")
    if not good:
        raise UserError(f"nothing in {folder} can be used; the first of {len(problems)} problems is {problems[0]}")
    return Checked(ImageFiles(good), tuple(problems))


def _why_no_image(path: Path) -> str | None:
    try:
        images.load_image(path)
    except UserError as error:
        return str(error).removeprefix(f"{path}: ").removeprefix(f"{path} ")
    return None


def _why_no_pair(path: Path) -> str | None:
    reason = _why_no_image(path)
    if reason is None and _size(path)[0] % 2:
        return f"it is {_size(path)[0]} pixels wide, which is not two images side by side"
    return reason


def _why_no_masks(path: Path, masks: Sequence[Path], seg: Path) -> str | None:
    reason = _why_no_image(path)
    if reason is not None:
        return reason
    if not masks:
        return f"it has no mask {path.stem}_0.png in {seg.name}"
    for mask in masks:
        reason = _why_no_image(mask)
        if reason is not None:
            return f"its mask {mask.name}: {reason}"
        if _size(mask) != _size(path):
            w, h = _size(mask)
            return f"its mask {mask.name} is of another size, {w}x{h}, not {_size(path)[0]}x{_size(path)[1]}"
    return None


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        width, height = image.size
    return width, height
