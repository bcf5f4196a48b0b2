"""Scorers: pictures to named scores. Expressions, attributes, the mouth's shape, and the protocol for one's own."""

from __future__ import annotations

import difflib
from collections.abc import Callable

import torch

from latentlab import weights
from latentlab.errors import UserError
from latentlab.scorers import xception
from latentlab.scorers.attributes.scorer import SHIPPED, load_attributes
from latentlab.scorers.base import FunctionScorer, Scorer
from latentlab.scorers.crop import FFHQ_FACE, FaceCrop
from latentlab.scorers.expression import EXPRESSIONS, ExpressionScorer
from latentlab.scorers.mouth import MouthGeometry
from latentlab.scorers.scores import is_positive, score_column, score_pictures

__all__ = [
    "EXPRESSIONS",
    "FFHQ_FACE",
    "ExpressionScorer",
    "FaceCrop",
    "FunctionScorer",
    "MouthGeometry",
    "Scorer",
    "is_positive",
    "load_attributes",
    "load_scorer",
    "score_column",
    "score_pictures",
]


def _fer(device: str | torch.device) -> Scorer:
    path = weights.get("fer") / "emotion_model.hdf5"
    return ExpressionScorer(xception.load(path).to(device))


def _fer_library(device: str | torch.device) -> Scorer:
    from latentlab.scorers.fer_library import FerLibraryScorer  # needs the extra `fer`

    return FerLibraryScorer()


_LOADERS: dict[str, Callable[[str | torch.device], Scorer]] = {"fer": _fer, "fer-library": _fer_library}


def load_scorer(name: str = "fer", device: str | torch.device = "cpu") -> Scorer:
    """The scorer called `name`.

    Parameters
    ----------
    name
        'fer': seven facial expressions, by the project's own network. 'fer-library': the same by the `fer`
        library, slower, on the CPU, without gradients; it must be installed. 'attributes:NAME': an attribute of
        faces, such as 'attributes:young', by the classifier that comes with the package, or
        'FILE.safetensors:NAME' by one of your own (`latentlab scorer train`).
    device
        Where the network shall run; give pictures on the same device.

    Raises
    ------
    UserError
        No such scorer, with the nearest ones; or its weights or its library cannot be had.
    """
    source, colon, attribute = name.rpartition(":")
    if colon and (source == SHIPPED or source.endswith(".safetensors")):
        return load_attributes(source, device).of(attribute)
    if name == SHIPPED or name.endswith(".safetensors"):
        known = ", ".join(load_attributes(name, device).names)
        raise UserError(f"{name} scores many attributes: name one, as in {name}:young; it knows {known}")
    if name not in _LOADERS:
        near = difflib.get_close_matches(name, _LOADERS, n=1, cutoff=0.4) or [*_LOADERS, f"{SHIPPED}:smiling"]
        raise UserError(f"no scorer is called {name!r}; did you mean {' or '.join(near)}?")
    return _LOADERS[name](device)
