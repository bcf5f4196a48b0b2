"""What the scores of several scorers together are called: 'fer:happy', 'attributes:smiling'."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence

_MANY = 12  # more names than one reads in a message


def qualify(qualifier: str, name: str) -> str:
    """Name of a score of one of several scorers: 'fer:happy'."""
    return f"{qualifier}:{name}"


def qualifier_of(name: str) -> str:
    """Name of the scorer that a qualified name begins with; empty for a plain name."""
    return name.rpartition(":")[0]


def set_fingerprint(fingerprints: Mapping[str, str]) -> str:
    """Hash of several scorers, from the fingerprint of each by the name that qualifies its scores."""
    parts = [part for item in fingerprints.items() for part in item]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def hint(names: Sequence[str], name: str) -> str:
    """Propose names instead of an unknown one: all of them, or of very many the nearest, if there are such."""
    same = [known for known in names if known.rpartition(":")[2] == name]  # without the name of its scorer
    near = same or difflib.get_close_matches(name, names, n=3)
    return f"did you mean {' or '.join(near)}?" if near and len(names) > _MANY else f"there are {', '.join(names)}"
