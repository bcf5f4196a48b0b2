"""Batches that fit: how many images are rendered at once, and what happens to a batch that does not fit into memory."""

from __future__ import annotations

import gc
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import torch

from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.rendering import Renderer

T = TypeVar("T")

BatchSize: TypeAlias = int | Literal["auto"]
"""Images at once: a number, or 'auto' for what is quick on the device and fits into its free memory."""

# Measured with mobile-ffhq: two cores render one image of 1024² or four of 256² at a time as quickly as more, and
# sixteen more slowly; a GPU is kept busy by some millions of pixels.
_PIXELS = {"cpu": 4 * 256**2, "cuda": 16 * 512**2}
_MOST = {"cpu": 4, "cuda": 64}

# Memory that an image takes while it is rendered, by generous estimates for StyleGAN2: wide layers up to 256², and
# finer ones with fewer channels. A part of the free memory is left to everything else.
_BYTES_A_PIXEL, _FINER_BYTES_A_PIXEL, _WIDE = 4096, 1024, 256**2
_SHARE = 0.5

_MESSAGES = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "bad_alloc",
    "alloc_failed",
)


class Batches:
    """Runs work on rows in batches; where memory runs out, it halves their size and goes on.

    One object serves all loops over images of one kind, so that what one of them has learnt holds for the next.

    Parameters
    ----------
    size
        Images at once, or 'auto': what is quick on the device and fits into its free memory.
    resolution
        Height and width of the images; one number for square ones.
    device
        Device that they are rendered on.

    Attributes
    ----------
    size
        Images at once, now.

    Raises
    ------
    UserError
        If the size is neither 'auto' nor 1 or more.
    """

    def __init__(self, size: BatchSize, resolution: int | tuple[int, int], device: torch.device | str = "cpu") -> None:
        asked = check_batch(size)
        self.height, self.width = (resolution, resolution) if isinstance(resolution, int) else resolution
        self.device = torch.device(device)
        self.size = fitting_batch((self.height, self.width), self.device) if asked == "auto" else asked

    @classmethod
    def of(cls, batch: AnyBatch, renderer: Renderer) -> Batches:
        """Return the batches for a renderer's images; `batch` itself if it already is a `Batches`."""
        if isinstance(batch, Batches):
            return batch
        return cls(batch, renderer.size, renderer.generator.w_avg.device)

    def __repr__(self) -> str:
        return f"Batches({self.size} at {self.width}x{self.height} on {self.device})"

    def __call__(self, rows: range, work: Callable[[range], T], least: int = 1) -> Iterator[T]:
        """Yield what `work` returns for each batch of the rows, in order.

        Parameters
        ----------
        rows
            Numbers of the rows.
        work
            Renders a few of them, and may be called again with fewer.
        least
            Images that `work` renders for a single row.

        Raises
        ------
        UserError
            If a single row is too much for the memory; says what to do.
        """
        while rows:
            some = rows[: max(self.size // least, 1)]
            failed = None
            try:
                found = work(some)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failed = str(error)
            if failed is None:
                yield found
                rows = rows[len(some) :]
            else:  # outside of the handler, which would keep alive what was rendered so far
                self.shrink(len(some), failed, least)

    def shrink(self, failed: int, reason: str, least: int = 1) -> None:
        """Halve the size, below the `failed` rows of `least` images that did not fit, and say so.

        Raises
        ------
        UserError
            If a single row did not fit; says what to do.
        """
        place = f"{self.width}x{self.height} on {self.device}"
        if failed == 1:
            told = f" ({reason.splitlines()[0]})" if reason else ""
            raise UserError(
                f"there is not enough memory for one image of {place}{told}: end other programs, take a lower "
                "resolution, or another device (--device)"
            )
        self.size = failed // 2 * least
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        warnings.warn(
            f"there is not enough memory for {failed * least} images of {place} at once; going on with {self.size}",
            stacklevel=4,
        )


def parts_of(count: int, size: int) -> list[range]:
    """Numbers from 0 to below `count`, in parts of `size`; the last may be smaller."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


AnyBatch: TypeAlias = BatchSize | Batches
"""Images at once, or the batches that an earlier loop has used."""


def check_batch(size: int | str) -> BatchSize:
    """Return a size of batches that is 'auto' or 1 or more; UserError otherwise."""
    if size == "auto":
        return "auto"
    if isinstance(size, str) or size < 1:
        raise UserError(f"a batch (batch_size, --batch) is 'auto', or has 1 or more images, not {size}")
    return size


def fitting_batch(resolution: int | tuple[int, int], device: torch.device | str) -> int:
    """Choose how many images to render at once: as many as are quick on the device and fit into its memory."""
    kind = torch.device(device).type
    pixels = resolution**2 if isinstance(resolution, int) else math.prod(resolution)
    kind = "cpu" if kind == "cpu" else "cuda"
    quick = min(max(_PIXELS[kind] // pixels, 1), _MOST[kind])
    free = free_memory(device)
    if free is None:
        return quick
    wide = min(pixels, _WIDE)
    each = wide * _BYTES_A_PIXEL + (pixels - wide) * _FINER_BYTES_A_PIXEL
    return max(min(quick, int(free * _SHARE) // each), 1)


def free_memory(device: torch.device | str = "cpu") -> int | None:
    """Bytes that are free on a device; None where that is unknown."""
    place = torch.device(device)
    if place.type == "cuda":
        kept = torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place)  # torch's own, to be used again
        return torch.cuda.mem_get_info(place)[0] + kept
    if place.type != "cpu":
        return None
    return min((found for found in (_of_system(), _of_group()) if found is not None), default=None)


def _of_system(path: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that Linux could give; None on other systems."""
    try:
        lines = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _of_group(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes left of what a container may use; None where there is no limit."""
    try:
        return int((folder / "memory.max").read_text()) - int((folder / "memory.current").read_text())
    except (OSError, ValueError):  # without a limit it says 'max'
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out, of an accelerator or of the computer."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(message in text for message in _MESSAGES)
