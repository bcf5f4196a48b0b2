"""Images between files, PIL and tensors.

Everywhere, images are a float tensor `(batch, 3, height, width)`, RGB, in [-1, 1]; those of grey generators have one
channel, here and in what only draws or writes them. The byte of a value v is round((v + 1) * 127.5), halves up,
clamped to 0 … 255; a byte b means b / 127.5 - 1. Bytes survive the round trip. What takes images also takes one image
`(3, height, width)`, as a batch of one; what returns images always returns a batch. See `as_batch`.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

from latentlab.errors import UserError
from latentlab.files import atomic_path, check_regular
from stylegan2.describing import printable

CHANNELS = (1, 3)
"""Channels of an image: grey or RGB."""

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Formats of image files that are read, whatever their suffix; JPEG includes the MPO of phones, AVIF needs Pillow 11.3.

Pillow knows more formats, some of which start other programs, such as Ghostscript for EPS.
"""

MOST_PIXELS = 100_000_000
"""Largest number of pixels in an image file: a larger file is refused by its header, before it takes memory.

For a file of a hundred megapixels, Pillow holds 0.4 GB, twice that if it is turned upright, and 1.3 GB if it is a
WebP; its tensor takes 1.2 GB.
"""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by the orientation in EXIF data
_SIDEWAYS = {5, 6, 7, 8}
# Where Pillow looks for an orientation in what it keeps of a file.
_TURNS = {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}
_TILE = 2048  # pixels of a side, of what is converted at once
_LONGEST_REASON = 200  # characters of what a decoder says
_LARGE = 16_000_000  # pixels; threads that read images take turns with larger ones
_turn = threading.RLock()
_warnings_lock = threading.Lock()
_LUMA = (0.299, 0.587, 0.114)


def as_batch(images: Any, noun: str = "images", channels: tuple[int, ...] = (3,)) -> Tensor:
    """Return images as a batch: `(b, c, h, w)` as they are, and one image `(c, h, w)` as a batch of one.

    Parameters
    ----------
    images
        The images, floats in [-1, 1].
    noun
        Word for them in messages.
    channels
        Numbers of channels that are accepted: 3 for RGB, 1 for grey.

    Raises
    ------
    UserError
        If they are anything else. Says how arrays and PIL images are converted.
    """
    if not isinstance(images, Tensor):
        advice = "latentlab.images.from_pil converts a PIL image, and Image.fromarray an array to one"
        raise UserError(f"{noun} must be a tensor of floats in [-1, 1], not {type(images).__name__}; {advice}")
    shape = tuple(images.shape)
    last = images.ndim in (3, 4) and shape[-1] in channels and shape[-3] not in channels
    if not images.is_floating_point():
        turned = ".permute(2, 0, 1)" if last and images.ndim == 3 else ""
        advice = f"bytes x become images as x{turned} / 127.5 - 1"
        raise UserError(f"{noun} must be floats in [-1, 1], not {images.dtype}; {advice}")
    if images.ndim not in (3, 4) or shape[-3] not in channels or 0 in shape:
        advice = "; move the channels to the front with .movedim(-1, -3)" if last else ""
        kinds = " or ".join(f"(batch, {c}, height, width) or ({c}, height, width)" for c in sorted(channels)[::-1])
        raise UserError(f"{noun} must be {kinds}, not {shape}{advice}")
    return images[None] if images.ndim == 3 else images


def to_bytes(images: Tensor) -> Tensor:
    """Convert `images`, floats in [-1, 1] of any shape, clamped, to uint8 on their device."""
    return ((images.detach().float() + 1) * 127.5 + 0.5).floor().clamp(0, 255).to(torch.uint8)


def to_pil(image: Tensor) -> Image.Image:
    """Convert one image to PIL.

    Parameters
    ----------
    image
        `(3, h, w)` or `(1, 3, h, w)`, RGB, in [-1, 1]; values beyond are clamped. Grey has 1 in place of 3.

    Returns
    -------
    PIL.Image.Image
        RGB or grey (mode L), 8 bits a channel.

    Raises
    ------
    UserError, ValueError
        The shape is not one of these (`grid` arranges a batch as one image), or a value is not a number.
    """
    batch = as_batch(image, "an image", CHANNELS)
    if len(batch) != 1:
        raise ValueError(
            f"an image is (3, height, width) or (1, 3, height, width), not {tuple(batch.shape)}; "
            "use grid for one image of the whole batch, to_pil_list for a list"
        )
    return to_pil_list(batch)[0]


def to_pil_list(images: Tensor) -> list[Image.Image]:
    """Convert each of `images (batch, 3, h, w)` as `to_pil` does."""
    _check(images)
    if torch.isnan(images).any():
        raise ValueError("an image holds values that are not numbers (NaN)")
    arrays = to_bytes(images).permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(array[:, :, 0] if images.shape[1] == 1 else array) for array in arrays]


def from_pil(image: Image.Image) -> Tensor:
    """Convert an image of any mode to a tensor `(1, 3, h, w)` in [-1, 1].

    The orientation in its EXIF data is applied, grey becomes RGB, transparency is put on white, and 16-bit
    grey keeps its precision.

    Raises
    ------
    UserError
        The mode has no agreed range (32-bit float).
    """
    image = upright(image)
    if image.mode == "F":
        raise UserError("an image of 32-bit floats has no agreed range: convert it to 8 or 16 bits first")
    return by_tiles(image, 3, _deep_grey if image.mode.startswith("I") else _colours)


def _deep_grey(tile: Image.Image) -> NDArray[np.float32]:
    """16-bit grey in [-1, 1]; older versions of Pillow widen it to 32 bits."""
    shares: NDArray[np.float32] = (np.asarray(tile).astype(np.float32) / 65535).clip(0, 1)
    return shares[:, :, None] * 2 - 1


def _colours(tile: Image.Image) -> NDArray[np.float32]:
    if "A" in tile.getbands() or "transparency" in tile.info:
        tile = tile.convert("RGBA")
        tile = Image.alpha_composite(Image.new("RGBA", tile.size, "white"), tile)
    shares: NDArray[np.float32] = np.asarray(tile.convert("RGB")).astype(np.float32) / np.float32(255)
    values: NDArray[np.float32] = shares * 2 - 1
    return values


def by_tiles(image: Image.Image, channels: int, values_of: Callable[[Image.Image], NDArray[np.float32]]) -> Tensor:
    """Convert an image to a tensor tile by tile: several whole copies of a large one would not fit into memory.

    Parameters
    ----------
    image
        The image.
    channels
        Channels of the tensor.
    values_of
        Returns the values of a part of the image, `(height, width, channels)` or one channel for all of them.

    Returns
    -------
    Tensor
        `(1, channels, h, w)`, float32.
    """
    width, height = image.size
    values = np.empty((channels, height, width), np.float32)
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            box = (left, top, min(left + _TILE, width), min(top + _TILE, height))
            values[:, top : box[3], left : box[2]] = values_of(image.crop(box)).transpose(2, 0, 1)
    return torch.from_numpy(values)[None]


def upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF data say; where these cannot be read, it stays as it is stored.

    A turned image no longer carries its orientation, so that it is not turned again.
    """
    image.load()  # which turns a TIFF by itself
    turn = _UPRIGHT.get(_orientation(image))
    if turn is None:
        return image
    turned = image.transpose(turn)
    turned.info = {name: value for name, value in turned.info.items() if name not in _TURNS}
    return turned


def _orientation(image: Image.Image) -> Any:
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Pillow's parser meets garbage with nearly any error
        return None


def load_image(path: str | os.PathLike[str]) -> Tensor:
    """Load an image file as a tensor, converted as in `from_pil`; of several images in it, the first.

    Parameters
    ----------
    path
        A file in one of the `FORMATS`.

    Returns
    -------
    Tensor
        `(1, 3, h, w)`, RGB, in [-1, 1].

    Raises
    ------
    UserError
        The file is missing, is not an image, is broken, has more than `MOST_PIXELS` or is too large for the memory
        that is left. Names the file.
    """
    with opened(path) as image:
        return from_pil(image)


def size_of(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the width and height of an image file, upright.

    Raises
    ------
    UserError
        See `load_image`.
    """
    with opened(path) as image:
        if image.format == "TIFF" and _orientation(image) in _SIDEWAYS:
            image.load()  # some versions of Pillow have its turned size before, all of them from then on
        width, height = image.size
        return (height, width) if _orientation(image) in _SIDEWAYS else (width, height)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """Open an image file with Pillow; what the block raises about it becomes an error that names the file.

    Nothing else opens image files.

    Raises
    ------
    UserError
        See `load_image`.
    """
    check_regular(path)
    try:
        with _identified(path) as image, _room_for(image):
            if image.width * image.height > MOST_PIXELS:
                raise UserError(
                    f"{image.width}x{image.height} pixels are too many: {MOST_PIXELS / 1e6:g} megapixels are the most; "
                    "reduce it first"
                )
            yield image
    except UnidentifiedImageError as error:
        raise UserError(f"{path} {_why_unidentified(path)}") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{path}: more than {MOST_PIXELS / 1e6:g} megapixels are too many; reduce it first") from error
    except MemoryError as error:
        raise UserError(f"{path}: the image is too large for the memory that is left; reduce it first") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except Exception as error:  # decoders of broken files raise nearly anything, SyntaxError and RuntimeError among it
        raise UserError(f"cannot read the image {path}: {_reason(error)}") from error


def _identified(path: str | os.PathLike[str]) -> Image.Image:
    """Read the header of an image file."""
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    # Pillow's own limit is lower, and a warning. Filters of warnings are those of the whole process.
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path, formats=known)


def _why_unidentified(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        if file.read(4) in (b"II*\0", b"MM\0*"):
            return (
                "is a TIFF with a layout that Pillow does not read, such as one of six channels: save the "
                "channels as files of their own"
            )
    return f"is not an image in a format that is read here: {', '.join(FORMATS)}"


def _room_for(image: Image.Image) -> AbstractContextManager[object]:
    """Wait until no other thread holds a large image."""
    return _turn if image.width * image.height > _LARGE else nullcontext()


def _reason(error: Exception) -> str:
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return printable(" ".join(told.split())[:_LONGEST_REASON]) or type(error).__name__


def save_image(image: Tensor, path: str | os.PathLike[str]) -> None:
    """Write an image file; it appears complete or not at all.

    Parameters
    ----------
    image
        `(3, h, w)` or `(1, 3, h, w)`, RGB, in [-1, 1].
    path
        The file; its suffix gives the format. Missing folders are made.

    Raises
    ------
    UserError
        The suffix names no image format, or the place may not be written to.
    ValueError
        The tensor is not one image; see `to_pil`.
    """
    suffix = Path(path).suffix
    image_format = Image.registered_extensions().get(suffix.lower())
    if image_format not in Image.SAVE:
        raise UserError(f"cannot write {path}: {suffix or 'no suffix'} is not an image format; use .png")
    converted = to_pil(image)
    with atomic_path(path) as temporary:
        # PNG alone knows this option: files of the same size in less than half the time of the usual 6.
        converted.save(temporary, image_format, compress_level=4)


def reduce(images: Tensor, longest: int) -> Tensor:
    """Average `images (b, 3, h, w)` down to at most `longest` pixels on the longer side; smaller ones stay."""
    _check(images)
    height, width = images.shape[2:]
    scale = longest / max(height, width)
    if scale >= 1:
        return images
    return F.interpolate(images, (max(round(height * scale), 1), max(round(width * scale), 1)), mode="area")


def luma(images: Tensor) -> Tensor:
    """Weigh the channels of `images (b, c, h, w)` as ITU-R BT.601 does, `(b, 1, h, w)`; grey images stay."""
    if images.shape[1] == 1:
        return images
    return (images * images.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """Resize `images (b, c, h, w)` in [-1, 1], bicubic and antialiased; unchanged where the size is right."""
    if images.shape[2:] == (height, width):
        return images
    return F.interpolate(images, (height, width), mode="bicubic", antialias=True).clamp(-1, 1)


def resize_masks(masks: Tensor, height: int, width: int) -> Tensor:
    """Resize `masks (b, n, h, w)` by nearest neighbours, so that edges stay hard."""
    if masks.shape[1] == 0:  # which F.interpolate refuses
        return masks.new_empty(len(masks), 0, height, width)
    return masks if masks.shape[2:] == (height, width) else F.interpolate(masks, (height, width), mode="nearest-exact")


def grid(images: Tensor, columns: int) -> Tensor:
    """Arrange many images as one: row by row, with leftover cells white.

    Parameters
    ----------
    images
        `(b, 3, h, w)` in [-1, 1], b at least 1.
    columns
        Images in a row, at least 1.

    Returns
    -------
    Tensor
        `(1, 3, rows * h, columns * w)` with rows = ceil(b / columns).
    """
    _check(images)
    if columns < 1 or len(images) == 0:
        raise ValueError(f"a grid needs an image and a column, not {len(images)} and {columns}")
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    cells = images.new_ones((rows * columns, channels, height, width))
    cells[:count] = images
    cells = cells.reshape(rows, columns, channels, height, width).permute(2, 0, 3, 1, 4)
    return cells.reshape(1, channels, rows * height, columns * width)


def _check(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] not in CHANNELS:
        raise ValueError(f"images are (batch, 3, height, width), not {tuple(images.shape)}")
