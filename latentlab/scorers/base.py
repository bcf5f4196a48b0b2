"""The protocol of scorers, and a scorer made from a function or a module of your own."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.images import CHANNELS, as_batch
from latentlab.scorers.threshold import ThresholdLike, parse_threshold
from stylegan2.fingerprint import fingerprint as state_fingerprint


class Scorer(Protocol):
    """Images to named scores.

    NaN is the score of an image that cannot be scored, such as one in which no face is found. A scorer may also have:

    - an attribute `threshold`, the `Threshold` above which its scores are positive, or the `Thresholds` of each.
      Without one an image is positive for the largest of several scores, or for a single score above one half;
    - an attribute `img_channels`, the channels of the images that it takes: 3 for colour, 1 for grey;
    - an attribute `square`: whether it takes only square images, such as faces in FFHQ's framing;
    - an attribute `probabilities`: whether its scores are probabilities, rather than lengths, angles and the like.
      Without it they are where all lie in [0, 1];
    - a method `logits(images)`, `(b, len(names))`: the logits of probabilities, where they are known better than the
      scores show; see `latentlab.scorers.logits_of`.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the scores, in the order of the columns."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that the scores depend on besides the image; runs with different ones do not mix."""
        ...

    def __call__(self, images: Tensor, /) -> Tensor:
        """Score `images (b, 3, h, w)` in [-1, 1]: `(b, len(names))`, on their device."""
        ...


@runtime_checkable
class AttributeSet(Protocol):
    """A scorer of many attributes, each judged by itself.

    `load_scorer` loads it for all of them, or for those that are named, as in 'attributes:young'.
    """

    names: tuple[str, ...]

    def of(self, *wanted: str) -> Scorer:
        """Choose some of its attributes."""
        ...


@runtime_checkable
class ScorerGroup(Protocol):
    """A scorer made of several, each of which can be run by itself.

    Attributes
    ----------
    scorers
        The scorers, by the names that qualify those of their scores.
    """

    scorers: dict[str, Scorer]

    def qualify(self, qualifier: str, name: str) -> str:
        """Name that a score of one of its scorers has here."""
        ...

    def member(self, name: str) -> tuple[Scorer, str]:
        """Find the scorer that gives the score `name`, and what it calls that score itself."""
        ...


class FunctionScorer:
    """A scorer from any function or `nn.Module`.

    Parameters
    ----------
    names
        The names of the scores.
    function
        Takes images `(b, 3, h, w)` in [-1, 1] and returns `(b, len(names))`, or `(b,)` for one name. A module
        is called as it is: put it into eval mode and on its device beforehand.
    fingerprint
        Identifies the scorer. By default it hashes the names and either a module's class and state or a function's
        name and source; give one if the scores depend on anything else.
    threshold
        Score above which an image has the attribute: a number, 'median' or quantiles of the samples, see
        `Threshold.parse`; with several names it holds for each, or each has its own, see `parse_threshold`. By default
        an image is positive for the largest of several scores, or for a single score above one half.
    probabilities
        Whether the scores are probabilities, whose logits count where edits and attributes are compared
        (`latentlab.scorers.logits_of`); lengths, angles and the like count as they are. None: they are probabilities
        wherever all of those that are compared lie in [0, 1].

    Raises
    ------
    UserError
        If there are no names, one occurs twice, or the threshold cannot be read; when called, if the scores have
        another shape.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        function: Callable[[Tensor], Tensor],
        fingerprint: str | None = None,
        threshold: ThresholdLike | None = None,
        probabilities: bool | None = None,
    ) -> None:
        if not names or len(set(names)) != len(names):
            raise UserError(f"a scorer needs names, each once, not {names}")
        self.names = tuple(names)
        self.function = function
        self.fingerprint = fingerprint or _fingerprint_of(self.names, function)
        self.threshold = None if threshold is None else parse_threshold(threshold)
        self.probabilities = probabilities

    def __repr__(self) -> str:
        return f"FunctionScorer({', '.join(self.names)})"

    def __call__(self, images: Tensor) -> Tensor:
        """Score `images (b, 3, h, w)`, or one `(3, h, w)`: `(b, len(names))`."""
        images = as_batch(images, channels=CHANNELS)
        scores = self.function(images)
        if len(self.names) == 1 and scores.shape == (len(images),):
            scores = scores[:, None]
        wanted = (len(images), len(self.names))
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
