"""Words for values that a file holds: short, on one line, and safe to print whatever the value is."""

from __future__ import annotations

from typing import Any

_LONGEST = 60


def printable(text: str) -> str:
    """Return `text` with unprintable characters escaped, such as line breaks and a terminal's control codes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def describe(value: Any) -> str:
    """Describe a value of unknown origin for a message.

    Text and numbers are shown, cut where they are long; for everything else only the type is named: a list may hold
    itself, or hold the same list a million times, so that writing it would not end.

    Parameters
    ----------
    value
        Anything.

    Returns
    -------
    str
        At most 70 characters, all printable.
    """
    if value is None or type(value) in (bool, float):
        return repr(value)
    if type(value) is int:
        # Python refuses to write integers of thousands of digits.
        bits = value.bit_length()
        return repr(value) if bits <= 3 * _LONGEST else f"an integer of {bits} bits"
    if type(value) is str:
        short = printable(value[:_LONGEST])[:_LONGEST]
        return f"'{short}'" if len(value) <= _LONGEST and len(short) < _LONGEST else f"'{short[: _LONGEST - 1]}…'"
    kind = type(value).__name__
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {printable(kind[:_LONGEST])}"
