"""What the pickles of a file may do: the names that they may ask for, what these become, and memory for all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stylegan2.errors import CheckpointError


@dataclass(frozen=True)
class Global:
    """A name that the file mentions and the table allows; `build` makes what calling it would have given.

    `build` is None for names that are only ever passed on, such as storage types.
    """

    name: str
    build: Callable[..., Any] | None


@dataclass(frozen=True)
class UnknownClass:
    """A name that is not in the table: at best a class of networks, which is known when the reading ends."""

    name: str


@dataclass
class Record:
    """An object of the file as inert data: the name of its class, and the state that would have been set."""

    name: str
    state: Any = None

    def set_state(self, state: Any) -> None:
        """Take what the file sets on the object."""
        self.state = state


# What reading may take besides the file, in bytes: so many for each of the file, and these for small ones.
_PER_BYTE, _FREE = 4, 200 << 20


class Budget:
    """The memory that reading a file may take, in proportion to the file's size.

    A few bytes of a pickle can repeat a long value, or hand it to a function that copies it, and a nested file can be
    read again and again. Honest files stay far below the limit.

    Parameters
    ----------
    size
        Bytes of the file.
    """

    def __init__(self, size: int) -> None:
        self.left = _PER_BYTE * size + _FREE

    def spend(self, amount: int) -> None:
        """Count so many bytes.

        Raises
        ------
        CheckpointError
            They are more than are left.
        """
        self.left -= amount
        if self.left < 0:
            raise CheckpointError("refused: it nests or repeats its values far more often than any checkpoint does")


Allowed = Mapping[str, Callable[..., Any] | None]
Persistent = Callable[[Any], Any]
StandIn = Callable[[str], Record]


@dataclass(frozen=True)
class Rules:
    """What the pickles of a file may do.

    Attributes
    ----------
    allowed
        'module.name' to the function that stands in for it, or None for names that may only be mentioned.
    budget
        The memory that reading may take, which pickles of one file share.
    stand_in
        Makes the inert stand-in for an object of a class that is not in the table, from the class's name; the
        stand-in keeps a state of None if the object turns out to be no network. None: there are no such objects.
    asked
        Receives the names that are asked for, and whether the table has them; those that it lacks are then no error,
        but come out as records. None: they end the reading.
    """

    allowed: Allowed
    budget: Budget
    stand_in: StandIn | None = None
    asked: dict[str, bool] | None = None
