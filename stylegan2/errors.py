"""What this package raises at the reader."""

from __future__ import annotations


class CheckpointError(ValueError):
    """A file of weights cannot be used: the message says what it is, what is wrong and what to do."""


class ForbiddenGlobalError(CheckpointError):
    """A pickle asks for a Python name that no supported checkpoint needs; nothing of it was executed."""
