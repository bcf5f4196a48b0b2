"""Several scorers on one rendering, as one scorer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.scorers.base import AttributeSet, Scorer
from latentlab.scorers.logits import all_logits
from latentlab.scorers.naming import qualify, set_fingerprint
from latentlab.scorers.scores import check_score, scored_channels, takes_square, threshold_of
from latentlab.scorers.threshold import combine, threshold_for


class ScorerSet:
    """Several scorers as one: each image is rendered once, and scored by all.

    Parameters
    ----------
    scorers
        Scorers by the names that qualify theirs: with `{"fer": …, "attributes": …}` the scores are called 'fer:happy',
        'attributes:smiling' and so on.
    qualified
        Whether names are qualified; None: if there are several scorers.

    Raises
    ------
    UserError
        If there are no scorers, or they take images of different channels.
    """

    def __init__(self, scorers: Mapping[str, Scorer], qualified: bool | None = None) -> None:
        if not scorers:
            raise UserError("a set of scorers needs one at least")
        self.scorers = dict(scorers)
        self.qualified = len(scorers) > 1 if qualified is None else qualified
        self._members = {
            self.qualify(qualifier, name): (scorer, name)
            for qualifier, scorer in scorers.items()
            for name in scorer.names
        }
        self.names = tuple(self._members)
        self.img_channels = _common_channels(self.scorers)
        self.square = any(map(takes_square, self.scorers.values()))
        self.fingerprint = set_fingerprint({name: scorer.fingerprint for name, scorer in scorers.items()})
        own = {scorer: threshold_of(scorer) for scorer in scorers.values()}
        self.threshold = combine(
            {name: threshold_for(own[scorer], theirs) for name, (scorer, theirs) in self._members.items()}
        )

    def __repr__(self) -> str:
        return f"ScorerSet({', '.join(map(repr, self.scorers.values()))})"

    def __call__(self, images: Tensor) -> Tensor:
        """Score `images (b, 3, h, w)` in [-1, 1]: `(b, len(names))`, the scorers' scores side by side."""
        return torch.cat([scorer(images) for scorer in self.scorers.values()], dim=1)

    def logits(self, images: Tensor) -> Tensor:
        """Compute the logits of all scores, `(b, len(names))`; see `logits_of`."""
        return torch.cat([all_logits(scorer, images) for scorer in self.scorers.values()], dim=1)

    def qualify(self, qualifier: str, name: str) -> str:
        """Name that a score of one of the scorers has in the set: 'fer:happy'."""
        return qualify(qualifier, name) if self.qualified else name

    def member(self, name: str) -> tuple[Scorer, str]:
        """Find the scorer that gives the score `name`, and what it calls that score itself.

        Raises
        ------
        UserError
            If there is no such score; lists those that there are.
        """
        check_score(self.names, name)
        return self._members[name]

    def of(self, *wanted: str) -> ScorerSet:
        """Leave out the scorers, and the attributes of those that judge each by itself, that `wanted` does not need.

        The scores keep their names. A scorer whose scores belong together, such as the probabilities of 'fer', stays
        whole.

        Raises
        ------
        UserError
            If there is no such score; lists those that there are.
        """
        found = [self.member(name) for name in wanted]
        chosen: dict[str, Scorer] = {}
        for qualifier, scorer in self.scorers.items():
            own = [name for member, name in found if member is scorer]
            if own:
                chosen[qualifier] = scorer.of(*own) if isinstance(scorer, AttributeSet) else scorer
        return ScorerSet(chosen, self.qualified)


def _common_channels(scorers: Mapping[str, Scorer]) -> int | None:
    """Channels of the images that all take; None if none says."""
    known = {name: channels for name, scorer in scorers.items() if (channels := scored_channels(scorer)) is not None}
    if len(set(known.values())) > 1:
        told = ", ".join(f"{name} takes images of {channels}" for name, channels in known.items())
        raise UserError(f"scorers of one rendering take images of one number of channels, but {told}")
    return next(iter(known.values()), None)
