"""What the scores of several scorers together are called: 'fer:happy', 'attributes:smiling'."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


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
