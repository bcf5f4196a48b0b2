"""Measure a generator: path lengths, separability, DCI, and distances to real images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from latentlab.batching import AnyBatch, Batches
from latentlab.files import images_in
from latentlab.images import size_of
from latentlab.mapping import check_class, check_square
from latentlab.metrics import Interval, PerceptualPathLength, unknown_because
from latentlab.metrics.path_length import why_too_small
from latentlab.metrics.set_distance import FeatureSets
from latentlab.pipelines.components import Components
from latentlab.pipelines.metrics.attributes import AttributeSamples, measure_attributes
from latentlab.pipelines.metrics.features import (
    SET_TITLES,
    feature_probes,
    folder_outputs,
    kind_of,
    load_set_metrics,
)
from latentlab.pipelines.metrics.names import PATHS, PUBLISHED
from latentlab.pipelines.metrics.parts import Array, PartStore, Probe, digest
from latentlab.pipelines.metrics.results import MeasuredMetric, MetricReport
from latentlab.pipelines.metrics.sampling import Source, path_lengths, sample_outputs
from latentlab.pipelines.metrics.settings import GeneratorMetricSettings
from latentlab.progress import Stage, stage_of
from latentlab.scorers import all_logits

_PUBLISHED_COUNT = 50_000
_IN_W = tuple(name for name in PATHS if name.startswith("ppl-w-"))


def measure_generator(
    components: Components,
    settings: GeneratorMetricSettings,
    folder: str | Path,
    command: str = "",
    batch_size: AnyBatch = "auto",
    progress: bool | Stage = True,
) -> MetricReport:
    """Measure a generator, and write `metrics.json` and `report.md`; a stopped run resumes in the folder.

    What cannot be measured is unknown, with the reason: metrics against real images without any, styles of a generator
    that has none, FID without Inception's weights.

    Parameters
    ----------
    components
        Networks: the generator; the scorer, whose scores are the attributes of separability and DCI; and the perceptual
        distance, LPIPS with VGG16.
    settings
        What is measured.
    folder
        Folder of the results. What is kept of rendered images lies in its folder `parts`, and serves other metrics and
        more pairs and samples later.
    command
        Command that is run, for the report; empty for none.
    batch_size
        Images rendered at once, see `latentlab.batching`.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Returns
    -------
    MetricReport
        The metrics, in the order of `GENERATOR_METRICS`.

    Raises
    ------
    UserError
        If a setting does not fit the generator, the folder holds parts of another generator or other settings, a file
        cannot be written, or the real images cannot be read.
    """
    job = _begin(components, settings, Path(folder), batch_size, stage_of(progress))
    # Real images first: one that cannot be read ends the run before hours of rendering.
    real = folder_outputs(job.real, job.source.renderer.resolution, job.set_probes, job.store, job.stage)
    found = job.measure_paths()
    outputs = sample_outputs(job.source, settings.samples, job.probes, job.store, job.stage)
    found |= {**job.measure_attributes(outputs), **job.measure_sets(real, outputs)}
    report = MetricReport(
        f"Metrics of the generator {components.network_name}",
        job.conditions(),
        tuple(found[name] for name in settings.chosen),
        job.notes(),
        job.details,
    )
    report.write(Path(folder), command)
    return report


def _begin(
    components: Components, settings: GeneratorMetricSettings, folder: Path, batch_size: AnyBatch, stage: Stage
) -> _Job:
    """Check what was asked for, and open the folder."""
    generator = components.generator
    check_class(generator, settings.class_label)
    check_square(generator, "measuring a generator")
    components.check_images(settings.of_attributes != (), "measuring a generator")
    renderer = components.renderer(settings.resolution)
    batches = Batches.of(batch_size, renderer)
    source = Source(renderer, settings.psi, settings.class_label, settings.seed_start, batches)
    real = () if settings.real is None else images_in(settings.real)
    why = why_too_small(renderer.resolution, False)
    if real and not why:
        sets, unknown = load_set_metrics(settings.of_sets, components)
    else:
        sets, unknown = {}, dict.fromkeys(settings.of_sets, why or "no real images are given (--real)")
    depends_on = {
        "generator": generator.fingerprint,
        "resolution": renderer.resolution,
        "psi": settings.psi,
        "seed_start": settings.seed_start,
        "class_label": settings.class_label,
    }
    return _Job(components, settings, source, PartStore(folder / "parts", depends_on), real, sets, unknown, stage)


@dataclass(frozen=True, eq=False)
class _Job:
    """One run: what is measured of what, and where parts of it are kept.

    Attributes
    ----------
    components, settings, source, store, real, stage
        Networks, settings, the generator as it is sampled, the kept parts, files of real images, progress.
    sets, unknown
        Metrics of sets of images by name, and why others cannot be measured.
    details
        Further values for the report, filled as they are found.
    """

    components: Components
    settings: GeneratorMetricSettings
    source: Source
    store: PartStore
    real: Sequence[Path]
    sets: Mapping[str, FeatureSets]
    unknown: Mapping[str, str]
    stage: Stage
    details: dict[str, Any] = field(default_factory=dict)

    # --- what is kept of images -----------------------------------------------------------------------------

    @cached_property
    def set_probes(self) -> dict[str, Probe]:
        """Feature extractors of the metrics of sets."""
        return feature_probes(self.sets.values())

    @property
    def probes(self) -> dict[str, Probe]:
        """All that is kept of a sample's image."""
        of_attributes: dict[str, Probe] = {self._logits_kind: self._logits} if self.settings.of_attributes else {}
        return {**self.set_probes, **of_attributes}

    @cached_property
    def _logits_kind(self) -> str:
        return f"logits-{digest(self.components.scorer.fingerprint)}"

    def _logits(self, images: Tensor) -> Array:
        return np.asarray(all_logits(self.components.scorer, images).double().cpu().numpy())

    # --- metrics --------------------------------------------------------------------------------------------

    def measure_paths(self) -> dict[str, MeasuredMetric]:
        """Measure path lengths."""
        settings = self.settings
        why = why_too_small(self.source.renderer.resolution, settings.face_crop)
        if why or not settings.of_paths:
            return {name: _of_path(name, unknown_because(why)) for name in settings.of_paths}
        metric = PerceptualPathLength(self.components.perceptual, face_crop=settings.face_crop)
        found = {}
        for name in settings.of_paths:
            if name in _IN_W and not self.source.generator.num_ws:
                found[name] = _of_path(name, unknown_because("the generator has no W"))
                continue
            metric.reset()
            metric.add_values(path_lengths(self.source, name, settings.pairs, metric, self.store, self.stage))
            found[name] = _of_path(name, metric.compute())
        return found

    def measure_attributes(self, outputs: Mapping[str, Array]) -> dict[str, MeasuredMetric]:
        """Measure separability and DCI from what was kept of the samples."""
        names = self.settings.of_attributes
        if not names:
            return {}
        samples = AttributeSamples(self.source, self.components.scorer.names, outputs[self._logits_kind])
        found, details = measure_attributes(samples, names, self.stage)
        self.details.update(details)
        return found

    def measure_sets(self, real: Mapping[str, Array], outputs: Mapping[str, Array]) -> dict[str, MeasuredMetric]:
        """Measure how the samples' features relate to those of the real images."""
        found = {}
        for name in self.settings.of_sets:
            if name in self.unknown:
                found[name] = MeasuredMetric(name, SET_TITLES[name], unknown_because(self.unknown[name]))
                continue
            metric = self.sets[name]
            metric.update_features(real[kind_of(metric)], outputs[kind_of(metric)])
            found[name] = MeasuredMetric(name, metric.title, metric.compute(), metric.higher_is_better, metric.note)
        return found

    # --- the report -----------------------------------------------------------------------------------------

    def conditions(self) -> dict[str, Any]:
        """What the values depend on."""
        settings = self.settings
        found: dict[str, Any] = {
            "network": self.components.network_name,
            "fingerprint": self.components.generator.fingerprint,
            "resolution": self.source.renderer.resolution,
            "psi": settings.psi,
            "first seed": settings.seed_start,
        }
        if settings.class_label is not None:
            found["class"] = settings.class_label
        if settings.of_paths:
            found["pairs of each path length"] = settings.pairs
            found["path lengths of"] = "the face alone" if settings.face_crop else "the whole image"
        if settings.of_attributes or self.sets:
            found["samples"] = settings.samples
        if settings.of_attributes:
            found["attributes by"] = self.components.scorer_name
        if self.real:
            found["real images"] = f"{len(self.real)} in {settings.real}"
        return found

    def notes(self) -> tuple[str, ...]:
        """Sentences that apply to several values."""
        return (*self._of_real_images(), *self._of_published_values())

    def _of_real_images(self) -> tuple[str, ...]:
        """Say where real images are smaller than what they are compared with."""
        resolution = self.source.renderer.resolution
        smallest = min((min(size_of(path)) for path in self.real), default=resolution)
        if smallest >= resolution:
            return ()
        return (f"Real images of {smallest} pixels were enlarged to {resolution}: their blur counts as a distance.",)

    def _of_published_values(self) -> tuple[str, ...]:
        """Say how the values relate to published ones."""
        settings = self.settings
        named = [f"{name} {PUBLISHED[name]}" for name in settings.chosen if name in PUBLISHED]
        if not named:
            return ()
        reasons = []
        if settings.psi != 1:
            reasons.append(f"psi is {settings.psi:g}")
        if self.source.renderer.resolution != self.components.generator.resolution:
            reasons.append(f"images are previews of {self.source.renderer.resolution} pixels")
        if settings.of_paths and settings.pairs < _PUBLISHED_COUNT:
            reasons.append(f"{settings.pairs} pairs are few")
        if (settings.of_attributes or self.sets) and settings.samples < _PUBLISHED_COUNT:
            reasons.append(f"{settings.samples} samples are few")
        if reasons:
            reasons = [f"The values here are not comparable to those: {', '.join(reasons)}."]
        return (f"Published for StyleGAN2 config-f on FFHQ, untruncated, at 1024 pixels: {', '.join(named)}.", *reasons)


def _of_path(name: str, value: Interval) -> MeasuredMetric:
    _, space, sampling = name.split("-")
    return MeasuredMetric(name, f"Perceptual path length in {space.upper()} ({sampling})", value, False)
