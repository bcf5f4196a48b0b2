"""Training images in folders, checked before a training starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.files import images_in
from latentlab.translation.data.mask_files import MaskFolder

Order = Literal["AB", "BA"]
OnProblem = Literal["error", "skip"]
_Half = Literal["left", "right"]
_HALVES: tuple[_Half, _Half] = ("left", "right")


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
    """Images in files, with their masks."""

    mask_folder: MaskFolder = field(kw_only=True)

    def masks(self, index: int) -> Tensor:
        """Read the masks of an image, `(1, n, h, w)` in {-1, 1}."""
        return self.mask_folder.read(self.paths[index])


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
    """List images with their masks in the folder beside, whose name ends in _seg; see `MaskFolder`.

    An image without a mask, a mask without an image, and one that cannot be used are problems; see `pairs_in`.
    """
    paths = images_in(folder)
    masks = MaskFolder.open(folder.with_name(f"{folder.name}_seg"), {path.stem for path in paths})
    strays = [Problem(path, f"{reason} in {folder.name}") for path, reason in masks.strays]
    checked = _check(paths, lambda path: _why_not_masked(path, masks), folder, on_problem, strays)
    return Checked(MaskedFiles(checked.files.paths, mask_folder=masks), checked.problems)


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


def _why_not_masked(path: Path, masks: MaskFolder) -> str | None:
    reason = _why_no_image(path)
    if reason is not None:
        return reason
    try:
        masks.read(path)
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")
    return None


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        width, height = image.size
    return width, height
