"""Scorers by name, through the registry, or from a file."""

from __future__ import annotations

import difflib
from pathlib import Path

import torch

from latentlab import registry
from latentlab.errors import UserError
from latentlab.scorers.base import AttributeSet, Scorer
from latentlab.scorers.scorer_set import ScorerSet
from stylegan2.defaults import own_draws, plain_defaults


@plain_defaults()
@own_draws()
def load_scorer(name: str = "fer", device: str | torch.device = "cpu") -> Scorer:
    """Load a scorer by its name, or several as one.

    Parameters
    ----------
    name
        'fer': seven facial expressions, by the project's own network. 'fer-library': the seven by the `fer`
        library, slower, on the CPU, without gradients; it must be installed. 'attributes:NAME': an attribute of
        faces, such as 'attributes:young', by the classifier that comes with the package, or
        'FILE.safetensors:NAME' by one of your own (`latentlab scorer train`); without NAME all of its attributes, each
        judged by itself. Or a scorer that another package registers under `latentlab.scorers`: a function that takes
        the device and returns a `Scorer`. Several of these, separated by commas, give a `ScorerSet`, as in
        'fer,attributes'; several attributes of one classifier, as in 'attributes:young,attributes:male', that
        classifier for these.
    device
        Device of the network; give it images on that device.

    Raises
    ------
    UserError
        No such scorer, with the nearest ones; or its weights or its library are not available.
    """
    wanted: dict[str, list[str]] = {}
    for part in name.split(","):
        source, attribute = _split(part.strip())
        wanted.setdefault(source, []).extend([attribute] if attribute else [])
    found = {source: _load(source, attributes, device) for source, attributes in wanted.items()}
    if len(found) == 1:
        return next(iter(found.values()))
    return ScorerSet({_qualifier(source): scorer for source, scorer in found.items()})


def _split(name: str) -> tuple[str, str]:
    """Split 'SOURCE:ATTRIBUTE' where there is an attribute, which is empty otherwise."""
    source, colon, attribute = name.rpartition(":")
    if colon and (source.endswith(".safetensors") or source in registry.scorers.names()):
        return source, attribute
    return name, ""


def _qualifier(source: str) -> str:
    """Name of a scorer within a set: that it is registered by, or that of its file."""
    return Path(source).stem if source.endswith(".safetensors") else source


def _load(source: str, attributes: list[str], device: str | torch.device) -> Scorer:
    """Load a scorer, for some of its attributes if any are named."""
    if source.endswith(".safetensors"):
        from latentlab.scorers.attributes.scorer import load_attributes

        found: Scorer = load_attributes(source, device)
    else:
        found = registry.scorers.load(source)(device)
    if not attributes:
        return found
    if not isinstance(found, AttributeSet):
        raise UserError(f"the scorer {source} takes no name after a colon; it gives {', '.join(found.names)}")
    return found.of(*attributes)


def default_scorer(attribute: str) -> str:
    """Name of the scorer that scores an attribute: 'fer' for its expressions, else 'attributes:ATTRIBUTE'.

    Raises
    ------
    UserError
        If neither knows the attribute. Suggests the nearest ones, and how to give another scorer.
    """
    from latentlab.scorers.attributes.scorer import SHIPPED, load_shipped
    from latentlab.scorers.expression import EXPRESSIONS

    if attribute in EXPRESSIONS:
        return "fer"
    known = load_shipped().names
    if attribute in known:
        return f"{SHIPPED}:{attribute}"
    near = difflib.get_close_matches(attribute, (*EXPRESSIONS, *known), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"they know {', '.join((*EXPRESSIONS, *known))}."
    raise UserError(
        f"neither fer nor attributes scores {attribute!r}; {hint} Give another scorer with --scorer, or make one of "
        "your own in Python with latentlab.FunctionScorer"
    )
