"""Learn a direction from samples: the table, the direction with its card, and a walk along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from latentlab import registry
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.files import read_json, write_json
from latentlab.pipelines import Components, LabelSettings, SeedSettings, fit_samples, label_samples, walk_seeds
from latentlab.pipelines.library import PICTURE_SEEDS
from latentlab.plots import save_figure
from latentlab.reprs import ShortRepr
from latentlab.samples import SampleStore, SampleTable
from latentlab.scorers import check_score
from latentlab.studio.visitors import plain_name
from latentlab.studio.working import Report

FEWEST, MOST = 20, 5000
"""Fewest and most samples that a direction is learnt from."""


_FACTS = ".learnt.json"


@dataclass(frozen=True)
class _Facts:
    """What a direction was learnt from: so many samples."""

    samples: int


@dataclass(frozen=True, eq=False, repr=False)
class Learnt(ShortRepr):
    """A direction that was learnt.

    Attributes
    ----------
    name
        What it is called among the sliders.
    direction
        The direction.
    table
        The samples.
    file, walk
        Files of the direction, and of the figure of a walk along it.
    """

    name: str
    direction: Direction
    table: SampleTable
    file: Path
    walk: Path


def headings_of(names: Sequence[str]) -> list[str]:
    """Headings above the rows of a sample table whose scores have these names."""
    return ["seed", "psi", *names]


def rows_of(table: SampleTable, most: int = 200) -> list[list[float]]:
    """The first rows of a sample table: seed, psi and scores of each, with three decimals."""
    seeds, psi = table.seeds[:most].tolist(), table.psi[:most].tolist()
    # Each is rounded as a Python number: a rounded float32 would be shown with all of its digits.
    scores = [[round(score, 3) for score in own] for own in table.scores[:most].tolist()]
    return [[seed, round(one, 3), *own] for seed, one, own in zip(seeds, psi, scores, strict=True)]


def learn(attribute: str, finder: str, samples: int, components: Components, folder: Path, report: Report) -> Learnt:
    """Draw samples, learn a direction from them, and walk along it; samples that are there already are not drawn again.

    Parameters
    ----------
    attribute
        Score of the components' scorer.
    finder
        Name of a finder.
    samples
        Number of samples, in `FEWEST` … `MOST`.
    components
        Networks.
    folder
        Folder of the samples and of the results.
    report
        Receives the progress of the work.

    Raises
    ------
    UserError
        If the number is out of range, there is no such score or finder, or the samples do not suffice.
    """
    if not FEWEST <= samples <= MOST:
        raise UserError(f"a direction is learnt from {FEWEST} to {MOST} samples, not {samples}")
    check_score(components.scorer.names, attribute)
    registry.finders.check(finder)
    place = folder / f"samples-{samples}"
    table = label_samples(components, LabelSettings(samples), place, progress=report.stage)
    with report.stage(f"learning {attribute} by {finder}"):
        fit = fit_samples(place, [attribute], finder, components, progress=report.stage)[attribute]
    name = plain_name(f"{attribute}-{finder}")
    file, picture = folder / f"{name}.safetensors", folder / f"{name}.png"
    fit.direction.save(file)
    walk = walk_seeds(PICTURE_SEEDS, fit.direction, None, components, SeedSettings(), progress=report.stage)
    save_figure(walk.figure(attribute), picture)
    write_json(folder / f"{name}{_FACTS}", asdict(_Facts(samples)))  # last: a direction that has it is finished
    return Learnt(name, fit.direction, table, file, picture)


def names_learnt(folder: Path) -> list[str]:
    """Names of the directions that `learn` has finished in a folder."""
    return sorted(path.name.removesuffix(_FACTS) for path in folder.glob(f"*{_FACTS}"))


def learnt(name: str, folder: Path, components: Components) -> Learnt:
    """Reopen a direction that `learn` has finished in a folder.

    Raises
    ------
    UserError
        If there is none of that name, its files are gone, or it was learnt on another generator.
    """
    if name not in names_learnt(folder):
        raise UserError("this direction is not there any more; learn it again")
    facts = read_json(folder / f"{name}{_FACTS}", _Facts)
    direction = Direction.load(folder / f"{name}.safetensors")
    direction.check(components.generator)
    table = SampleStore.load(folder / f"samples-{facts.samples}").table()
    return Learnt(name, direction, table, folder / f"{name}.safetensors", folder / f"{name}.png")
