"""Images between files, PIL and tensors.

Images are everywhere a float tensor `(batch, 3, height, width)`, RGB, in [-1, 1]; those of grey generators have one
channel, here and in what only draws or writes them. The byte of a value v is round((v + 1) * 127.5), halves up,
clamped to 0 … 255; a byte b means b / 127.5 - 1. Bytes survive the round trip. What takes images takes one image
`(3, height, width)` too, as a batch of one; what gives images always gives a batch. See `as_batch`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from latentlab.errors import UserError
from latentlab.files import atomic_path, check_regular

CHANNELS = (1, 3)
"""Channels of an image: grey or RGB."""

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
        Numbers of channels that are taken: 3 for RGB, 1 for grey.

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
        `(3, h, w)` or `(1, 3, h, w)`, RGB, in [-1, 1]; values beyond are clamped. Grey has one channel in place of 3.

    Returns
    -------
    PIL.Image.Image
        RGB or grey (mode L), 8 bits a channel.

    Raises
    ------
    UserError, ValueError
        The shape is another one (`grid` arranges a batch as one image), or a value is not a number.
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

    The orientation in its EXIF data is applied, grey becomes RGB, transparency lies on white, and 16-bit
    grey keeps its precision.

    Raises
    ------
    UserError
        The mode has no agreed range (32-bit float).
    """
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise UserError("an image of 32-bit floats has no agreed range: convert it to 8 or 16 bits first")
    if image.mode.startswith("I"):  # 16-bit grey; older versions of Pillow widen it to 32 bits
        grey = np.asarray(image).astype(np.float32) / 65535
        array = np.repeat(grey[:, :, None].clip(0, 1), 3, axis=2)
    else:
        if "A" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        array = np.asarray(image.convert("RGB")).astype(np.float32) / 255
    return torch.from_numpy(array * 2 - 1).permute(2, 0, 1)[None].contiguous()


def load_image(path: str | os.PathLike[str]) -> Tensor:
    """Load an image file as a tensor, converted as in `from_pil`.

    Parameters
    ----------
    path
        A file in any format that Pillow reads.

    Returns
    -------
    Tensor
        `(1, 3, h, w)`, RGB, in [-1, 1].

    Raises
    ------
    UserError
        The file is missing, is not an image, or is a broken or huge one. Names the file.
    """
    with opened(path) as image:
        return from_pil(image)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """Open an image file with Pillow; what the block raises about it becomes an error that names the file.

    Raises
    ------
    UserError
        See `load_image`.
    """
    check_regular(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                yield image
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is not an image in a format that Pillow reads") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(f"{path} is too large an image: {error}") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    # Decoders of broken files raise nearly anything, SyntaxError and struct.error among them.
    except (OSError, ValueError, SyntaxError, EOFError, ArithmeticError, LookupError, TypeError) as error:
        raise UserError(f"cannot read the image {path}: {error}") from error


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
        converted.save(temporary, image_format)


def reduce(images: Tensor, longest: int) -> Tensor:
    """Average `images (b, 3, h, w)` down to `longest` pixels at the longer side at most; smaller ones stay."""
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
    """Resize `masks (b, n, h, w)` by their nearest pixels, so that edges stay hard."""
    if masks.shape[1] == 0:  # which F.interpolate refuses
        return masks.new_empty(len(masks), 0, height, width)
    return masks if masks.shape[2:] == (height, width) else F.interpolate(masks, (height, width), mode="nearest-exact")


def grid(images: Tensor, columns: int) -> Tensor:
    """Arrange many images as one: row by row, the cells left over white.

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
