"""Measure directions: how well they separate an attribute, and what they change when all have the same effect."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from torch import Tensor

from latentlab.datasets.labelled_faces import renderer_for
from latentlab.directions import Direction
from latentlab.directions.statistics import auc_deviation
from latentlab.errors import UserError
from latentlab.files import read_json, write_json
from latentlab.images import save_image
from latentlab.mapping import check_has_w, check_square
from latentlab.metrics import Interval
from latentlab.pipelines.components import Components
from latentlab.pipelines.measuring.cosines import cosines_between, digest
from latentlab.pipelines.measuring.drawing import draw_figures
from latentlab.pipelines.measuring.faces import EditedFaces, Population, attributes_of, coordinates_of
from latentlab.pipelines.measuring.quality import QualityMeter
from latentlab.pipelines.measuring.report import write_report
from latentlab.pipelines.measuring.results import WAYS, Facts, Measurement, Role, Row, Way, plain
from latentlab.pipelines.measuring.search import EqualEffect, Walk, find_equal_effects, walk_outwards
from latentlab.pipelines.measuring.settings import MeasuredAttribute, MeasureSettings, name_of, source_of
from latentlab.pipelines.measuring.stored import StoredFacts, StoredRow
from latentlab.pipelines.measuring.trails import monotonicity
from latentlab.pipelines.sampling import LabelSettings, label_samples
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Renderer
from latentlab.resuming import check_same
from latentlab.samples import SampleTable
from latentlab.scorers import Scorer, check_related, related
from latentlab.scorers.base import ScorerGroup
from latentlab.work import Lost, run

_LEAST_RESOLUTION = 256
_MANIFEST = "measurement.json"


def measure_directions(
    directions: Mapping[str, Direction],
    attribute: MeasuredAttribute,
    components: Components,
    folder: str | Path,
    settings: MeasureSettings | None = None,
    samples: SampleTable | None = None,
    progress: bool | Stage = True,
    command: str = "",
) -> Measurement:
    """Measure how well directions edit an attribute, when all of them succeed equally often.

    Faces that lack the attribute are moved along each direction, by one strength for all and by a strength for each
    face, until a share of them has it according to a judge that taught nothing. What the edits keep and change is then
    compared on the same faces. Edits have equal effect on the very faces that are measured: the strengths are part of
    the measurement, and not a choice that would have to be confirmed. What was chosen by its outcome (a method, a
    number of channels) has to be measured again on other seeds.

    Every direction is kept in the folder as soon as it is measured, and a stopped run resumes there to the same result.

    Parameters
    ----------
    directions
        Directions of any spaces, by the names that they have in the report.
    attribute
        The attribute, its teacher and its judge, see `MeasuredAttribute.named`.
    components
        Networks; the scorer is a `latentlab.scorers.ScorerSet` that has both scores, as
        `Components.load(scorer=attribute.scorers)` gives it.
    folder
        Folder of the results: `report.html`, `report.md`, `results.json`, the figures, and the parts from which a run
        resumes.
    settings
        How much is drawn, and how; None for the defaults.
    samples
        Population on seeds that nothing was learnt on, scored by the same scorers; None to draw it into
        FOLDER/samples.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.
    command
        Command that asked for it, for the report.

    Raises
    ------
    UserError
        If a direction is of another generator or size, teacher and judge are one network, samples are of other
        networks or too few, a related attribute is unknown, or the folder holds another measurement.
    """
    settings = MeasureSettings() if settings is None else settings
    check_has_w(components.generator, "this measurement")
    check_square(components.generator, "this measurement")
    _check_networks(directions, attribute, components)
    bench = _bench(attribute, components, settings, samples, Path(folder), stage_of(progress))
    parts = _measured(bench, directions, stage_of(progress))
    found = bench.collect(directions, parts)
    found.save(Path(folder) / "results.json")
    draw_figures(found, bench.strips(directions), bench.faces.images[: settings.shown], Path(folder))
    write_report(found, Path(folder), command)
    return found


# --- before the work ----------------------------------------------------------------------------------------


def _check_networks(directions: Mapping[str, Direction], attribute: MeasuredAttribute, components: Components) -> None:
    if not directions:
        raise UserError("there is no direction to measure")
    for direction in directions.values():
        # One whose generator nobody noted, such as a published array, is measured to find out.
        direction.check(components.generator, force=direction.generator is None)
    scorer = components.scorer
    if not isinstance(scorer, ScorerGroup):
        raise UserError(f"measuring takes two scorers, as in --scorer {attribute.scorers}, not {scorer!r}")
    teacher, judge = (scorer.member(score)[0] for score in (attribute.teacher, attribute.judge))
    if _network_of(teacher) == _network_of(judge):
        raise UserError(f"{attribute.teacher} and {attribute.judge} are one network, which may not judge itself")
    components.check_images(scored=True)


def _bench(
    attribute: MeasuredAttribute,
    components: Components,
    settings: MeasureSettings,
    samples: SampleTable | None,
    folder: Path,
    stage: Stage,
) -> _Bench:
    """Prepare what directions are measured with, and claim the folder."""
    renderer = _renderer(components, settings)
    roles = [attribute, attribute.exchanged()] if settings.exchange else [attribute]
    witnesses = {role.judge: _Witness.of(role, components.scorer) for role in roles}  # refuses unknown attributes
    if samples is None:
        samples = _draw(components, settings, renderer, folder, stage)
    population = Population.of(samples, components.scorer, attribute)
    rows = population.lacking(attribute, settings.faces)
    key = _key(attribute, components, settings, population, rows)
    _claim(folder, key)
    faces = EditedFaces.of(rows, population, renderer, components.scorer, settings.batch_size)
    return _Bench(attribute, roles, witnesses, components, settings, population, faces, folder, key)


def _network_of(scorer: Scorer) -> str:
    return str(getattr(scorer, "network_fingerprint", scorer.fingerprint))


def _renderer(components: Components, settings: MeasureSettings) -> Renderer:
    if settings.resolution is not None:
        return components.renderer(settings.resolution)
    generator = components.generator
    return renderer_for(generator, min(_LEAST_RESOLUTION, generator.resolution))


def _draw(
    components: Components, settings: MeasureSettings, renderer: Renderer, folder: Path, stage: Stage
) -> SampleTable:
    # As the edited faces are rendered, whose scores are compared with these.
    size = renderer.resolution
    wanted = LabelSettings(settings.samples, settings.seed_start, settings.psi, size, precision="float32")
    return label_samples(components, wanted, folder / "samples", settings.batch_size, stage)


def _key(
    attribute: MeasuredAttribute,
    components: Components,
    settings: MeasureSettings,
    population: Population,
    rows: NDArray[np.intp],
) -> dict[str, Any]:
    """What parts depend on, besides their direction."""
    table = population.table
    towards = {} if attribute.towards == "positive" else {"towards": attribute.towards}
    return {
        "attribute": attribute.name,
        **towards,
        "teacher": attribute.teacher,
        "judge": attribute.judge,
        "related": None if attribute.related is None else list(attribute.related),
        "region": attribute.region,
        "generator": components.generator.fingerprint,
        "scorer": components.scorer.fingerprint,
        "samples": len(table),
        "first_seed": int(table.seeds[0]),
        "last_seed": int(table.seeds[-1]),
        "seeds": table.seeds[rows].tolist(),
        **{**settings.key(), "psi": round(float(table.psi[0]), 6)},
    }


def _claim(folder: Path, key: dict[str, Any]) -> None:
    path = folder / _MANIFEST
    if path.exists():
        check_same(folder, "a measurement", read_json(path, dict[str, Any]), key)
    else:
        write_json(path, key)


@dataclass(frozen=True, eq=False)
class _Witness:
    """The attributes whose changes are leakage, of one scorer."""

    attributes: tuple[str, ...]  # bare names
    related: tuple[str, ...]
    scores: tuple[str, ...]  # their names in the set of scorers

    @classmethod
    def of(cls, role: MeasuredAttribute, scorer: Scorer) -> _Witness:
        """The judge's attributes or, where it judges none by itself, the teacher's."""
        sources = (source_of(role.judge), source_of(role.teacher))
        found = next((scores for source in sources if (scores := attributes_of(scorer, source))), None)
        if found is None:
            found = tuple(name for name in scorer.names if source_of(name) == sources[0])
        names = tuple(map(name_of, found))
        own = tuple(name for name in (name_of(role.judge), name_of(role.teacher)) if name in names)
        if role.related is None:
            listed = [name for one in (name_of(role.judge), name_of(role.teacher)) for name in related(one, names)]
        else:
            listed = list(check_related(role.related, names))
        return cls(names, tuple(dict.fromkeys((*own, *listed))), found)

    def role(self, role: MeasuredAttribute, rows: list[Row]) -> Role:
        """The results of a role."""
        return Role(role.teacher, role.judge, self.attributes, self.related, tuple(rows))


def _measured(bench: _Bench, directions: Mapping[str, Direction], stage: Stage) -> dict[str, _Part]:
    """Measure all directions, here or on workers; UserError, at the end, for those that end the workers."""
    parts, lost, names = dict[str, _Part](), list[str](), list(directions)
    with stage("measuring", "direction") as step:
        step(0, len(names))
        for number, part in run(partial(_measurer, bench), directions.items(), None):
            if isinstance(part, Lost):
                lost.append(f"the direction {names[number]} could not be measured: {part.reason}")
            else:
                parts[names[number]] = part
            step(len(parts) + len(lost), len(names), names[number])
    if lost:
        raise UserError("; ".join(lost))
    return parts


def _measurer(bench: _Bench, here: None) -> Callable[[tuple[str, Direction]], _Part]:
    return lambda named: bench.measure(*named)


# --- one direction ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Part:
    """What is kept of one direction: facts, and two rows for each judge."""

    facts: Facts
    rows: dict[str, list[Row]]


@dataclass(frozen=True)
class _StoredPart:
    facts: StoredFacts
    rows: dict[str, list[StoredRow]]


@dataclass(frozen=True, eq=False)
class _Bench:
    """Everything that one direction after the other is measured with."""

    attribute: MeasuredAttribute
    roles: list[MeasuredAttribute]
    witnesses: dict[str, _Witness]
    components: Components
    settings: MeasureSettings
    population: Population
    faces: EditedFaces
    folder: Path
    key: Mapping[str, Any]

    @cached_property
    def meter(self) -> QualityMeter:
        """What measures the images; its networks are loaded only where a part is missing."""
        names = ("face",) if self.attribute.region is None else ("face", self.attribute.region)
        face, *region = self.faces.regions(names, self.components.detector)
        return QualityMeter(
            self.faces,
            region[0] if region else None,
            face,
            self.population.deviation,
            self.components.descriptor,
            self.components.alex_perceptual,
        )

    def measure(self, name: str, direction: Direction) -> _Part:
        """Measure a direction, or load what an earlier run has measured."""
        stem = _stem(name, direction)
        path = self.folder / "parts" / f"{stem}.json"
        if path.exists():
            stored = read_json(path, _StoredPart)
            rows = {judge: [row.restored() for row in some] for judge, some in stored.rows.items()}
            if all(role.judge in rows for role in self.roles):
                return _Part(stored.facts.restored(), rows)
        part = self._measure(name, direction, stem)
        write_json(path, {"facts": plain(part.facts), "rows": plain(part.rows)})
        return part

    def collect(self, directions: Mapping[str, Direction], parts: Mapping[str, _Part]) -> Measurement:
        """Put the parts of all directions together."""
        signed = [-one if parts[name].facts.reversed else one for name, one in directions.items()]
        rows = {role.judge: [row for name in directions for row in parts[name].rows[role.judge]] for role in self.roles}
        return Measurement(
            self.attribute.title,
            self.attribute.region,
            self.faces.seeds,
            tuple(parts[name].facts for name in directions),
            tuple(self.witnesses[role.judge].role(role, rows[role.judge]) for role in self.roles),
            cosines_between(signed, self.components.generator),
            self.key,
        )

    def _measure(self, name: str, direction: Direction, stem: str) -> _Part:
        table, generator = self.population.table, self.faces.renderer.generator
        coordinates = coordinates_of(direction, table, generator)
        sigma = float(coordinates.std())
        if not sigma > 0:
            raise UserError(f"the direction {name} is the same for all samples: it cannot be measured")
        scores = [self._column(score) for score in (self.attribute.teacher, self.attribute.judge)]
        walk = walk_outwards(self.faces, direction, sigma, scores, self.settings, self.meter.identity)
        began = time.perf_counter()
        self.faces.edit(walk.direction, np.zeros(len(self.faces)))
        seconds = (time.perf_counter() - began) / len(self.faces)
        rows: dict[str, list[Row]] = {}
        for role in self.roles:
            teacher, judge = self._column(role.teacher), self._column(role.judge)
            effects = find_equal_effects(self.faces, walk, teacher, judge, self.settings)
            rows[role.judge] = [self._row(name, way, effect, role, walk) for way, effect in effects.items()]
            for way, effect in effects.items():
                self._save_strip(effect.images, self._strip(stem, way, role.judge))
        sign = -1 if walk.reversed else 1
        return _Part(self._facts(name, direction, walk, sigma, sign * coordinates, seconds), rows)

    def _column(self, score: str) -> int:
        return self.population.names.index(score)

    def _row(self, name: str, way: Any, effect: EqualEffect, role: MeasuredAttribute, walk: Walk) -> Row:
        witness = self.witnesses[role.judge]
        columns = [self._column(score) for score in witness.scores]
        others = [c for c, bare in zip(columns, witness.attributes, strict=True) if bare not in witness.related]
        signs = self.population.scale.signs[columns]
        before, after = self.faces.logits[:, columns] * signs, effect.logits[:, columns] * signs
        return Row(
            name,
            way,
            (-1 if walk.reversed else 1) * effect.strengths,
            effect.logits[:, self._column(role.judge)] > 0,
            effect.reached,
            self.meter(effect.images, effect.logits, others),
            (after - before) / self.population.deviation[columns],
            ((before <= 0) & (after > 0)).sum(axis=0),
            ((before > 0) & (after <= 0)).sum(axis=0),
        )

    def _facts(
        self,
        name: str,
        direction: Direction,
        walk: Walk,
        sigma: float,
        coordinates: NDArray[np.float64],
        seconds: float,
    ) -> Facts:
        scores = (self.attribute.teacher, self.attribute.judge)
        learning = direction.statistics.get("seconds")
        return Facts(
            name=name,
            attribute=direction.attribute,
            method=direction.method,
            space=direction.space,
            reversed=walk.reversed,
            sigma=sigma,
            auc={score: _auc(self.population.column(score) > 0, coordinates) for score in scores},
            strengths=walk.strengths,
            shares={
                score: [walk.trail.share(strength, self._column(score)) for strength in walk.strengths]
                for score in scores
            },
            identities=walk.identities,
            rank_correlation={score: monotonicity(walk.trail, self._column(score)) for score in scores},
            learning_seconds=float(learning) if isinstance(learning, int | float) else None,
            edit_seconds=seconds,
        )

    def _save_strip(self, images: Tensor, path: Path) -> None:
        """Keep the images of the faces that are shown, side by side."""
        shown = images[: self.settings.shown]
        save_image(torch.cat(list(shown), dim=2)[None], path)

    def _strip(self, stem: str, way: str, judge: str) -> Path:
        return self.folder / "images" / f"{stem}-{way}-{source_of(judge)}.png"

    def strips(self, directions: Mapping[str, Direction]) -> dict[tuple[str, Way, str], Path]:
        """Files of the edited images by direction, way and judge."""
        return {
            (name, way, role.judge): self._strip(_stem(name, direction), way, role.judge)
            for name, direction in directions.items()
            for way in WAYS
            for role in self.roles
        }


def _stem(name: str, direction: Direction) -> str:
    """Beginning of the names of a direction's files; another direction of the same name has another."""
    return f"{re.sub(r'[^A-Za-z0-9_.+-]+', '-', name)}-{digest(direction)[:12]}"


def _auc(labels: NDArray[np.bool_], coordinates: NDArray[np.float64]) -> Interval:
    """AUC with DeLong's interval."""
    auc = float(roc_auc_score(labels, coordinates))
    half = float(norm.ppf(0.975)) * auc_deviation(labels, coordinates)
    return Interval(auc, max(0.0, auc - half), min(1.0, auc + half), len(labels))
