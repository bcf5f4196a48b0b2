"""What decides about a comparison of edits, and its two sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from latentlab.errors import UserError

LATENT = ("latent-mean", "latent-svm", "latent-conditional")
TRANSLATORS = ("pix2pix", "cyclegan", "instagan")
METHODS = (*LATENT, *TRANSLATORS)
OF_THE_MOUTH = ("smiling", "mouth_slightly_open")
"""Attributes of which an edit has no business outside the mouth; of any other it may change the whole picture."""

Towards = Literal["positive", "negative"]
Data = Literal["samples", "pairs", "real"]


@dataclass(frozen=True)
class EditSettings:
    """The task, and how much each method gets.

    Attributes
    ----------
    attribute
        The score of the labelling scorer: a face has the attribute where this is the largest or, alone, above ½.
    judged
        The attribute of the judging classifier, which nothing is trained or calibrated with, that means the same.
    towards
        'positive': faces without it are to get it; 'negative': the reverse.
    conditions
        Attributes of the judging classifier whose directions the conditional one is made orthogonal to.
    kin
        Attributes of the judging classifier that change with the task's by nature, and are no leakage.
    data
        What translators learn from. 'samples': the generator's faces, labelled; 'pairs': faces edited along the SVM's
        direction, and others that were not; 'real': pictures with labels. pix2pix always takes such an edited face
        with the one that it was made of, for it needs pairs; directions are always learnt on the generator's faces.
    size
        Side of the pictures that translators see, and that everything is measured at.
    faces, held_out
        Of each domain to train on; of each domain held out, those of the source to be edited, the others to be
        compared with.
    width, epochs
        Of the translators: feature maps at the thinnest; passes through the training faces, by method.
    projection_steps
        Of the search for a held-out face's code.
    psi, seed_start
        Of the generated faces.
    seed
        Of all else that is random.
    """

    attribute: str = "happy"
    judged: str = "smiling"
    towards: Towards = "positive"
    conditions: tuple[str, ...] = ("male", "young", "eyeglasses")
    kin: tuple[str, ...] = ("mouth_slightly_open", "high_cheekbones")
    data: Data = "samples"
    size: int = 64
    faces: int = 160
    held_out: int = 12
    width: int = 24
    epochs: Mapping[str, float] = field(default_factory=lambda: {"pix2pix": 20, "cyclegan": 6, "instagan": 1.5})
    projection_steps: int = 36
    psi: float = 0.7
    seed_start: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.faces, self.held_out) < 2 or self.projection_steps < 1:
            raise UserError("a comparison takes 2 faces of each domain, 2 held out, and a step of projection at least")
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

    def as_dict(self) -> dict[str, Any]:
        """What JSON holds of it."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


PRESETS = {
    "quick": EditSettings(),
    "full": EditSettings(
        size=256,
        faces=2000,
        held_out=100,
        width=64,
        epochs={"pix2pix": 100, "cyclegan": 100, "instagan": 50},
        projection_steps=280,
    ),
}
"""'quick': within 20 minutes on two cores; 'full': for a GPU."""
