"""Names of the metrics of a generator, known without loading anything."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from latentlab.errors import UserError

PATHS = tuple(f"ppl-{space}-{sampling}" for space in ("z", "w") for sampling in ("full", "end"))
SEPARABILITY = ("separability-z", "separability-w")
DCI_SPACES = ("z", "w", "s")
DCI_SCORES = ("disentanglement", "completeness", "informativeness")
DCI = tuple(f"dci-{space}-{score}" for space in DCI_SPACES for score in DCI_SCORES)
AGAINST_REAL = ("precision", "recall", "density", "coverage", "fid", "kid", "frechet-distance", "kernel-distance")
"""Metrics that compare with a folder of real images."""

GENERATOR_METRICS = (*PATHS, *SEPARABILITY, *DCI, *AGAINST_REAL)
"""Names of all metrics of a generator."""

FOLDER_METRICS = (
    "lpips",
    "identity",
    "precision",
    "recall",
    "fid",
    "kid",
    "frechet-distance",
    "kernel-distance",
)
"""Metrics of two folders that are measured where none is named."""

PUBLISHED = {
    "ppl-w-end": "129.4",
    "separability-w": "4.27",
    "precision": "0.689",
    "recall": "0.492",
    "fid": "2.84",
}
"""Values that are published for StyleGAN2 config-f on FFHQ, in the repository of Karras et al. 2020, "Analyzing and
Improving the Image Quality of StyleGAN"."""


def select(names: Iterable[str]) -> tuple[str, ...]:
    """Return the metrics that names stand for, in the order of `GENERATOR_METRICS`.

    Parameters
    ----------
    names
        Names, or beginnings up to a hyphen: 'ppl-w' is 'ppl-w-full' and 'ppl-w-end'. Empty for all.

    Raises
    ------
    UserError
        If a name is unknown; suggests the nearest.
    """
    wanted = tuple(names)
    groups = {"-".join(name.split("-")[: k + 1]) for name in GENERATOR_METRICS for k in range(name.count("-") + 1)}
    for name in wanted:
        if name not in groups:
            near = difflib.get_close_matches(name, sorted(groups), n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(GENERATOR_METRICS)}"
            raise UserError(f"no metric of a generator is called {name!r}; {hint}")
    return tuple(
        name
        for name in GENERATOR_METRICS
        if not wanted or any(name == one or name.startswith(f"{one}-") for one in wanted)
    )
