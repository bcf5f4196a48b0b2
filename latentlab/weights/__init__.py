"""Named weights: their sources, hashes and licences, and the cache that keeps them."""

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
    """Known weights, as `latentlab weights list` shows them.

    Attributes
    ----------
    name, kind, note, licence
        As in `Weight`.
    source
        Requirement of the package index, or address.
    cached
        Whether they are in the cache already.
    """

    name: str
    kind: str
    note: str
    source: str
    licence: str
    cached: bool


def names() -> list[str]:
    """List the names of all known weights."""
    return list(REGISTRY)


def known() -> list[WeightEntry]:
    """List all known weights; fetches nothing."""
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
    """Return the local path of named weights, fetched on first use and checked at every use.

    Parameters
    ----------
    name
        A name that `names` lists.

    Returns
    -------
    Path
        A folder for weights from the package index, a file for those with an address.

    Raises
    ------
    UserError
        The name is unknown (suggests the nearest ones), or the weights could not be fetched (says what to do).
    """
    if name not in REGISTRY:
        near = difflib.get_close_matches(name, REGISTRY, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else "`latentlab weights list` shows them all"
        raise UserError(f"no weights are called {name!r}; {hint}")
    return fetch(REGISTRY[name], cache_folder())


def locate(name: str) -> Path | None:
    """Do as `get` does, but return None for an unknown name; `stylegan2.load` calls it through its entry point.

    Raises
    ------
    LookupError
        If the name is nearly that of a generator; suggests it.
    """
    if name in REGISTRY:
        return get(name)
    generators = [entry.name for entry in REGISTRY.values() if entry.kind == "generator"]
    near = difflib.get_close_matches(name, generators, n=1)
    if near:
        raise LookupError(f"did you mean {near[0]}?")
    return None
