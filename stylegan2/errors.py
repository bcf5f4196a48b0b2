"""The errors of this package."""

from __future__ import annotations

import struct


class CheckpointError(ValueError):
    """A checkpoint cannot be used: the message says what it is, what is wrong and what to do."""


class DeviceError(ValueError):
    """A device is not available: the message says which ones are."""


class ForbiddenGlobalError(CheckpointError):
    """A pickle asks for a Python name that no supported checkpoint needs; none of it was executed."""


# Errors that malformed content can cause behind the checks.
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
