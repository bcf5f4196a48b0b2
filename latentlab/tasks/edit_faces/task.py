"""The task of editing an attribute of faces: what is given and what is held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab.comparison.caching import files_digest
from latentlab.comparison.protocol import Columns, Measure
from latentlab.datasets.labelled_faces import (
    Domains,
    LabelledFacesSettings,
    Labeller,
    draw_domains,
    renderer_for,
    write_held_out,
    write_samples,
)
from latentlab.datasets.labelled_photos import RealFaces, read_real, training_digests, write_photos, write_real
from latentlab.errors import UserError
from latentlab.files import check_distinct_stems, images_in, read_json, write_json
from latentlab.images import load_image, resize
from latentlab.metrics import Interval
from latentlab.pipelines.components import Components
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Renderer
from latentlab.resuming import check_same
from latentlab.samples import SampleTable, concatenate
from latentlab.scorers import Scorer, check_related, check_score
from latentlab.scorers.attributes.scorer import AttributeScorer
from latentlab.tasks.distributions import LIMITS as DISTRIBUTION_LIMITS
from latentlab.tasks.edit_faces.definition import EditSettings
from latentlab.tasks.edit_faces.evaluator import EditEvaluator, edit_measures

_LIMITS = (
    "Scorers were trained on photographs of real persons and have their biases; a score is not a feeling. The scorer "
    "that labels also looks at each photo to find how far latent methods have to move it, which no translator has: "
    "believe the independent classifier. That one gave the conditional direction its conditions, too, and measures "
    "leakage; it may have seen persons of your photos. Identity is dlib's descriptor of small images enlarged, before "
    "and after alike. Directions, and the score that edits are to reach, come from {samples} generated faces. Photos "
    "are of persons: respect their rights; weights of generators trained on FFHQ, and of the classifier, are for "
    "non-commercial use. Each method was trained once: intervals are over images, 95 %, of means by the bootstrap and "
    "of shares by Wilson's formula."
)


@dataclass(frozen=True, eq=False)
class EditTask:
    """Faces of two domains, and photos of the first that are to be moved to the second; see `Task`.

    Built by `make_edit_task`.

    Attributes
    ----------
    folder, names, training_key, held_out_key
        See `Task`.
    settings
        What is asked for.
    components
        Generator, labelling scorer, face detector and descriptor, perceptual distances.
    judge
        Classifier that judges the results; no method is trained or finds its strengths with its view of the attribute.
    domains
        The generator's faces.
    left_out
        Photos that cannot be edited, by name, with the reasons.
    generated
        Whether the held-out faces are the generator's own, named after their seeds.
    """

    folder: Path
    settings: EditSettings
    components: Components
    judge: AttributeScorer
    domains: Domains
    names: tuple[str, ...]
    training_key: Mapping[str, Any]
    held_out_key: Mapping[str, Any]
    left_out: Mapping[str, str] = field(default_factory=dict)
    generated: bool = False

    @property
    def measures(self) -> tuple[Measure, ...]:
        """See `Task`."""
        return edit_measures(self.settings.judged)

    @property
    def title(self) -> str:
        """See `Task`."""
        word = "more" if self.settings.towards == "positive" else "less"
        return f"Editing {len(self.names)} faces to be {word} {self.settings.judged.replace('_', ' ')}"

    @property
    def labels(self) -> list[str]:
        """See `Task`."""
        return [f"seed {int(name)}" if self.generated else name for name in self.names]

    @property
    def size(self) -> int:
        """See `Task`."""
        return self.settings.size

    @property
    def device(self) -> torch.device:
        """See `Task`: the generator's."""
        return self.components.device

    @property
    def limits(self) -> str:
        """See `Task`."""
        return f"{_LIMITS.format(samples=len(self.samples))} {DISTRIBUTION_LIMITS}"

    @property
    def sign(self) -> float:
        """Sign of strengths that lead to the target."""
        return self.evaluator.sign

    # --- images ---------------------------------------------------------------------------------------------

    @property
    def set(self) -> Path:
        """The folder that translators learn from."""
        return self.folder / "set"

    def part(self, name: str) -> Tensor:
        """Load the images of a part of the set, such as 'testB', `(n, 3, size, size)`."""
        return torch.cat([resize(load_image(path), self.size, self.size) for path in images_in(self.set / name)])

    @property
    def samples(self) -> SampleTable:
        """All generated faces to learn from, of both domains."""
        return concatenate([self.domains.source, self.domains.target])

    @property
    def renderer(self) -> Renderer:
        """The generator at its lowest resolution that is not below the task's."""
        return renderer_for(self.components.generator, self.size)

    @cached_property
    def _photos(self) -> Tensor:
        return torch.cat([load_image(self.folder / "held_out" / f"{name}.png") for name in self.names])

    def inputs(self) -> Tensor:
        """See `Task`: `(n, 3, 256, 256)`."""
        return self._photos

    def shown(self) -> Tensor:
        """See `Task`."""
        return self.evaluator.shown

    def truth(self) -> Tensor | None:
        """See `Task`: there is no ground truth, so None."""
        return None

    # --- measuring ------------------------------------------------------------------------------------------

    @cached_property
    def evaluator(self) -> EditEvaluator:
        """What measures the edits."""
        return EditEvaluator(self._photos, self.part, self.components, self.judge, self.settings)

    def measure(self, made: Tensor) -> Columns:
        """See `Task`."""
        return self.evaluator.measure(made)

    def measure_set(self, made: Tensor) -> dict[str, Interval]:
        """See `Task`."""
        return self.evaluator.measure_set(made)


def make_edit_task(
    settings: EditSettings,
    components: Components,
    judge: AttributeScorer,
    folder: Path,
    photos: Path | None = None,
    real: RealFaces | None = None,
    progress: bool | Stage = True,
) -> EditTask:
    """Draw, label, split and write the faces of a comparison, or find them in `folder`.

    Parameters
    ----------
    settings
        What is asked for.
    components
        Generator, labelling scorer, face detector and descriptor, perceptual distances.
    judge
        Classifier that judges the results; not the labelling scorer.
    folder
        Folder of the comparison.
    photos
        Folder of photos to edit. Without it, held-out faces of the training data's kind are edited; if these are
        generated, the methods are given only the images.
    real
        Labelled photos, if `settings.data` is 'real'.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        As `check_inputs` says; if `folder` holds a comparison with other faces; if there are too few faces or photos.
    """
    check_inputs(settings, components.scorer, judge, photos, real)
    generator = components.plain_generator
    if generator.resolution < settings.size:
        raise UserError(f"the generator renders at {generator.resolution} pixels at most, not at {settings.size}")
    paths = [] if photos is None else images_in(photos)
    training = {
        "settings": settings.training_key(),
        "lab": _fingerprints(components, judge),
        "real": None if real is None else _real_key(real),
    }
    _claim(folder, training)
    faces = _faces_settings(settings)
    domains = draw_domains(generator, components.scorer, faces, folder, progress)
    names, left_out = _write(faces, components, folder, domains, real, stage_of(progress)), {}
    if photos is not None:
        excluded = frozenset() if real is None else training_digests(real, faces)
        labeller = Labeller(components.scorer, settings.attribute, settings.towards, components.device)
        written = write_photos(paths, folder / "held_out", components.detector, labeller, excluded, progress)
        names, left_out = written.names, written.left_out
    held_out = {"photos": files_digest(folder / "held_out" / f"{name}.png" for name in names)}
    generated = photos is None and real is None
    return EditTask(folder, settings, components, judge, domains, names, training, held_out, left_out, generated)


def check_inputs(
    settings: EditSettings,
    scorer: Scorer,
    judge: AttributeScorer,
    photos: Path | None = None,
    real: RealFaces | None = None,
) -> None:
    """Check what is given, as far as that is possible without a generator.

    Parameters
    ----------
    settings, scorer, judge, photos, real
        See `make_edit_task`.

    Raises
    ------
    UserError
        If the scorer and the judge are one classifier, or one of them does not know its attribute; if the photos or
        the labels cannot be read, or do not belong to the task.
    """
    check_score(scorer.names, settings.attribute)
    judge.of(settings.judged, *settings.conditions)
    check_related(settings.related or (), judge.all_names)
    if isinstance(scorer, AttributeScorer) and scorer.network_fingerprint == judge.network_fingerprint:
        raise UserError("the scorer that labels may not judge: give another classifier with --judge")
    if photos is not None:
        check_distinct_stems(images_in(photos))
    if (real is None) != (settings.data != "real"):
        raise UserError("real faces are a folder and labels for the data 'real', and for no other")
    if real is not None:
        read_real(real)


def _faces_settings(settings: EditSettings) -> LabelledFacesSettings:
    return LabelledFacesSettings(
        settings.attribute,
        settings.towards,
        settings.size,
        settings.faces,
        settings.held_out,
        settings.psi,
        settings.seed_start,
        settings.seed,
    )


def _fingerprints(components: Components, judge: AttributeScorer) -> dict[str, Any]:
    return {
        "generator": components.generator.fingerprint,
        "scorer": components.scorer.fingerprint,
        "judge": judge.fingerprint,
        "detector": components.detector.name,
    }


def _real_key(real: RealFaces) -> dict[str, str]:
    return {**{name: str(value) for name, value in asdict(real).items()}, "csv": files_digest([real.labels])}


def _claim(folder: Path, key: dict[str, Any]) -> None:
    path = folder / "faces.json"
    if path.exists():
        check_same(folder, "a comparison", read_json(path, dict[str, Any]), key)
    write_json(path, key)


def _write(
    faces: LabelledFacesSettings,
    components: Components,
    folder: Path,
    domains: Domains,
    real: RealFaces | None,
    stage: Stage,
) -> tuple[str, ...]:
    """Write the training set and the held-out faces of its kind; return the names of the latter."""
    if real is not None:
        done = folder / "real.json"
        if not done.exists():
            write_json(done, write_real(real, folder, faces, components.detector, stage))
        names = read_json(done, tuple[str, ...])
        if any(Path(name).name != name for name in names):
            raise UserError(f"{done} has names that are paths; remove it")
        return names
    renderer = renderer_for(components.generator, faces.size)
    parts = {"trainA": domains.source, "trainB": domains.target, "testB": domains.held_target}
    for part, rows in parts.items():
        with stage("rendering faces") as step:
            write_samples(rows, folder / "set" / part, renderer, step)
    with stage("rendering photos") as step:
        return write_held_out(domains.held_source, folder / "held_out", components.generator, step)
