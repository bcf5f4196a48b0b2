"""What a scorer is, and how to make one from a function or a module of one's own."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from latentlab.errors import UserError
from stylegan2.fingerprint import fingerprint as state_fingerprint


class Scorer(Protocol):
    """Pictures to named scores."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the scores, in the order of the columns."""
        ...

    @property
    def fingerprint(self) -> str:
        """A hash of all that the scores depend on besides the picture; runs with another one do not mix."""
        ...

    def __call__(self, pictures: Tensor) -> Tensor:
        """Scores `(b, len(names))` of `pictures (b, 3, h, w)` in [-1, 1], on their device."""
        ...


@runtime_checkable
class AttributeSet(Protocol):
    """A scorer of many attributes, each on its own; it is loaded for one of them at a time, as in 'attributes:young'."""

    names: tuple[str, ...]

    def of(self, *wanted: str) -> Scorer:
        """The scorer of some of its attributes."""
        ...


class FunctionScorer:
    """A scorer from any function or `nn.Module`.

    Parameters
    ----------
    names
        The names of the scores.
    function
        Takes pictures `(b, 3, h, w)` in [-1, 1]; gives `(b, len(names))`, or `(b,)` for one name. A module
        is called as it is: put it into eval mode and on its device before.
    fingerprint
        What tells this scorer from others. By default a hash of the names and, of a module, its class and
        state; of a function, its name and source. Give one where it depends on anything else.

    Raises
    ------
    UserError
        No names, or one twice; at a call, scores of another shape.
    """

    def __init__(
        self, names: tuple[str, ...], function: Callable[[Tensor], Tensor], fingerprint: str | None = None
    ) -> None:
        if not names or len(set(names)) != len(names):
            raise UserError(f"a scorer needs names, each once, not {names}")
        self.names = tuple(names)
        self.function = function
        self.fingerprint = fingerprint or _fingerprint_of(self.names, function)

    def __repr__(self) -> str:
        return f"FunctionScorer({', '.join(self.names)})"

    def __call__(self, pictures: Tensor) -> Tensor:
        """Scores `(b, len(names))` of `pictures (b, 3, h, w)`."""
        scores = self.function(pictures)
        if len(self.names) == 1 and scores.shape == (len(pictures),):
            scores = scores[:, None]
        wanted = (len(pictures), len(self.names))
        if scores.shape != wanted:
            raise UserError(f"the scorer of {', '.join(self.names)} gave {tuple(scores.shape)}, not {wanted}")
        return scores


def _fingerprint_of(names: tuple[str, ...], function: Callable[[Tensor], Tensor]) -> str:
    if isinstance(function, nn.Module):
        kind = f"{type(function).__module__}.{type(function).__qualname__}"
        return state_fingerprint({"names": list(names), "class": kind}, function.state_dict())
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):  # typed at a prompt, built in, or a callable object
        source = ""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return hashlib.sha256("\0".join((*names, name, source)).encode()).hexdigest()
