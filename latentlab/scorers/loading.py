"""Scorers by name, through the registry, or from a file."""

from __future__ import annotations

import difflib

import torch

from latentlab import registry
from latentlab.errors import UserError
from latentlab.scorers.base import AttributeSet, Scorer
from stylegan2.defaults import plain_defaults


@plain_defaults()
def load_scorer(name: str = "fer", device: str | torch.device = "cpu") -> Scorer:
    """Load a scorer by its name.

    Parameters
    ----------
    name
        'fer': seven facial expressions, by the project's own network. 'fer-library': the seven by the `fer`
        library, slower, on the CPU, without gradients; it must be installed. 'attributes:NAME': an attribute of
        faces, such as 'attributes:young', by the classifier that comes with the package, or
        'FILE.safetensors:NAME' by one of your own (`latentlab scorer train`). Or a scorer that another package
        registers under `latentlab.scorers`: a function that takes the device and gives a `Scorer`.
    device
        Device of the network; give it images on that device.

    Raises
    ------
    UserError
        No such scorer, with the nearest ones; or its weights or its library cannot be had.
    """
    source, colon, attribute = name.rpartition(":")
    if not colon or not (source.endswith(".safetensors") or source in registry.scorers.names()):
        source, attribute = name, ""
    found = _load(source, device)
    if not isinstance(found, AttributeSet):
        if attribute:
            raise UserError(f"the scorer {source} takes no name after a colon; it gives {', '.join(found.names)}")
        return found
    if not attribute:
        known = ", ".join(found.names)
        raise UserError(f"{source} scores many attributes: name one, as in {source}:young; it knows {known}")
    return found.of(attribute)


def _load(source: str, device: str | torch.device) -> Scorer:
    if source.endswith(".safetensors"):
        from latentlab.scorers.attributes.scorer import load_attributes

        return load_attributes(source, device)
    found: Scorer = registry.scorers.load(source)(device)
    return found


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
