"""What in a mask is background, and what is void: lines around instances that belong to none of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from latentlab.errors import UserError
from latentlab.reprs import ShortRepr

# A value with at least the first share of the border of a picture surrounds it, one with less than the second
# keeps away from it, and one with at least the third has most of it.
_SURROUNDS, _KEEPS_AWAY, _MOST = 0.9, 0.05, 0.5
# Numbers of instances or classes up to here are no shades of grey.
_LARGEST_NUMBER = 100
# Instances whose smallest value is at least this are drawn in shades of grey, among which white is one more.
_DARKEST_SHADE = 64
# Pascal VOC's void: a number, and the colour that its palette has there.
_VOID, _VOID_COLOUR = 255, 0xE0E0C0
# An outline has at least this share of the contour of a value.
_ENCLOSES = 0.8

_ADVICE = "save a PNG that is transparent outside, or that is 0 outside and 1, 2, … inside"


@dataclass(frozen=True, repr=False)
class MaskValues(ShortRepr):
    """The values of a mask.

    Attributes
    ----------
    codes
        A number for each value, `(h, w)`: a grey value, an index of a palette, or a colour as 0xRRGGBB.
    kind
        What they are: 'grey', 'index', 'colour', or 'alpha' for values of an alpha channel.
    brightness, colours
        Brightness of each pixel, and its colour as 0xRRGGBB, `(h, w)` each; the same where there is no colour.
    black, white
        Values that are background by custom: black and the first of a palette; and those that are on white paper.
    """

    codes: NDArray[np.int32]
    kind: str
    brightness: NDArray[np.int32]
    colours: NDArray[np.int32]
    black: frozenset[int] = frozenset({0})
    white: frozenset[int] = frozenset({255, 65535})

    @cached_property
    def present(self) -> NDArray[np.int32]:
        """The values, in order."""
        return np.unique(self.codes)

    def shares(self) -> str:
        """List the commonest values with their shares."""
        values, counts = np.unique(self.codes, return_counts=True)
        first = np.argsort(-counts, kind="stable")[:3]
        told = ", ".join(f"{self.name(values[k])} ({counts[k] / self.codes.size:.0%})" for k in first)
        more = len(values) - len(first)
        return told + (f" and {more} more values" if more else "")

    def name(self, code: Any) -> str:
        """Return a value as it is told."""
        return f"#{code:06x}" if self.kind == "colour" else str(code)


def background_of(values: MaskValues) -> int:
    """Return the value of the background.

    It is 0 or black where this has most of the picture's border, or where the others are numbers of instances;
    another value where it covers the border, as white does in drawings.

    Raises
    ------
    UserError
        Neither is so. Says what was seen.
    """
    codes = values.codes
    border = np.concatenate([codes[0], codes[-1], codes[1:-1, 0], codes[1:-1, -1]])
    found, counts = np.unique(border, return_counts=True)
    common, share = int(found[counts.argmax()]), counts.max() / border.size
    present = {int(value) for value in values.present}
    usual = values.black & present
    white = values.white - usual
    if common in usual and share >= _MOST:
        return common
    apart = all((border == value).mean() < _KEEPS_AWAY for value in usual)
    numbers = values.kind == "grey" and 1 <= max(present - {_VOID}) <= _LARGEST_NUMBER
    if share >= _SURROUNDS and apart and not (numbers and usual):
        return common
    if not usual and common in white and share >= _MOST:
        return common
    counted = numbers or values.kind == "index" or len(present) > 2
    surrounded = (common in white and share >= _MOST) or (apart and share >= _SURROUNDS)
    if len(usual) == 1 and counted and not surrounded:
        return next(iter(usual))
    lacking = "" if usual else ", and no 0"
    raise UserError(
        f"the mask has no background that is certain: it holds {values.shares()}{lacking}, and {values.name(common)} "
        f"has {share:.0%} of its border; {_ADVICE}"
    )


def inside(values: MaskValues, background: int) -> list[int]:
    """Return the values of the instances: all but the background and the void.

    255 around numbers of instances is void, as in Pascal VOC.

    Raises
    ------
    UserError
        A value may be void, or an outline around other instances. Says what was seen.
    """
    found = [int(value) for value in values.present if value != background]
    if len(found) < 2:
        return found
    contacts = _contacts(values.codes)
    for void in set(found) & void_candidates(values):
        others = [value for value in found if value != void]
        touching = sum(contacts.get((other, void), 0) for other in others)
        outside = sum(contacts.get((other, background), 0) for other in others)
        if touching >= _MOST * (touching + outside):
            found = others
        elif void - 1 not in others and (touching or min(others) < _DARKEST_SHADE or values.kind != "grey"):
            raise UserError(
                f"the mask can be read in several ways: {values.name(void)} may be an instance, or void as in Pascal "
                f"VOC; it holds {values.shares()}; {_ADVICE}"
            )
    # Where 0 is not the background, lines of any width are outlines, as in the trimaps of Oxford's pets.
    lines = _thin(values.codes, found) if background in values.black or values.kind != "grey" else found
    for value in lines:
        if any(_encloses(contacts, value, other) for other in found if other != value):
            raise UserError(
                f"the mask can be read in several ways: {values.name(value)} may be an instance, or an outline of the "
                f"others; it holds {values.shares()}; {_ADVICE}"
            )
    return found


def void_candidates(values: MaskValues) -> set[int]:
    """Return the values that Pascal VOC has for void; in grey only beside numbers."""
    return {_VOID_COLOUR} if values.kind == "colour" else {_VOID} if values.codes.max() == _VOID else set()


def flat(codes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return where three by three pixels have one value, `(h, w)`."""
    return np.asarray(ndimage.maximum_filter(codes, 3) == ndimage.minimum_filter(codes, 3))


def halved(values: MaskValues) -> MaskValues:
    """Return the values as black and white, cut at half of the largest brightness."""
    bright = values.brightness > values.brightness.max() / 2
    codes = np.where(bright, np.int32(255), np.int32(0))
    return MaskValues(codes, "grey", codes, codes)


def _contacts(codes: NDArray[np.int32]) -> dict[tuple[int, int], int]:
    """Count how often each value lies beside, above or below each other value."""
    found: dict[tuple[int, int], int] = {}
    for one, other in ((codes[:, 1:], codes[:, :-1]), (codes[1:], codes[:-1])):
        differ = one != other
        pairs, counts = np.unique(np.stack([one[differ], other[differ]]), axis=1, return_counts=True)
        for (a, b), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            for pair in ((a, b), (b, a)):
                found[pair] = found.get(pair, 0) + count
    return found


def _thin(codes: NDArray[np.int32], found: list[int]) -> list[int]:
    """Return the values that only have lines of a pixel or two."""
    filled = set(np.unique(codes[flat(codes)]).tolist())
    return [value for value in found if value not in filled]


def _encloses(contacts: dict[tuple[int, int], int], value: int, other: int) -> bool:
    whole = sum(count for (one, _), count in contacts.items() if one == other)
    return contacts.get((other, value), 0) >= _ENCLOSES * max(whole, 1)
