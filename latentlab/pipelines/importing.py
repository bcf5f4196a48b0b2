"""From published directions to named ones: with a card, and with the sign that they turn out to have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from latentlab.directions import Direction, load_direction
from latentlab.directions.signs import SignNotice, find_sign, score_for
from latentlab.directions.styles import styles_of_w
from latentlab.editing import move
from latentlab.errors import UserError
from latentlab.mapping import latents_of_seeds
from latentlab.pipelines.components import Components
from latentlab.rendering import Renderer, ws_of
from stylegan2.protocol import Generator

_SEEDS, _PSI, _SIGMAS = range(8), 0.7, 2.0
_POPULATION = range(512)  # seeds from which sigma is computed; they are mapped, not rendered


@dataclass(frozen=True)
class ImportedDirection:
    """A published direction with a card.

    Attributes
    ----------
    direction
        The direction, reversed if that was asked for.
    notice
        The sign with which its attribute grows.
    """

    direction: Direction
    notice: SignNotice


def import_direction(
    path: str | Path,
    attribute: str,
    components: Components,
    score: str | None = None,
    reverse: bool = False,
    space: Literal["w", "z"] | None = None,
) -> ImportedDirection:
    """Give a published direction a card, and find the sign with which its attribute grows, in a few renders.

    The card names the generator, the spread of the population along it (sigma), the file and the notice of the sign.

    Parameters
    ----------
    path
        File as `latentlab.load_direction` reads it.
    attribute
        Attribute for the card.
    components
        Networks; the generator that it was learnt on, and the scorer.
    score
        Score that shows the sign; None for the one named like the attribute, or the scorer's only one.
    reverse
        Whether to reverse it, so that positive strengths do what its negative ones did.
    space
        What a single row moves, w or z; None for w, or z where the generator has no W.

    Raises
    ------
    UserError
        If the file holds no published direction, or one of another size, or the scorer has no such score or takes
        other images.
    """
    generator = components.generator
    components.check_images(scored=True)
    direction = load_direction(Path(path), attribute, generator, space=space)
    direction.check(generator)
    chosen = score_for(components.scorer, attribute) if score is None else score
    direction = replace(-direction if reverse else direction, sigma=_sigma(direction, components))
    renderer = Renderer(generator, min(r for r in generator.resolutions if r >= min(256, generator.resolution)))
    latents = latents_of_seeds(generator, list(_SEEDS), _psi(generator))

    def render(strength: float) -> Tensor:
        return renderer(move(latents, [(direction, strength)], generator))

    notice = find_sign(render, components.scorer, chosen, _SIGMAS * (direction.sigma or 1.0))
    statistics = {**direction.statistics, "source": Path(path).name, "sign": str(notice)}
    return ImportedDirection(replace(direction, statistics=statistics), notice)


@torch.no_grad()
def _sigma(direction: Direction, components: Components) -> float:
    """Standard deviation of a population along the direction; UserError if it is 0."""
    generator = components.generator
    latents = latents_of_seeds(generator, list(_POPULATION), _psi(generator))
    if direction.space == "z":
        found = direction.coordinates(latents["z"].cpu().numpy()).std()
    else:
        ws = ws_of(latents, generator)
        assert ws is not None  # as latents of Z give
        w = ws[:, 0].double().cpu().numpy()
        found = direction.coordinates(styles_of_w(generator, w) if direction.space == "s" else w).std()
    if not (np.isfinite(found) and found > 0):
        raise UserError(f"the {direction.attribute} direction is the same for all faces")
    return float(found)


def _psi(generator: Generator) -> float:
    """The truncation that faces are drawn at, as far as the generator has any."""
    return _PSI if generator.num_ws else 1.0
