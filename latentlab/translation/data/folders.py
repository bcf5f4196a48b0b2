"""Training images in folders, checked before a training starts."""

from __future__ import annotations

import difflib
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.files import images_in, name_in
from latentlab.translation.data.mask_files import MaskFolder
from latentlab.translation.data.pixels import PixelFormat, is_deep
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.sizes import size_name

Order = Literal["AB", "BA"]
OnProblem = Literal["error", "skip"]
Unequal = Literal["error", "resize"]
_Half = Literal["left", "right"]
_HALVES: tuple[_Half, _Half] = ("left", "right")


# Pictures of two images side by side are twice as wide as high where the images are square, and wider where these are
# wide. Those of upright images are narrower, as single pictures are.
_NARROWEST_PAIR = 1.95
# How many names without mates are compared with all others, and from which likeness on one is told.
_COMPARED, _NEAR = 100, 0.5
# How many problems an error lists.
_LISTED = 10
# Ratios of width to height that differ by less than this, from rounding, are the same.
_SAME_SHAPE = 0.02


@dataclass(frozen=True)
class Reading:
    """How folders of training images are read.

    Attributes
    ----------
    order
        Pairs: 'AB' if A becomes B, 'BA' for the other way round.
    on_problem
        'error', or 'skip' to leave out files that cannot be used.
    unequal
        Pairs in two folders whose sizes are not the same: 'error', or 'resize' to resize both to the same size anyway.
    recursive
        Whether images in subfolders are read, too; their names include the path to them.
    pixels
        Pixel formats of what is given and of what it becomes, as in the training set, for images that are held out of
        it; None to take the range of values that the files have.
    """

    order: Order = "AB"
    on_problem: OnProblem = "error"
    unequal: Unequal = "error"
    recursive: bool = False
    pixels: tuple[PixelFormat, PixelFormat] | None = None


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
    root
        Folder in which they lie, at any depth.
    half
        'left' or 'right' of two images that lie side by side in each file; None for the whole.
    pixels
        How their values become those of tensors.
    """

    paths: tuple[Path, ...]
    root: Path
    half: _Half | None = None
    pixels: PixelFormat = PixelFormat()

    @property
    def names(self) -> Sequence[str]:
        """Names of the images, see `latentlab.files.name_in`."""
        return [name_in(self.root, path) for path in self.paths]

    def image(self, index: int) -> Tensor:
        """Read an image, `(1, c, h, w)` in [-1, 1]."""
        image = self.pixels.read(self.paths[index])
        if self.half is None:
            return image
        middle = image.shape[3] // 2
        return image[..., :middle] if self.half == "left" else image[..., -middle:]

    def with_channels(self, channels: int, known: PixelFormat | None = None) -> ImageFiles:
        """Return the files with this many channels, and with their own range of values or that of a `known` format.

        Raises
        ------
        UserError
            Some files are of 16 bits and some are not, or some are not where those of the known format are.
        """
        if known is None:
            return replace(self, pixels=PixelFormat.of_files(self.paths, channels))
        known.check_files(self.paths)
        return replace(self, pixels=known)

    def masks(self, index: int) -> Tensor:
        """Return no masks: `(1, 0, h, w)`."""
        return self.image(index)[:, :0]


@dataclass(frozen=True)
class MaskedFiles(ImageFiles):
    """Images in files, with their masks."""

    mask_folder: MaskFolder = field(kw_only=True)

    def masks(self, index: int) -> Tensor:
        """Read the masks of an image, `(1, n, h, w)` in {-1, 1}."""
        return self.mask_folder.read(self.paths[index], name_in(self.root, self.paths[index]))


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


def pairs_in(folder: Path, reading: Reading, augmentation: Augmentation | None = None) -> CheckedPairs:
    """List pairs that lie side by side, A left and B right, in files that are twice as wide as each of the two images.

    Warns if most files are narrow, or few are of one shape, as if they were single pictures. With an `augmentation`,
    images that it cannot place are problems, too, as in the functions below.

    Raises
    ------
    UserError
        A file cannot be used, or, with 'skip', none can.
    """
    paths = images_in(folder, reading.recursive)
    checked = _check(paths, lambda path: _why_no_pair(path, augmentation), folder, reading)
    left, right = (replace(checked.files, half=half) for half in _HALVES)
    _warn_of_single_pictures(checked.files.paths)
    return CheckedPairs(*_ordered(left, right, reading), checked.problems)


def pairs_across(a: Path, b: Path, reading: Reading, augmentation: Augmentation | None = None) -> CheckedPairs:
    """List pairs in two folders: images of the same name, whatever their suffixes.

    Raises
    ------
    UserError
        An image cannot be used or has no mate, the sizes of a pair are not the same, or, with 'skip', no pair can be
        used.
    """
    own, others = (_by_name(folder, images_in(folder, reading.recursive)) for folder in (a, b))
    strays = [*_without_mates(own, others, b), *_without_mates(others, own, a)]
    if strays and reading.on_problem == "error":
        told = "; ".join(f"{_short(stray.path)}: {stray.reason}" for stray in strays[:_LISTED])
        more = f"; and {len(strays) - _LISTED} more" if len(strays) > _LISTED else ""
        raise UserError(
            f"{len(strays)} images in {a} and {b} have no mate of their name: {told}{more}. Rename or remove them, or "
            "skip files that cannot be used"
        )
    mates = {own[name]: others[name] for name in sorted(own.keys() & others.keys())}
    checked = _check(
        list(mates), lambda path: _why_no_mates(path, mates[path], reading, augmentation), a, reading, strays, mates
    )
    after = ImageFiles(tuple(mates[path] for path in checked.files.paths), b)
    return CheckedPairs(*_ordered(checked.files, after, reading), checked.problems)


def _by_name(folder: Path, paths: Sequence[Path]) -> dict[str, Path]:
    """Images of a folder by name; UserError if two differ in their suffixes alone."""
    found: dict[str, Path] = {}
    for path in paths:
        name = name_in(folder, path)
        if name in found:
            raise UserError(f"{found[name]} and {path} have one name: keep one of them, or rename it")
        found[name] = path
    return found


def _ordered(a: ImageFiles, b: ImageFiles, reading: Reading) -> tuple[ImageFiles, ImageFiles]:
    return (a, b) if reading.order == "AB" else (b, a)


def _without_mates(own: Mapping[str, Path], others: Mapping[str, Path], place: Path) -> Iterator[Problem]:
    """Yield the images whose name no other image has, with the nearest of the names that are also left over."""
    left_over = list(others.keys() - own.keys())
    for k, name in enumerate(sorted(own.keys() - others.keys())):
        # Of thousands of names, those beyond the first are not worth the time.
        nearest = difflib.get_close_matches(name, left_over, n=1, cutoff=_NEAR) if k < _COMPARED else []
        told = f"; the nearest name is {nearest[0]}" if nearest else ""
        yield Problem(own[name], f"there is no image {name} in {place.name}{told}")


def _warn_of_single_pictures(paths: Sequence[Path]) -> None:
    """Warn if most of the pictures are narrower than pairs of square images, or if they have no shape in common."""
    sizes = [images.size_of(path) for path in paths]
    ratios = [width / height for width, height in sizes]
    narrow = [k for k, ratio in enumerate(ratios) if ratio < _NARROWEST_PAIR]
    common, like = _commonest(ratios)
    if 2 * len(narrow) > len(sizes):
        odd, told = (
            narrow[0],
            f"{len(narrow)} of {len(sizes)} pictures are narrower than two square images side by side",
        )
    elif 2 * like < len(sizes):
        odd = next(k for k, ratio in enumerate(ratios) if abs(ratio / common - 1) > _SAME_SHAPE)
        told = f"the {len(sizes)} pictures are of many shapes, as pairs hardly ever are"
    else:
        return
    width, height = sizes[odd]
    warnings.warn(
        f"{told}, such as {paths[odd]} of {width}x{height}: cut in the middle, that is a pair of "
        f"{width // 2}x{height}; if they are single pictures, give two folders",
        stacklevel=3,
    )


def _commonest(ratios: Sequence[float]) -> tuple[float, int]:
    """Return the ratio that the most are like, and how many these are."""
    rounded = Counter(round(math.log(ratio) / _SAME_SHAPE) for ratio in ratios)
    # Each with its neighbours, because ratios that are alike may be rounded apart.
    like = {step: sum(rounded[step + k] for k in (-1, 0, 1)) for step in rounded}
    step = max(like, key=lambda one: (like[one], rounded[one]))
    return math.exp(step * _SAME_SHAPE), like[step]


def singles_in(folder: Path, reading: Reading, augmentation: Augmentation | None = None) -> Checked:
    """List images on their own; see `pairs_in`."""
    paths = images_in(folder, reading.recursive)
    return _check(paths, lambda path: _why_no_image(path, augmentation), folder, reading)


def masked_in(folder: Path, reading: Reading, augmentation: Augmentation | None = None) -> Checked:
    """List images with their masks in the folder beside theirs, whose name ends in _seg, or else among them.

    An image without a mask, a mask without an image, and a file that cannot be used are problems; see `MaskFolder` and
    `pairs_in`.
    """
    names = _by_name(folder, images_in(folder, reading.recursive))
    apart = folder.with_name(f"{folder.name}_seg")
    if apart.is_dir():
        masks = MaskFolder.open(apart, names, reading.recursive)
    else:
        masks = MaskFolder.beside(names)
        if not masks.own:
            raise UserError(
                f"there is no folder {apart} of masks, and no mask beside the images in {folder}, such as "
                f"NAME_mask.png or NAME.json of labelme{masks.unread_told}"
            )
        names = masks.without_masks(names)
    known = {path: name for name, path in names.items()}
    strays = [Problem(path, f"{reason} in {folder.name}") for path, reason in masks.strays]
    strays += [Problem(path, reason) for path, reason in masks.unread]
    checked = _check(
        list(known),
        lambda path: _why_no_image(path, augmentation) or _why_not_masked(path, known[path], masks),
        folder,
        reading,
        strays,
    )
    return Checked(MaskedFiles(checked.files.paths, folder, mask_folder=masks), checked.problems)


# --- checks -------------------------------------------------------------------------------------------------


def _check(
    paths: Sequence[Path],
    why_not: Callable[[Path], str | None],
    folder: Path,
    reading: Reading,
    known: Sequence[Problem] = (),
    mates: Mapping[Path, Path] | None = None,
) -> Checked:
    """Keep the files that can be used; those with `mates` only if both are of the same depth as most are."""
    with ThreadPoolExecutor() as pool:
        reasons = list(pool.map(why_not, paths))
    if reading.pixels is None or any(pixels.deep for pixels in reading.pixels):
        usable = [path for path, why in zip(paths, reasons, strict=True) if not why]
        uneven = _of_other_depth(usable)
        if mates is not None:
            odd = _of_other_depth([mates[path] for path in usable])
            uneven |= {path: f"its mate {mates[path]}: {odd[mates[path]]}" for path in usable if mates[path] in odd}
        reasons = [why or uneven.get(path) for path, why in zip(paths, reasons, strict=True)]
    problems = [*known, *(Problem(path, why) for path, why in zip(paths, reasons, strict=True) if why)]
    good = tuple(path for path, why in zip(paths, reasons, strict=True) if not why)
    if problems and reading.on_problem == "error":
        more = ", ".join(_short(problem.path) for problem in problems[1:_LISTED])
        more = f" (and {len(problems) - 1} more: {more}{', …' if len(problems) > _LISTED else ''})" if more else ""
        raise UserError(f"{problems[0]}{more}; repair or remove it, or skip files that cannot be used")
    if not good:
        raise UserError(f"nothing in {folder} can be used; the first of {len(problems)} problems is {problems[0]}")
    return Checked(ImageFiles(good, folder), tuple(problems))


def _of_other_depth(paths: Sequence[Path]) -> dict[Path, str]:
    """Return the files of 8 bits where most have 16, or the other way round, and what is wrong."""
    deep = {path for path in paths if is_deep(path)}
    fewer, more, bits = deep, [path for path in paths if path not in deep], (16, 8)
    if len(deep) > len(more):
        fewer, more, bits = set(more), [path for path in paths if path in deep], (8, 16)
    if not fewer:
        return {}
    share = f"{len(more)} of {len(paths)} images, such as {more[0]},"
    told = f"it is of {bits[0]} bits, and {share} are of {bits[1]}: convert one kind to the other"
    return {path: told for path in paths if path in fewer}


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _why_no_image(path: Path, augmentation: Augmentation | None) -> str | None:
    try:
        PixelFormat().read(path)
    except UserError as error:
        return str(error).removeprefix(f"{path}: ").removeprefix(f"{path} ")
    width, height = images.size_of(path)
    return None if augmentation is None else augmentation.why_not(height, width)


def _why_no_pair(path: Path, augmentation: Augmentation | None) -> str | None:
    if (reason := _why_no_image(path, None)) is not None:
        return reason
    width, height = images.size_of(path)
    if width % 2:
        return f"it is {width} pixels wide, which is not two images side by side"
    reason = None if augmentation is None else augmentation.why_not(height, width // 2)
    return None if reason is None else f"of each of its two images {reason}"


def _why_no_mates(a: Path, b: Path, reading: Reading, augmentation: Augmentation | None) -> str | None:
    # Where the two may differ, both are placed by the size of the first, the one that is given.
    placed = a if reading.order == "AB" else b
    for path, told in ((a, ""), (b, f"its mate {b}: ")):
        if (reason := _why_no_image(path, augmentation if path == placed else None)) is not None:
            return told + reason
    (width, height), (other_width, other_height) = images.size_of(a), images.size_of(b)
    if reading.unequal == "error" and (width, height) != (other_width, other_height):
        told = f"it is {size_name(height, width)}, and its mate {b} is {size_name(other_height, other_width)}"
        stretched = abs(width * other_height / (height * other_width) - 1) > _SAME_SHAPE
        return told + ("; resized, one would be stretched" if stretched else "; resize unequal pairs, if they match")
    return None


def _why_not_masked(path: Path, name: str, masks: MaskFolder) -> str | None:
    try:
        masks.read(path, name)
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")
    return None
