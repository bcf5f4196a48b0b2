"""Settings of a comparison of edits, its two presets, and its place on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from latentlab import registry
from latentlab.comparison.definition import TaskDefinition, without_users
from latentlab.errors import UserError

__all__ = ["EDIT", "METHODS", "PRESETS", "PROJECTION", "EditInputs", "EditSettings"]

LATENT = ("latent-style", "latent-mean", "latent-svm", "latent-conditional")
TRANSLATORS = ("pix2pix", "cyclegan", "instagan")
METHODS = (*LATENT, *TRANSLATORS)
PROJECTION = "projection alone"
"""Baseline of the latent methods: photos that are projected and not edited."""
PAIRS = "latent-style"
"""Latent method whose direction makes the pairs that translators learn from."""

Towards: TypeAlias = Literal["positive", "negative"]
Data: TypeAlias = Literal["samples", "pairs", "real"]


@dataclass(frozen=True)
class EditSettings:
    """The task, and how much each method gets.

    Attributes
    ----------
    attribute
        Score of the labelling scorer: a face has the attribute where this is the largest or, as the only one, above ½.
    judged
        Attribute of the judge that means the same. The judge is a classifier that nothing is trained or calibrated
        with.
    towards
        'positive': faces without the attribute are to get it; 'negative': the reverse.
    conditions
        Attributes of the judge whose directions the conditional one is made orthogonal to.
    related
        Attributes of the judge that naturally change with the task's and are not leakage; None for those of
        `latentlab.scorers.related`.
    data
        What translators learn from. 'samples': the generator's faces, labelled; 'pairs': faces edited along style
        channels, and others that were not; 'real': photos with labels. pix2pix always learns from an edited face
        with the one it was made from, because it needs pairs; directions are always learnt on the generator's faces.
    size
        Resolution of the images that translators see, and at which everything is measured.
    faces, held_out
        Faces of each domain to train on; faces of each domain held out: those of the source are edited, the others
        serve for comparison.
    base_channels, epochs
        Base channel count of the translators (ngf, ndf); passes through the training faces, by method.
    projection_steps
        Steps of the search for a held-out face's latent.
    psi, seed_start
        Truncation and first seed of generated faces.
    seed
        Random seed of everything else.

    Raises
    ------
    UserError
        If a setting is out of its range.
    """

    attribute: str = "happy"
    judged: str = "smiling"
    towards: Towards = field(
        default="positive", metadata={"help": "positive: faces without the attribute get it; negative: the reverse."}
    )
    conditions: tuple[str, ...] = ("male", "young", "eyeglasses")
    related: tuple[str, ...] | None = None
    data: Data = field(
        default="samples",
        metadata={"help": "Translators learn from labelled samples, from edited pairs, or from real faces."},
    )
    size: int = field(default=64, metadata={"help": "Resolution of the images.", "min": 16})
    faces: int = field(default=160, metadata={"help": "Faces of each domain to learn from.", "min": 2})
    held_out: int = field(default=12, metadata={"help": "Held-out faces of each domain.", "min": 2})
    base_channels: int = field(
        default=24, metadata={"help": "Base channel count of the translators (ngf, ndf).", "min": 1}
    )
    epochs: Mapping[str, float] = field(
        default_factory=lambda: {"pix2pix": 20, "cyclegan": 6, "instagan": 1.5, "distilled": 20}
    )
    projection_steps: int = field(
        default=36, metadata={"help": "Steps of each projection.", "min": 1, "flags": ("--steps",)}
    )
    psi: float = 0.7
    seed_start: int = 20_000
    seed: int = field(default=0, metadata={"help": "Random seed."})

    def __post_init__(self) -> None:
        if min(self.faces, self.held_out) < 2 or self.projection_steps < 1:
            raise UserError("a comparison takes at least 2 faces of each domain, 2 held out, and a projection step")
        if self.size < 64:
            raise UserError(f"faces are scored at 64 pixels or more, not {self.size}")
        for value, known in ((self.towards, Towards), (self.data, Data)):
            if value not in get_args(known):
                raise UserError(f"{value!r} is none of {', '.join(get_args(known))}")
        if self.judged in self.conditions:
            raise UserError(f"{self.judged} is what is edited, and no condition: take it out of the conditions")
        missing = [name for name in TRANSLATORS if name not in self.epochs]
        if missing:
            raise UserError(f"there are no epochs for {', '.join(missing)}")

    def epochs_of(self, translator: str) -> float:
        """Return the epochs of a translator; one of another package gets as many as CycleGAN."""
        return self.epochs.get(translator, self.epochs["cyclegan"])

    def training_key(self) -> dict[str, Any]:
        """Return what the faces depend on, for JSON; all other settings belong to the methods."""
        methods_own = ("base_channels", "epochs", "projection_steps", "conditions", "judged", "related")
        return {name: value for name, value in asdict(self).items() if name not in methods_own}


PRESETS = {
    "quick": EditSettings(),
    "full": EditSettings(
        size=256,
        faces=2000,
        held_out=100,
        base_channels=64,
        epochs={"pix2pix": 100, "cyclegan": 100, "instagan": 50, "distilled": 20},
        projection_steps=280,
    ),
}
"""'quick': within 35 minutes on two cores; 'full': for a GPU."""


@dataclass(frozen=True)
class EditInputs:
    """What a comparison of edits is given on the command line besides its settings.

    Attributes
    ----------
    attribute, judged, conditions, related
        See `EditSettings`; None for what fits the others.
    scorer, judge, network
        Labelling scorer, judging classifier and generator, by name or file. The scorer is None for one that knows the
        attribute.
    photos
        Folder of photos to edit; None for held-out faces.
    paste
        Whether the edits are also put back into the photos.
    folder, labels
        Folder of labelled photos, and the CSV of their labels, for the data 'real'.
    """

    attribute: str | None = field(
        default=None, metadata={"help": "Score to edit; by default happy, or the one that --scorer names."}
    )
    scorer: str | None = field(
        default=None,
        metadata={
            "help": "Labels faces and sets strengths: fer, attributes:NAME, FILE.safetensors:NAME; by default fer."
        },
    )
    judge: str = field(
        default="attributes",
        metadata={"help": "Classifier that judges: attributes, or FILE.safetensors; never the labelling scorer."},
    )
    judged: str | None = field(
        default=None, metadata={"help": "Attribute of the judge that means the same as --attribute."}
    )
    conditions: tuple[str, ...] | None = field(
        default=None, metadata={"help": "Attributes, separated by commas, that latent-conditional keeps."}
    )
    related: tuple[str, ...] | None = field(
        default=None,
        metadata={
            "help": "Attributes, separated by commas, whose change is no leakage; by default a list of the package."
        },
    )
    photos: Path | None = field(default=None, metadata={"help": "Folder of photos to edit; by default held-out faces."})
    paste: bool = field(default=False, metadata={"help": "Also put the edits back into the photos."})
    folder: Path | None = field(default=None, metadata={"help": "With --data real: folder of the photos."})
    labels: Path | None = field(
        default=None, metadata={"help": "With --data real: CSV of image, identity, attributes."}
    )
    network: str = field(
        default="mobile-ffhq", metadata={"help": "Generator: a name of `latentlab weights list`, or a checkpoint."}
    )


_FURTHER = tuple(name for name in registry.translators.names() if name not in TRANSLATORS)


def _unused(settings: EditSettings, inputs: EditInputs, names: Sequence[str]) -> dict[str, str]:
    return {
        **without_users(names, ("latent-conditional",), "conditions"),
        **without_users(names, LATENT, "projection_steps"),
        **without_users(names, (*TRANSLATORS, *_FURTHER), "base_channels", "epoch_scale"),
    }


EDIT = TaskDefinition(
    summary="Edit an attribute of faces, such as a smile: latent methods against translators.",
    presets=PRESETS,
    methods=METHODS,
    further_methods=_FURTHER,
    make="latentlab.tasks.edit_faces.choice:make_from_inputs",
    build_methods="latentlab.tasks.edit_faces.methods:edit_methods",
    sections="latentlab.tasks.edit_faces.sections:sections_from_inputs",
    baselines=(PROJECTION,),
    inputs=EditInputs,
    unused=_unused,
)
