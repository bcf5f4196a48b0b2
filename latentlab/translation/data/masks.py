"""Masks as users have them: 0 and 1 or 0 and 255, of any colour, in the alpha channel, with the numbers of instances.

What differs from the background, black or transparent, is the mask. A file with several values holds several instances.
What would have to be guessed is refused, and the error says what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError

# Formats that change the values of a picture a little, so that they cannot be told apart one by one.
_LOSSY = {"AVIF", "JPEG", "MPO", "WEBP"}
# A mask has soft edges if at least the first, as a share of its pixels, lies within the second, as a share of its
# largest value, of 0 or of that value.
_PLAIN_SHARE, _TOLERANCE = 0.9, 0.15
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

    Pixels that are black, or transparent where the alpha channel varies, are background. Each other value, or colour,
    is an instance; soft edges between the background and a single value are cut at half of it.

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
        lossy = picture.format in _LOSSY
        codes, brightness, is_alpha = _values(images.upright(picture))
        instances = _instances(codes, brightness, lossy, is_alpha)
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


def _values(picture: Image.Image) -> tuple[NDArray[np.int32], NDArray[np.int32], bool]:
    """Return a number for each colour, 0 for black, its brightness, `(h, w)` each, and whether they are of alpha."""
    if "A" in picture.getbands() or "transparency" in picture.info:
        alpha = np.asarray(picture.convert("RGBA").getchannel("A")).astype(np.int32)
        if alpha.min() < alpha.max():
            return alpha, alpha, True
        picture = picture.convert("RGB")
    if picture.mode == "F":
        raise UserError("it is of 32-bit floats, which have no agreed range: convert it to 8 or 16 bits first")
    if picture.mode in ("1", "L") or picture.mode.startswith("I"):
        grey = np.asarray(picture).astype(np.int32)
        return grey, grey, False
    colours = np.asarray(picture.convert("RGB"))
    codes = np.zeros(colours.shape[:2], np.int32)
    for channel in range(3):
        codes = (codes << 8) | colours[:, :, channel]
    return codes, colours.max(axis=2).astype(np.int32), False


def _instances(
    codes: NDArray[np.int32], brightness: NDArray[np.int32], lossy: bool, is_alpha: bool
) -> NDArray[np.bool_]:
    """Separate the instances, `(n, h, w)`."""
    values = np.unique(codes)
    inside = values[values != 0]
    if len(values) == 1:
        what = "full: one value is everywhere" if values[0] else "empty: black everywhere"
        raise UserError(f"the mask is {what}")
    if is_alpha:
        return np.asarray(codes > codes.max() / 2)[None]
    if not lossy and (len(inside) == 1 or _are_numbers(values, codes)):
        if values[0] != 0:
            raise UserError(f"the mask has no background: it holds {_shares(codes)}, and no 0; {_ADVICE}")
        check_room(len(inside), *codes.shape)
        return np.asarray(codes == inside[:, None, None])
    top = brightness.max()
    near = np.minimum(brightness, top - brightness) <= _TOLERANCE * top
    if near.mean() < _PLAIN_SHARE or brightness.min() > _TOLERANCE * top or _is_colourful(codes, brightness):
        raise UserError(f"the mask can be read in several ways: it holds {_shares(codes)}; {_ADVICE}")
    return np.asarray(brightness > top / 2)[None]


def _are_numbers(values: NDArray[np.int32], codes: NDArray[np.int32]) -> bool:
    """Whether values look like those of instances: from 0 or 1 without a gap, or each fills an area somewhere.

    Those of soft edges lie in lines of a pixel or two, and hardly ever fill three by three pixels.
    """
    if len(values) - 1 > _MOST_INSTANCES:
        return False
    if values[0] <= 1 and values[-1] - values[0] == len(values) - 1:
        return True
    flat = ndimage.maximum_filter(codes, 3) == ndimage.minimum_filter(codes, 3)
    return bool(np.isin(values, codes[flat]).all())


def _is_colourful(codes: NDArray[np.int32], brightness: NDArray[np.int32]) -> bool:
    """Whether the bright pixels, whose colours may be blurred a little, are of more than one colour."""
    if codes is brightness:
        return False
    bright = codes[brightness > brightness.max() / 2]
    colours = np.stack([bright >> 16, (bright >> 8) & 255, bright & 255], axis=1)
    return bool((np.abs(colours - np.median(colours, axis=0)).max(axis=1) > 96).mean() > 0.05)


def _shares(codes: NDArray[np.int32]) -> str:
    """List the commonest values with their shares."""
    values, counts = np.unique(codes, return_counts=True)
    first = np.argsort(-counts, kind="stable")[:3]
    told = ", ".join(f"{_name(values[k])} ({counts[k] / codes.size:.0%})" for k in first)
    more = len(values) - len(first)
    return told + (f" and {more} more values" if more else "")


def _name(code: Any) -> str:
    return str(code) if code < 1 << 16 else f"#{code:06x}"
