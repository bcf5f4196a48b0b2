"""Names for directions, such as the components of unsupervised finders, by the attributes that go with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentlab.directions import Direction, NamedComponent, name_components
from latentlab.directions.styles import styles_of_w
from latentlab.markdown import table
from latentlab.metrics import format_interval
from latentlab.pipelines.components import Components
from latentlab.samples import SampleStore
from stylegan2.sampling import z_from_seeds

# Chance that any one of all the intervals misses its correlation.
_ERROR = 0.05


def name_directions(
    samples: str | Path,
    directions: Mapping[str, Direction],
    components: Components,
    attributes: Sequence[str] | None = None,
) -> dict[str, NamedComponent]:
    """Name directions, such as the components of an unsupervised finder, by the attributes that go with them.

    Parameters
    ----------
    samples
        Folder that `label_samples` wrote, with scores of many attributes, of other seeds than the directions' own.
    directions
        Directions by the names that they have so far.
    components
        Networks that the samples were drawn with; the generator is loaded for directions of space z or s.
    attributes
        Scores to name them by; None for all.

    Raises
    ------
    UserError
        See `latentlab.directions.name_components`.
    """
    table = SampleStore.load(samples).table()
    named: dict[str, NamedComponent] = {}
    for space in dict.fromkeys(one.space for one in directions.values()):
        own = {name: one for name, one in directions.items() if one.space == space}
        latents: NDArray[np.float32] | dict[str, NDArray[np.float32]] | None = None
        if space == "z":
            latents = z_from_seeds(table.seeds.tolist(), components.generator.z_dim).numpy()
        elif space == "s":
            latents = styles_of_w(components.generator, table.w)
        # Each space has its share of the error, so that the level is that of all intervals together.
        level = 1 - _ERROR * len(own) / len(directions)
        named |= dict(zip(own, name_components(list(own.values()), table, attributes, latents, level), strict=True))
    return {name: named[name] for name in directions}


def naming_lines(named: Mapping[str, NamedComponent], most: int = 4) -> list[str]:
    """Tabulate what goes with each direction: its name, and the strongest correlations."""
    rows = []
    for name, one in named.items():
        known = [found for found in one.associations if found.correlation.known][:most]
        told = ", ".join(f"{found.attribute} {format_interval(found.correlation)}" for found in known)
        rows.append([name, one.name(), told])
    header = ["direction", "name", "correlations, with an interval for all of them together"]
    return table(header, rows, numbers=()).splitlines()
