"""Faces that a session can hold: what they are made from, a few numbers and names each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latentlab.errors import UserError
from latentlab.pipelines.photos.settings import PhotoRecipe
from latentlab.samples import check_psi

_MOST = 2**32 - 1


def _check_seed(seed: int) -> None:
    if not 0 <= seed <= _MOST:
        raise UserError(f"seeds lie in 0 … {_MOST}, not {seed}")


@dataclass(frozen=True)
class Mix:
    """Rows of ws that come from another seed.

    Attributes
    ----------
    seed
        That seed.
    first, last
        First and last of these rows.

    Raises
    ------
    UserError
        If the seed is out of range, or the rows are invalid.
    """

    seed: int
    first: int
    last: int

    def __post_init__(self) -> None:
        _check_seed(self.seed)
        if not 0 <= self.first <= self.last:
            raise UserError(f"mixing takes rows from a first to a last one, not {self.first} to {self.last}")

    @property
    def rows(self) -> range:
        """The rows."""
        return range(self.first, self.last + 1)


@dataclass(frozen=True)
class SeedFace:
    """A generated face.

    Attributes
    ----------
    seed, psi
        Its seed and truncation.
    mix
        Rows that come from another seed; None for none.

    Raises
    ------
    UserError
        If the seed or psi is out of range.
    """

    seed: int
    psi: float = 0.7
    mix: Mix | None = None

    def __post_init__(self) -> None:
        _check_seed(self.seed)
        check_psi(self.psi)

    @property
    def title(self) -> str:
        """What it is called on the page."""
        mixed = "" if self.mix is None else f", rows {self.mix.first}–{self.mix.last} of seed {self.mix.seed}"
        return f"seed {self.seed}, psi {self.psi:g}{mixed}"


@dataclass(frozen=True)
class PhotoFace:
    """A face in a photo that was projected.

    Attributes
    ----------
    path
        File of the photo.
    number
        Which of its faces, from 1, the largest.
    recipe
        How it was projected.
    """

    path: Path
    number: int
    recipe: PhotoRecipe

    @property
    def title(self) -> str:
        """What it is called on the page."""
        return f"{self.path.name}, face {self.number}"


@dataclass(frozen=True)
class CodeFace:
    """A face whose latent code lies in a file, such as one that was dragged.

    Attributes
    ----------
    path
        File of the code.
    photo
        The face of a photo that it was dragged from: its refined generator renders the code, into the photo. None for
        a code of the generator's own.
    """

    path: Path
    photo: PhotoFace | None = None

    @property
    def title(self) -> str:
        """What it is called on the page."""
        return f"{self.path.parent.name}"


Face = SeedFace | CodeFace | PhotoFace
"""What a session edits."""


def photo_of(face: Face) -> PhotoFace | None:
    """The face of a photo that a face is, or was dragged from; None for generated faces."""
    return face if isinstance(face, PhotoFace) else face.photo if isinstance(face, CodeFace) else None
