"""Learn the directions of `mobile-ffhq` that come with the package, measure them, and write their files.

    python scripts/learn_directions.py work latentlab/data/directions

Everything is kept in the folder `work`, where a stopped run resumes. The methods were chosen, for each attribute, on 40
faces of the seeds from 20,000; what is measured here, and stands in the cards, is on faces of the seeds from 30,000,
which no choice has seen. Directions are learnt on the seeds from 600. Takes hours on a CPU, minutes on a GPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from latentlab.directions import (
    Direction,
    Finder,
    LinearSVM,
    RidgeOnLogit,
    StyleCorrelation,
    StyleSVM,
    fit,
    match_layers,
)
from latentlab.directions.response import Response
from latentlab.pipelines import Components, LabelSettings, calibrate_reach, label_samples
from latentlab.pipelines.edits import rescore
from latentlab.pipelines.measuring import MeasuredAttribute, MeasureSettings, measure_directions
from latentlab.pipelines.measuring.measured_cards import with_measured
from latentlab.samples import SampleTable, split

SCORERS = "fer,attributes,attributes-judge"
GEOMETRY = "geometry,lighting"
LEARN, CONFIRM, LEARN_GEOMETRY = (
    LabelSettings(samples, first, 0.7, 256, precision="float32")
    for samples, first in ((12_000, 600), (4_000, 30_000), (6_000, 600))
)
LEAST_CORRELATION = 0.6
_MOVES = 2.0  # standard deviations by which the ends of a geometric direction's range move its score
_FACES = 12  # faces that such a range is found with


@dataclass(frozen=True)
class Entry:
    """A direction of the library.

    Attributes
    ----------
    score
        Score that teaches it.
    finder
        Makes the finder.
    reversed
        Whether it grows where the score falls.
    layers
        Rows of ws that it moves; None for all.
    share
        Share of the training faces that have changed at the ends of its range of strengths; 1 for the range at which
        all have. Faces that need more than most become other persons on the way.
    beside_svm
        Whether the SVM in W is measured on the same faces, to compare with.
    """

    score: str
    finder: Callable[[], Finder]
    reversed: bool = False
    layers: tuple[int, ...] | None = None
    share: float = 0.75
    beside_svm: bool = False


LIBRARY = {
    "smile": Entry("fer:happy", lambda: StyleSVM(10), share=1.0, beside_svm=True),
    "mouth-open": Entry("attributes:mouth_slightly_open", lambda: StyleCorrelation(5)),
    "eyeglasses": Entry("attributes:eyeglasses", lambda: LinearSVM(0.3), layers=(0, 1, 2, 3, 4, 5), beside_svm=True),
    "gender": Entry("attributes:male", lambda: StyleSVM(30), beside_svm=True),
    "age": Entry("attributes:young", lambda: StyleSVM(300), reversed=True, beside_svm=True),
    "beard": Entry("attributes:no_beard", lambda: StyleCorrelation(5), reversed=True),
    "make-up": Entry("attributes:heavy_makeup", lambda: StyleSVM(300)),
    "bangs": Entry("attributes:bangs", lambda: LinearSVM(0.3), layers=tuple(range(8))),
    "black-hair": Entry("attributes:black_hair", RidgeOnLogit),
}
"""By name. Scores that no finder tells with a held-out AUC of 0.9 are not here; that of age does in W (0.92), and its
style channels edit better. Nor are blond and grey hair, which every finder tells and none gives to nine faces of ten:
73 % and 78 % at the most, who are other persons then."""

GEOMETRIC = {
    "yaw": "geometry:yaw",
    "pitch": "geometry:pitch",
    "eyes-open": "geometry:eye_opening",
    "face-width": "geometry:face_width",
    "light-side": "lighting:light_side",
}
"""Directions of what is measured rather than judged; only what reaches a held-out correlation of 0.6 is kept."""


def learn(entry: Entry, name: str, table: SampleTable, components: Components) -> Direction:
    """Learn a direction on training rows and judge it on held-out ones."""
    renderer = components.renderer(256)
    found = fit(table, entry.score, entry.finder(), name, renderer=renderer, scorer=components.scorer).direction
    if entry.layers is not None:
        found = match_layers(found, components.generator.num_ws, entry.layers)
    return -found if entry.reversed else found


def calibrated(direction: Direction, entry: Entry, table: SampleTable, components: Components) -> Direction:
    """Give it the range over which training faces change."""
    train = table.subset(split(table)[0])
    forth = -direction if entry.reversed else direction
    reach = calibrate_reach(train, entry.score, forth, components.renderer(256), components.scorer)
    found = reach.calibrated(forth)
    if entry.share < 1:
        away, towards = (_strength_at(entry.share, found.response, sign) for sign in (-1, 1))
        found = replace(found, strength_range=(away, towards))
    return -found if entry.reversed else found


def _strength_at(share: float, response: Response | None, sign: int) -> float:
    """The first strength at which a share of the faces has changed or, where that is never so, most of them."""
    assert response is not None
    first = response.first_reaching(share, sign)
    return response.strongest(sign) if first is None else first


def learn_geometric(name: str, score: str, table: SampleTable, components: Components) -> Direction | None:
    """Learn a direction of a measured quantity; None if it does not tell enough of it."""
    table = table.subset(np.flatnonzero(np.isfinite(table.column(score))))
    direction = fit(table, score, RidgeOnLogit(), name, threshold="median").direction
    train, test = (table.subset(rows) for rows in split(table))
    correlation = float(np.corrcoef(direction.coordinates(test.w), test.column(score))[0, 1])
    print(f"{name}: held-out correlation {correlation:.3f}")
    if correlation < LEAST_CORRELATION:
        return None
    direction = replace(direction, statistics={**direction.statistics, "held_out_correlation": correlation})
    return with_moves(direction, score, train, components)


def with_moves(direction: Direction, score: str, train: SampleTable, components: Components) -> Direction:
    """Give a direction the range over which its score moves by two standard deviations to either side."""
    assert direction.sigma is not None
    strengths = [direction.sigma * step for step in (-4, -3, -2, -1, 0, 1, 2, 3, 4)]
    faces = train.subset(np.arange(_FACES))
    edited = rescore(faces, direction, strengths, components.renderer(256), components.scorer)
    moved = np.nanmean(edited.column(score) - edited.column(score)[:, [4]], axis=0) / train.column(score).std()
    moved = np.maximum.accumulate(moved)
    ends = [float(np.interp(target, moved, strengths)) for target in (-_MOVES, _MOVES)]
    return replace(direction, strength_range=(ends[0], ends[1]))


def measured(
    direction: Direction, name: str, entry: Entry, table: SampleTable, components: Components, work: Path
) -> Direction:
    """Measure a direction on the faces that no choice has seen."""
    attribute = MeasuredAttribute.named(
        "smile" if name == "smile" else entry.score.partition(":")[2],
        towards="negative" if entry.reversed else "positive",
    )
    samples = label_samples(components, CONFIRM, work / "confirm")
    settings, directions = MeasureSettings(exchange=False), {name: direction}
    if entry.beside_svm:
        svm = fit(table, entry.score, LinearSVM(0.3), name).direction
        directions["svm"] = -svm if entry.reversed else svm
    found = measure_directions(directions, attribute, components, work / f"measured-{name}", settings, samples)
    return with_measured(direction, found, name, beside=[other for other in directions if other != name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder of the samples and measurements")
    parser.add_argument("out", type=Path, help="folder of the directions")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",") if arguments.only else [*LIBRARY, *GEOMETRIC]
    components = Components.load(scorer=SCORERS, device=arguments.device)
    for name in (name for name in LIBRARY if name in wanted):
        entry, table = LIBRARY[name], label_samples(components, LEARN, arguments.work / "learn")
        kept = arguments.work / f"learnt-{name}.safetensors"
        if not kept.exists():
            calibrated(learn(entry, name, table, components), entry, table, components).save(kept)
        direction = Direction.load(kept)
        found = measured(direction, name, entry, table, components, arguments.work)
        found.save(arguments.out / f"{name}.safetensors")
    shapes = Components.load(components.generator, GEOMETRY)
    for name in (name for name in GEOMETRIC if name in wanted):
        table = label_samples(shapes, LEARN_GEOMETRY, arguments.work / "geometry")
        geometric = learn_geometric(name, GEOMETRIC[name], table, shapes)
        if geometric is not None:
            geometric.save(arguments.out / f"{name}.safetensors")


if __name__ == "__main__":
    main()
