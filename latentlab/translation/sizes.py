"""Sizes of images: one number for square ones, or height and width."""

from __future__ import annotations

Size = int | tuple[int, int]
"""Height and width of square images, or `(height, width)`."""


def sides_of(size: Size) -> tuple[int, int]:
    """Return height and width."""
    return (size, size) if isinstance(size, int) else size


def size_name(height: int, width: int) -> str:
    """Return a size as it is written everywhere, WIDTHxHEIGHT."""
    return f"{width}x{height}"


def nearest_size(height: int, width: int, multiple: int, least: int) -> tuple[int, int]:
    """Return the nearest height and width that are multiples of `multiple` and at least `least`."""
    first = -(-least // multiple)
    nearest = (max(int(side / multiple + 0.5), first) * multiple for side in (height, width))
    return next(nearest), next(nearest)
