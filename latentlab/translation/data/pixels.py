"""Values of image files as tensors and back: grey, colour, with alpha; of 8 bits, or of 16 by a set's range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.files import atomic_path
from latentlab.schemas import checked

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_BITS_PER_SAMPLE = 258  # tag of TIFF
Side = Literal["a", "b"]
"""A: what is given; B: what it becomes."""


@dataclass(frozen=True)
class PixelFormat:
    """How the values of image files become those of tensors.

    Attributes
    ----------
    channels
        1: grey; 2: grey and alpha; 3: RGB, transparency lying on white; 4: RGB and alpha.
    low, high
        Values of a file that become -1 and 1: 0 and 255 for bytes; for 16-bit files the range that the set holds,
        because cameras of 10, 12 or 14 bits leave most of the full range empty.
    deep
        Whether files have 16 bits.
    """

    channels: int = 3
    low: int = 0
    high: int = 255
    deep: bool = False

    def __post_init__(self) -> None:
        if self.channels not in _MODES:
            raise UserError(
                f"images have 1 (grey), 2 (grey and alpha), 3 (colour) or 4 (colour and alpha) channels, not "
                f"{self.channels}; files with other bands, such as those of satellites, are not read"
            )
        if not 0 <= self.low < self.high < 1 << 16:
            raise UserError(f"values of files rise from 0 to 65535 at most, unlike {self.low} to {self.high}")

    @classmethod
    def of_files(cls, paths: Sequence[Path], channels: int) -> PixelFormat:
        """Return the format of a set of files.

        Raises
        ------
        UserError
            Some are of 16 bits and some are not, or all values are the same.
        """
        ranges = {path: found for path in paths if (found := _deep_range(path)) is not None}
        if not ranges:
            return cls(channels)
        if len(ranges) < len(paths):
            shallow = next(path for path in paths if path not in ranges)
            raise UserError(f"{next(iter(ranges))} is of 16 bits and {shallow} is not: convert one kind to the other")
        low, high = min(low for low, _ in ranges.values()), max(high for _, high in ranges.values())
        if low == high:
            raise UserError(f"all pixels of {len(paths)} images are {low}, those of {paths[0]} too")
        return cls(channels, low, high, deep=True)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PixelFormat:
        """Return the format that `as_dict` described; UserError if `data` describes none."""
        return checked(data, cls, "this is no format of pixels", closed=True)

    def check_files(self, paths: Sequence[Path]) -> None:
        """Check that files can be read; UserError names the first of 8 bits where those of the set have 16."""
        if self.deep and (shallow := next((path for path in paths if not is_deep(path)), None)):
            raise UserError(
                f"{shallow} is of 8 bits, and the images that are learnt from are of 16: convert it to 16 bits"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the format as JSON holds it."""
        return asdict(self)

    def read(self, path: Path) -> Tensor:
        """Read an image, `(1, channels, h, w)` in [-1, 1].

        Raises
        ------
        UserError
            As `latentlab.images.load_image` and `check_whole` say, or the file has 8 bits where those of the set have
            16. One of 16 bits where they have 8 is scaled by the whole range.
        """
        with images.opened(path) as opened:
            check_whole(opened)
            return self.from_pil(opened)

    def from_pil(self, picture: Image.Image) -> Tensor:
        """Convert an image of any mode; see `read`."""
        picture = images.upright(picture)
        if picture.mode == "F":
            raise UserError("an image of 32-bit floats has no agreed range: convert it to 8 or 16 bits first")
        if picture.mode.startswith("I"):
            return images.by_tiles(picture, self.channels, self._spread)
        if self.deep:
            raise UserError(f"it has 8 bits, and the images that were learnt from have 16, {self.low} to {self.high}")
        if self.channels == 3:
            return images.from_pil(picture)
        return images.by_tiles(picture, self.channels, self._of_bytes)

    def _of_bytes(self, tile: Image.Image) -> NDArray[np.float32]:
        values = np.asarray(tile.convert(_MODES[self.channels])).astype(np.float32)
        return np.atleast_3d(values) / 127.5 - 1

    def _spread(self, tile: Image.Image) -> NDArray[np.float32]:
        """Scale grey values of 16 bits, and give them all channels."""
        grey = np.asarray(tile).astype(np.float32)
        low, high = (self.low, self.high) if self.deep else (0, 65535)
        values = np.repeat((grey[:, :, None] - low) / (high - low) * 2 - 1, self.channels, axis=2)
        if self.channels in (2, 4):
            values[:, :, -1] = 1
        return values.clip(-1, 1)

    def write(self, image: Tensor, path: Path) -> None:
        """Write `image (1, channels, h, w)` in [-1, 1] as PNG; grey in 16 bits where files have them.

        Raises
        ------
        UserError
            `path` cannot be written.
        """
        if self.channels == 3 or (self.channels == 1 and not self.deep):
            images.save_image(image, path)
            return
        array = image[0].permute(1, 2, 0).float().cpu().numpy()
        if self.deep and self.channels == 1:
            values = self.low + (array[:, :, 0] + 1) / 2 * (self.high - self.low)
            picture = Image.fromarray((values + 0.5).clip(0, 65535).astype(np.uint16))
        else:
            picture = Image.fromarray(images.to_bytes(image[0]).permute(1, 2, 0).cpu().numpy())
        with atomic_path(path) as temporary:
            picture.save(temporary, "PNG")


def is_deep(path: Path) -> bool:
    """Whether a file is grey of 16 bits."""
    with images.opened(path) as picture:
        return bool(picture.mode.startswith("I"))


def _deep_range(path: Path) -> tuple[int, int] | None:
    """Smallest and largest value of a file of 16 bits; None for others."""
    with images.opened(path) as picture:
        if not picture.mode.startswith("I"):
            return None
        values = np.asarray(picture)
    return int(values.min()), int(values.max())


def check_whole(picture: Image.Image) -> None:
    """Refuse an image that was just opened if Pillow would leave out a part of it in silence.

    Raises
    ------
    UserError
        It is colour, or grey with alpha, of 16 bits, whose low bits are dropped, or a TIFF of several pages.
    """
    tiles = getattr(picture, "tile", ())
    arguments = tiles[0][3] if tiles else ""
    # The layout of the data: 'RGB;16B', alone or with more; PPM has the largest value.
    told = arguments if isinstance(arguments, tuple) else (arguments,)
    deep = any(";16" in one if isinstance(one, str) else picture.format == "PPM" and one > 255 for one in told)
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        deep = deep or max(picture.tag_v2.get(_BITS_PER_SAMPLE, (8,))) > 8
    if deep and not picture.mode.startswith(("I", "F")):
        raise UserError(
            "it has 16 bits in several channels, of which only 8 could be read: save it with 8 bits, or each channel "
            "as 16-bit grey of its own"
        )
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and (pages := _pages(picture)) > 1:
        raise UserError(f"it has {pages} pages, of which only the first would be read: save each as a file of its own")


def _pages(picture: TiffImagePlugin.TiffImageFile) -> int:
    """Count the pages of a TIFF as large as the first; others are reduced copies of it."""
    size, count = picture.size, 1
    for k in range(1, picture.n_frames):
        picture.seek(k)
        count += picture.size == size
    picture.seek(0)
    return count


def as_colour(images_: Tensor) -> Tensor:
    """Return images of any number of channels as colour images `(b, 3, h, w)`, for the eye; transparent is white."""
    if images_.shape[1] in (2, 4):
        alpha = (images_[:, -1:] + 1) / 2
        return (alpha * images_[:, :-1] + (1 - alpha)).expand(-1, 3, -1, -1)
    return images_.expand(-1, 3, -1, -1) if images_.shape[1] == 1 else images_
