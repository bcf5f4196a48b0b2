"""Pictures between files, PIL and tensors.

In the program pictures are a float tensor `(batch, 3, height, width)`, RGB, in [-1, 1]. The byte of a
value v is round((v + 1) * 127.5), halves up, clamped to 0 … 255; a byte b means b / 127.5 - 1. Bytes
survive the round trip.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from latentlab.errors import UserError
from latentlab.files import atomic_path


def to_bytes(pictures: Tensor) -> Tensor:
    """Bytes of `pictures`, any shape, float in [-1, 1] (clamped beyond), as uint8 on the same device."""
    return ((pictures.detach().float() + 1) * 127.5 + 0.5).floor().clamp(0, 255).to(torch.uint8)


def to_pil(image: Tensor) -> Image.Image:
    """Convert one image to PIL.

    Parameters
    ----------
    image
        `(3, h, w)` or `(1, 3, h, w)`, RGB, in [-1, 1]; values beyond are clamped.

    Returns
    -------
    PIL.Image.Image
        RGB, 8 bits a channel.

    Raises
    ------
    ValueError
        The shape is another one (`grid` arranges a batch as one image), or a value is not a number.
    """
    single = image[None] if image.ndim == 3 else image
    if single.ndim != 4 or single.shape[:2] != (1, 3) or 0 in single.shape:
        hint = "; use grid for one image of the whole batch, to_pil_list for a list" if single.ndim == 4 else ""
        raise ValueError(f"an image is (3, height, width) or (1, 3, height, width), not {tuple(image.shape)}{hint}")
    return to_pil_list(single)[0]


def to_pil_list(images: Tensor) -> list[Image.Image]:
    """Convert each of `images (batch, 3, h, w)` as `to_pil` does."""
    _check(images)
    if torch.isnan(images).any():
        raise ValueError("an image holds values that are not numbers (NaN)")
    return [Image.fromarray(array) for array in to_bytes(images).permute(0, 2, 3, 1).cpu().numpy()]


def from_pil(image: Image.Image) -> Tensor:
    """A picture `(1, 3, h, w)` in [-1, 1] from an image of any mode.

    The orientation in its EXIF data is applied, grey becomes RGB, transparency lies on white, and 16-bit
    grey keeps its precision.

    Raises
    ------
    UserError
        The mode has no agreed range (32-bit float).
    """
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise UserError("a picture of 32-bit floats has no agreed range: convert it to 8 or 16 bits first")
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
    """The picture in the file `path`, `(1, 3, h, w)` in [-1, 1]; see `from_pil`.

    Raises
    ------
    UserError
        The file is missing, or no picture, or a broken or huge one. Names the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return from_pil(image)
    except Image.UnidentifiedImageError as error:
        raise UserError(f"{path} is not a picture in a format that Pillow reads") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(f"{path} is too large a picture: {error}") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    # Decoders of broken files raise nearly anything, SyntaxError and struct.error among them.
    except (OSError, ValueError, SyntaxError, EOFError, ArithmeticError, LookupError, TypeError) as error:
        raise UserError(f"cannot read the picture {path}: {error}") from error


def save_image(picture: Tensor, path: str | os.PathLike[str]) -> None:
    """Write `picture`, `(3, h, w)` or `(1, 3, h, w)` in [-1, 1]; the suffix of `path` says the format.

    Raises
    ------
    UserError
        The suffix names no picture format, or the place may not be written to.
    """
    suffix = Path(path).suffix
    image_format = Image.registered_extensions().get(suffix.lower())
    if image_format not in Image.SAVE:
        raise UserError(f"cannot write {path}: {suffix or 'no suffix'} is not a picture format; use .png")
    with atomic_path(path) as temporary:
        to_pil(picture).save(temporary, image_format)


def reduce(pictures: Tensor, side: int) -> Tensor:
    """`pictures (b, 3, h, w)` averaged down to `side` pixels a side at most; smaller ones stay."""
    _check(pictures)
    height, width = pictures.shape[2:]
    scale = side / max(height, width)
    if scale >= 1:
        return pictures
    return F.interpolate(pictures, (max(round(height * scale), 1), max(round(width * scale), 1)), mode="area")


def resize(pictures: Tensor, height: int, width: int) -> Tensor:
    """`pictures (b, c, h, w)` in [-1, 1] at another size, bicubic and without aliases; of the same size as they are."""
    if pictures.shape[2:] == (height, width):
        return pictures
    return F.interpolate(pictures, (height, width), mode="bicubic", antialias=True).clamp(-1, 1)


def resize_masks(masks: Tensor, height: int, width: int) -> Tensor:
    """`masks (b, n, h, w)` at another size, by their nearest pixels, so that edges stay hard."""
    if masks.shape[1] == 0:  # which F.interpolate refuses
        return masks.new_empty(len(masks), 0, height, width)
    return masks if masks.shape[2:] == (height, width) else F.interpolate(masks, (height, width), mode="nearest-exact")


def grid(pictures: Tensor, columns: int) -> Tensor:
    """One picture out of many: row by row, `columns` to a row, the cells left over white.

    Parameters
    ----------
    pictures
        `(b, 3, h, w)` in [-1, 1], b at least 1.
    columns
        At least 1.

    Returns
    -------
    Tensor
        `(3, rows * h, columns * w)` with rows = ceil(b / columns).
    """
    _check(pictures)
    if columns < 1 or len(pictures) == 0:
        raise ValueError(f"a grid needs a picture and a column, not {len(pictures)} and {columns}")
    count, channels, height, width = pictures.shape
    rows = -(-count // columns)
    cells = pictures.new_ones((rows * columns, channels, height, width))
    cells[:count] = pictures
    cells = cells.reshape(rows, columns, channels, height, width).permute(2, 0, 3, 1, 4)
    return cells.reshape(channels, rows * height, columns * width)


def _check(pictures: Tensor) -> None:
    if pictures.ndim != 4 or pictures.shape[1] != 3:
        raise ValueError(f"pictures are (batch, 3, height, width), not {tuple(pictures.shape)}")
