"""What this package raises at the reader."""

from __future__ import annotations

import struct


class CheckpointError(ValueError):
    """A file of weights cannot be used: the message says what it is, what is wrong and what to do."""


class ForbiddenGlobalError(CheckpointError):
    """A pickle asks for a Python name that no supported checkpoint needs; nothing of it was executed."""


# What malformed content can make of honest code, should it slip through the checks.
MALFORMED: tuple[type[Exception], ...] = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
