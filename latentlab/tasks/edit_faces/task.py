"""The task of editing an attribute of faces: what is given, what is held out, and what is measured of the edits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.comparison.protocol import Columns, Figure
from latentlab.errors import UserError
from latentlab.faces.identity import similarity
from latentlab.files import read_json, write_json
from latentlab.metrics import UNKNOWN, Interval, difference_outside, leakage, sharpness, statistic_interval
from latentlab.progress import Stage, silent
from latentlab.samples import SampleTable, concatenate
from latentlab.scorers import Scorer, is_positive, score_column, score_pictures
from latentlab.scorers.attributes.scorer import AttributeScorer
from latentlab.tasks.building import fingerprint
from latentlab.tasks.edit_faces.faces import (
    Domains,
    RealFaces,
    draw_domains,
    mouth_of,
    pictures_to_learn_from,
    positive_in,
    write_held_out,
    write_photos,
    write_real,
    write_samples,
)
from latentlab.tasks.edit_faces.lab import EditLab
from latentlab.tasks.edit_faces.settings import OF_THE_MOUTH, EditSettings
from latentlab.tasks.likeness import FIGURES as LIKENESS
from latentlab.tasks.likeness import LIMITS as LIKENESS_LIMITS
from latentlab.tasks.likeness import likeness
from latentlab.tasks.measuring import as_array, enlarged
from latentlab.translation.data.folders import images_in


def figures_of(judged: str) -> tuple[Figure, ...]:
    """What is measured of edits of an attribute."""
    where = "outside the mouth" if judged in OF_THE_MOUTH else "to the photo"
    return (
        Figure("judge_reached", "target reached, by the independent classifier", "more", share=True),
        Figure("reached", "target reached, by the scorer that labelled", "more", share=True),
        Figure("judge", "probability of the target, by the independent classifier", "more"),
        Figure("corner_lift", "mouth corners lifted, eye distances", "neither"),
        Figure("identity", "identity kept", "more"),
        Figure("lpips_outside", f"LPIPS {where}", "less"),
        Figure("l1_outside", f"L1 {where}", "less"),
        Figure("leakage", "leakage to other attributes", "less"),
        *LIKENESS,
        Figure("sharpness", "sharpness, as a share of the photo's", "neither"),
    )


# Leakage is a share of what the target moved, in standard deviations of its logit; of less it says nothing.
_LEAST_MOVE = 0.2
# Where no mouth is found, this part of FFHQ's crop is taken for it: top, bottom, left, right.
_USUAL_MOUTH = (0.6, 0.8, 0.3, 0.7)


@dataclass(frozen=True, eq=False)
class EditTask:
    """Faces of two domains, and photos of the first that are to come into the second; see `Task`.

    Attributes
    ----------
    settings, lab
        What was asked for, and what there is to work with.
    domains
        The generator's faces.
    left_out
        Photos that cannot be edited, and why.
    """

    folder: Path
    settings: EditSettings
    lab: EditLab
    domains: Domains
    names: tuple[str, ...]
    training_key: Mapping[str, Any]
    held_out_key: Mapping[str, Any]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """See `Task`."""
        return figures_of(self.settings.judged)

    @property
    def title(self) -> str:
        """See `Task`."""
        word = "more" if self.settings.towards == "positive" else "less"
        return f"Editing {len(self.names)} faces to be {word} {self.settings.judged.replace('_', ' ')}"

    @property
    def size(self) -> int:
        """See `Task`."""
        return self.settings.size

    @property
    def limits(self) -> str:
        """See `Task`."""
        return (
            "Scorers were trained on photographs of real persons and have their biases; a score is no feeling. The "
            "independent classifier also gave the conditional direction its conditions, and measures leakage; it may "
            "have seen persons of your photos. Identity is dlib's descriptor of small pictures enlarged, before and "
            f"after alike. Directions and strengths come from {len(self.samples)} generated faces. Photos are of "
            "persons: keep their rights; weights of generators trained on FFHQ, and of the classifier, are for "
            "non-commercial use. Each method was trained once: intervals are over pictures, 95 %, of means by the "
            f"bootstrap and of shares by Wilson's formula. {LIKENESS_LIMITS}"
        )

    @property
    def set(self) -> Path:
        """The folder that translators learn from."""
        return self.folder / "set"

    def part(self, name: str) -> Tensor:
        """The pictures of a part of the set, such as 'testB', `(n, 3, size, size)`."""
        pictures = map(images.load_image, images_in(self.set / name))
        return torch.cat([images.resize(picture, self.size, self.size) for picture in pictures])

    @property
    def samples(self) -> SampleTable:
        """All generated faces to learn from, of both domains."""
        return concatenate([self.domains.source, self.domains.target])

    @property
    def place(self) -> torch.device:
        """See `Task`: where the generator is."""
        return self.lab.generator.w_avg.device

    @property
    def sign(self) -> float:
        """Of strengths that go to the target."""
        return 1.0 if self.settings.towards == "positive" else -1.0

    @cached_property
    def _photos(self) -> Tensor:
        return torch.cat([images.load_image(self.folder / "held_out" / f"{name}.png") for name in self.names])

    def inputs(self) -> Tensor:
        """See `Task`: `(n, 3, 256, 256)`."""
        return self._photos

    def shown(self) -> Tensor:
        """See `Task`."""
        return images.reduce(self._photos, self.size)

    def truth(self) -> Tensor | None:
        """Nobody knows."""
        return None

    def score(self, pictures: Tensor) -> NDArray[np.float64]:
        """The labelling scorer's score of the target, `(n,)`: of the attribute, or of its absence."""
        scores = score_pictures(self.lab.scorer, pictures.to(self.place))
        found = score_column(scores, self.lab.scorer.names, self.settings.attribute).astype(np.float64)
        return found if self.settings.towards == "positive" else 1 - found

    def arrived(self, pictures: Tensor) -> NDArray[np.bool_]:
        """Whether that scorer sees pictures in the target domain, `(n,)`."""
        scores = score_pictures(self.lab.scorer, pictures.to(self.place))
        positive = is_positive(scores, self.lab.scorer.names, self.settings.attribute)
        return positive if self.settings.towards == "positive" else ~positive

    # --- measuring ------------------------------------------------------------------------------------------

    @cached_property
    def regions(self) -> Tensor:
        """Where edits may change `shown()`, `(n, 1, size, size)`, 1 within: the mouths, or nowhere."""
        if self.settings.judged not in OF_THE_MOUTH:
            return torch.zeros(len(self.names), 1, self.size, self.size)
        usual = torch.zeros(1, 1, self.size, self.size)
        top, bottom, left, right = (round(part * self.size) for part in _USUAL_MOUTH)
        usual[..., top:bottom, left:right] = 1
        found = (mouth_of(photo, self.lab, self.size) for photo in self._photos.split(1))
        return torch.cat([usual if region is None else region for region in found])

    @cached_property
    def _before(self) -> tuple[Tensor, Tensor, NDArray[np.float64]]:
        """Of the photos: descriptors, mouths, logits."""
        shown = self.shown()
        large = enlarged(shown)
        return self.lab.descriptor(large), self.lab.mouth(large), self.logits(shown)

    @cached_property
    def _deviation(self) -> NDArray[np.float64]:
        """Of the judge's logits over the training faces, `(k,)`."""
        return np.concatenate([self.logits(self.part("trainA")), self.logits(self.part("trainB"))]).std(axis=0)

    def logits(self, pictures: Tensor) -> NDArray[np.float64]:
        """Of all of the judge's attributes, `(n, k)`."""
        with torch.no_grad():
            return self.lab.judge.logits(pictures.to(self.place)).double().cpu().numpy()

    def measure(self, made: Tensor) -> Columns:
        """See `Task`."""
        lift = self.lab.mouth(enlarged(made))[:, 0] - self._before[1][:, 0]
        return {
            **self.gained_and_kept(made),
            "reached": self.arrived(made).astype(np.float64),
            "corner_lift": as_array(lift),
            "sharpness": as_array(sharpness(made) / sharpness(self.shown())),
        }

    def gained_and_kept(self, made: Tensor) -> Columns:
        """The figures that every point of a curve needs: 'judge', 'judge_reached', 'identity', and `changes`."""
        judge = self.sign * self.logits(made)[:, self.lab.judge.names.index(self.settings.judged)]
        return {
            "judge": 1 / (1 + np.exp(-judge)),
            "judge_reached": (judge > 0).astype(np.float64),
            "identity": as_array(similarity(self._before[0], self.lab.descriptor(enlarged(made)))),
            **self.changes(self.shown(), made),
        }

    def changes(self, before: Tensor, after: Tensor) -> Columns:
        """How far pictures lie apart outside `regions`: 'lpips_outside', 'l1_outside'."""
        with torch.no_grad():
            distance = self.lab.perceptual(*(x.to(self.place) for x in (after, before, 1 - self.regions)))
        return {
            "lpips_outside": as_array(distance),
            "l1_outside": as_array(difference_outside(before, after, self.regions)),
        }

    def over_all(self, made: Tensor) -> dict[str, Interval]:
        """See `Task`."""
        names = self.lab.judge.names
        target = names.index(self.settings.judged)
        others = [k for k, name in enumerate(names) if k != target and name not in self.settings.kin]

        def mean_leakage(both: NDArray[np.float64]) -> float:
            return float(leakage(both[:, 0], both[:, 1], self._deviation, target)[others].mean())

        logits = np.stack([self._before[2], self.logits(made)], axis=1)  # (n, 2, k)
        moved = abs((logits[:, 1] - logits[:, 0])[:, target].mean()) / self._deviation[target]
        return {
            "leakage": UNKNOWN if moved < _LEAST_MOVE else statistic_interval(mean_leakage, logits),
            **likeness(self.lab.perceptual, made, self.part("testB")),
        }


# --- making -------------------------------------------------------------------------------------------------


def make_edit_task(
    settings: EditSettings,
    lab: EditLab,
    folder: Path,
    photos: Path | None = None,
    real: RealFaces | None = None,
    stage: Stage = silent,
) -> EditTask:
    """Draw, label, part and write the faces of a comparison, or find them in `folder`.

    Parameters
    ----------
    settings, lab
        What is asked for, and what there is to work with.
    folder
        Of the comparison.
    photos
        A folder of photos to edit. Without it, held-out faces of the training data's kind are edited: of
        generated ones only the picture is given to the methods.
    real
        Labelled photos, if `settings.data` is 'real'.
    stage
        Shows the progress.

    Raises
    ------
    UserError
        See `check_inputs`; `folder` holds a comparison with other faces; there are too few faces or photos.
    """
    check_inputs(settings, lab.scorer, lab.judge, photos, real)
    if lab.generator.resolution < settings.size:
        raise UserError(f"the generator's pictures have {lab.generator.resolution} pixels a side, not {settings.size}")
    paths = [] if photos is None else images_in(photos)
    training = {"settings": _training_settings(settings), "lab": lab.key(), "real": _named(real)}
    _claim(folder, training)
    domains = draw_domains(settings, lab, folder, stage)
    names, left_out = _write(settings, lab, folder, domains, real, stage)
    if photos is not None:
        folder_of_photos = folder / "held_out"
        with stage("aligning photos") as step:
            learnt = frozenset() if real is None else pictures_to_learn_from(real, settings)
            names, left_out = write_photos(paths, folder_of_photos, settings, lab, step, learnt)
    held_out = {"photos": fingerprint(folder / "held_out" / f"{name}.png" for name in names)}
    return EditTask(folder, settings, lab, domains, names, training, held_out, left_out)


def check_inputs(
    settings: EditSettings,
    scorer: Scorer,
    judge: AttributeScorer,
    photos: Path | None = None,
    real: RealFaces | None = None,
) -> None:
    """Whether a task can be made of all this, as far as that is known before there is a generator.

    Raises
    ------
    UserError
        Scorer and judge are one classifier, or one does not know its attribute; the photos or the labels cannot be
        read, or do not belong to the task.
    """
    score_column(np.zeros((1, len(scorer.names)), np.float32), scorer.names, settings.attribute)
    judge.of(settings.judged, *settings.conditions)
    if isinstance(scorer, AttributeScorer) and scorer.network_fingerprint == judge.network_fingerprint:
        raise UserError("the scorer that labels may not judge: give another classifier with --judge")
    if photos is not None:
        images_in(photos)
    if (real is None) != (settings.data != "real"):
        raise UserError("real faces are a folder and labels for the data 'real', and for no other")
    if real is not None:
        positive_in(real)


def _training_settings(settings: EditSettings) -> dict[str, Any]:
    """What decides about the faces; the rest is a matter of the methods."""
    methods_own = ("width", "epochs", "projection_steps", "conditions", "judged", "kin")
    return {name: value for name, value in settings.as_dict().items() if name not in methods_own}


def _named(real: RealFaces | None) -> dict[str, str] | None:
    return None if real is None else {**{k: str(v) for k, v in asdict(real).items()}, "csv": fingerprint([real.labels])}


def _claim(folder: Path, key: dict[str, Any]) -> None:
    path = folder / "faces.json"
    if path.exists() and read_json(path) != key:
        raise UserError(f"{folder} holds a comparison with other faces (faces.json differs); choose another folder")
    write_json(path, key)


def _write(
    settings: EditSettings, lab: EditLab, folder: Path, domains: Domains, real: RealFaces | None, stage: Stage
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The training set and the held-out faces of its kind; their names."""
    if real is not None:
        done = folder / "real.json"
        if not done.exists():
            write_json(done, write_real(real, folder, settings, lab, stage))
        return tuple(read_json(done)), {}
    with stage("rendering faces") as step:
        write_samples(domains.source, folder / "set" / "trainA", settings, lab, step)
    with stage("rendering faces") as step:
        write_samples(domains.target, folder / "set" / "trainB", settings, lab, step)
    with stage("rendering faces") as step:
        write_samples(domains.held_target, folder / "set" / "testB", settings, lab, step)
    with stage("rendering photos") as step:
        return write_held_out(domains.held_source, folder / "held_out", lab, step), {}
