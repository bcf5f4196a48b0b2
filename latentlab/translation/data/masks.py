"""Masks as users have them: 0 and 1 or 0 and 255, of any colour, in the alpha channel, with the numbers of instances.

What differs from the background is the mask. A file with several values holds several instances. What would have to be
guessed is refused, and the error says what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.translation.data.backgrounds import MaskValues, background_of, flat, halved, inside, void_candidates
from latentlab.translation.data.pixels import check_whole

# Formats that change the values of a picture a little, so that they cannot be told apart one by one.
_LOSSY = {"AVIF", "JPEG", "MPO", "WEBP"}
# A mask has soft edges if at least the first, as a share of its pixels, lies within the second, as a share of its
# largest value, of 0 or of that value.
_PLAIN_SHARE, _TOLERANCE = 0.9, 0.15
# Areas of one value are that much, of 255, from 0 and from the largest value, except for a small share of the pixels.
_NOISE, _FEW = 10, 0.001
# At most this many instances are plausible in one file.
_MOST_INSTANCES = 100

_ADVICE = "save a PNG that is 0 outside and one value, or the number of each instance, inside"


@dataclass(frozen=True)
class MaskImage:
    """Masks in an image file."""

    path: Path

    def read(self, height: int, width: int) -> Tensor:
        """Read the masks of a picture of a given size; see `load_mask`.

        Raises
        ------
        UserError
            The masks are of another size, or as `load_mask` says.
        """
        masks = load_mask(self.path)
        if masks.shape[1:] != (height, width):
            found = f"{masks.shape[2]}x{masks.shape[1]}"
            raise UserError(f"{self.path} is of another size, {found}, not {width}x{height}")
        return masks


def load_mask(path: Path) -> Tensor:
    """Read the masks of instances from an image file.

    Where the alpha channel varies, what is transparent is background; otherwise what `background_of` finds. Each other
    value, colour or index of a palette is an instance, void left out (see `inside`); soft edges between dark and bright
    are cut at half.

    Returns
    -------
    Tensor
        `(n, h, w)` in {-1, 1}, in the order of the values.

    Raises
    ------
    UserError
        The file is not an image, the mask is empty or full, or its values can be read in several ways. Names the file.
    """
    with images.opened(path) as picture:
        check_whole(picture)
        lossy = picture.format in _LOSSY
        instances = _instances(_values(images.upright(picture)), lossy)
        return torch.from_numpy(np.where(instances, np.float32(1), np.float32(-1)))


def check_room(count: int, height: int, width: int) -> None:
    """Refuse more instances than memory has room for: each takes as much as one channel of the picture.

    Raises
    ------
    UserError
        Together they have more pixels than three channels of the largest picture.
    """
    if count * height * width > 3 * images.MOST_PIXELS:
        raise UserError(
            f"{count} instances of {width}x{height} pixels are too many: reduce the picture and its masks first"
        )


def _values(picture: Image.Image) -> MaskValues:
    """Return what an image holds as a mask."""
    if "A" in picture.getbands() or "transparency" in picture.info:
        alpha = np.asarray(picture.convert("RGBA").getchannel("A")).astype(np.int32)
        if alpha.min() < alpha.max():
            return MaskValues(alpha, "alpha", alpha, alpha)
    if picture.mode == "F":
        raise UserError("it is of 32-bit floats, which have no agreed range: convert it to 8 or 16 bits first")
    if picture.mode in ("1", "L") or picture.mode.startswith("I"):
        grey = np.asarray(picture).astype(np.int32) * (255 if picture.mode == "1" else 1)
        return MaskValues(grey, "grey", grey, grey)
    channels = np.asarray(picture.convert("RGB")).astype(np.int32)
    brightness, colours = channels.max(axis=2), channels @ np.array([1 << 16, 1 << 8, 1], np.int32)
    if picture.mode == "P":
        codes = np.asarray(picture).astype(np.int32)
        black, white = (frozenset(np.unique(codes[colours == colour]).tolist()) for colour in (0, 0xFFFFFF))
        return MaskValues(codes, "index", brightness, colours, black | {0}, white)
    if (channels == channels[:, :, :1]).all():
        return MaskValues(brightness, "grey", brightness, brightness)
    return MaskValues(colours, "colour", brightness, colours, white=frozenset({0xFFFFFF}))


def _instances(values: MaskValues, lossy: bool) -> NDArray[np.bool_]:
    """Separate the instances, `(n, h, w)`."""
    codes, present = values.codes, values.present
    if len(present) == 1:
        what = "full: one value is everywhere" if present[0] else "empty: black everywhere"
        raise UserError(f"the mask is {what}")
    if values.kind == "alpha":
        return np.asarray(codes > codes.max() / 2)[None]
    if not lossy and (len(present) == 2 or _are_numbers(values)):
        found = np.array(inside(values, background_of(values)))
        check_room(len(found), *codes.shape)
        return np.asarray(codes == found[:, None, None])
    if not _is_one_mask(values):
        raise UserError(f"the mask can be read in several ways: it holds {values.shares()}; {_ADVICE}")
    cut = halved(values)
    return np.asarray(cut.codes != background_of(cut))[None]


def _are_numbers(values: MaskValues) -> bool:
    """Whether values look like those of instances: from 0 or 1 without a gap, or each fills an area somewhere.

    Those of soft edges lie in lines of a pixel or two, and hardly ever fill three by three pixels. Void may do so, too.
    """
    present = np.array([value for value in values.present if value not in void_candidates(values)])
    if not 1 < len(present) <= _MOST_INSTANCES + 1:
        return False
    if present[0] <= 1 and present[-1] - present[0] == len(present) - 1:
        return True
    white = [value for value in values.present if 255 - _NOISE <= value < 255]
    if values.kind == "grey" and white and _near_ends(values.present, 255, _NOISE / 255).all():
        return False  # black and white, each changed a little
    return bool(np.isin(present, values.codes[flat(values.codes)]).all())


def _is_one_mask(values: MaskValues) -> bool:
    """Whether the values are those of one mask with soft edges, dark and bright, without areas of a third kind."""
    brightness = values.brightness
    top = int(brightness.max())
    bright = brightness[ndimage.binary_erosion(brightness > top / 2, np.ones((3, 3)))]
    if bright.size == 0:
        return False
    other = flat(brightness) & ~_near_ends(brightness, int(np.median(bright)), _NOISE / 255)
    return bool(
        _near_ends(brightness, top, _TOLERANCE).mean() >= _PLAIN_SHARE
        and brightness.min() <= _TOLERANCE * top
        and not _is_colourful(values)
        and other.mean() <= _FEW
    )


def _near_ends(brightness: NDArray[np.int32], top: int, tolerance: float) -> NDArray[np.bool_]:
    """Return which values are about 0 or about `top`."""
    return np.asarray(np.minimum(brightness, np.abs(top - brightness)) <= tolerance * top)


def _is_colourful(values: MaskValues) -> bool:
    """Whether the bright pixels, whose colours may be blurred a little, are of more than one colour."""
    if values.kind == "grey":
        return False
    bright = values.colours[values.brightness > values.brightness.max() / 2]
    colours = np.stack([bright >> 16, (bright >> 8) & 255, bright & 255], axis=1)
    return bool((np.abs(colours - np.median(colours, axis=0)).max(axis=1) > 96).mean() > 0.05)
