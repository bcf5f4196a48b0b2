"""What a measurement of directions is asked for: the attribute, who teaches and who judges, and how much is drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from latentlab.batching import BatchSize, check_batch
from latentlab.errors import UserError
from latentlab.faces.regions import region_of
from latentlab.samples import check_psi

# What the expression is called among the attributes, and by people.
_SMILES = ("smile", "smiling", "happy")
_WITHOUT = "no_"  # begins the names of attributes that are the lack of something
_TEACHER, _JUDGE = "attributes", "attributes-judge"

Towards: TypeAlias = Literal["positive", "negative"]


@dataclass(frozen=True)
class MeasuredAttribute:
    """An attribute, the scorer that may have taught it, and the one that judges.

    Attributes
    ----------
    name
        Name for readers.
    teacher, judge
        Scores of two networks that mean the attribute, such as 'fer:happy' and 'attributes:smiling'. Directions were
        learnt from the teacher, or from neither; the judge decides whether an edit succeeded.
    related
        Attributes that naturally change with it, and are not leakage; None for the lists of the package
        (`latentlab.scorers.related`).
    region
        Region of the face that edits may change (`latentlab.faces.regions.REGIONS`); None where they may change all.
    towards
        'positive': faces that lack the attribute are to get it; 'negative': faces that have it are to lose it.

    Raises
    ------
    UserError
        If teacher or judge is not a qualified score, both are of one scorer, or `towards` is neither.
    """

    name: str
    teacher: str
    judge: str
    related: tuple[str, ...] | None = None
    region: str | None = None
    towards: Towards = "positive"

    def __post_init__(self) -> None:
        for score in (self.teacher, self.judge):
            if not all(score.rpartition(":")):
                raise UserError(f"teacher and judge are scores such as attributes:young, not {score!r}")
        if source_of(self.teacher) == source_of(self.judge):
            raise UserError(
                f"the scorer that taught may not judge: {self.teacher} and {self.judge} are of one; give another judge"
            )
        if self.towards not in get_args(Towards):
            raise UserError(f"an attribute is measured towards positive or negative, not {self.towards!r}")

    @property
    def title(self) -> str:
        """What edited faces are to have, for readers: the name, or its reverse, such as 'not young' and 'beard'."""
        if self.towards == "positive":
            return self.name
        return self.name.removeprefix(_WITHOUT) if self.name.startswith(_WITHOUT) else f"not {self.name}"

    @property
    def sign(self) -> int:
        """What the logits of teacher and judge are multiplied by, so that they grow where the edit succeeds."""
        return 1 if self.towards == "positive" else -1

    @classmethod
    def named(
        cls,
        name: str,
        teacher: str | None = None,
        judge: str | None = None,
        related: tuple[str, ...] | None = None,
        towards: Towards = "positive",
    ) -> MeasuredAttribute:
        """Fill in what is usual for an attribute.

        Parameters
        ----------
        name
            'smile', or an attribute of the shipped classifiers, such as 'young'. Any other needs teacher and judge.
        teacher, judge
            See above; None for 'fer:happy' and 'attributes:smiling' of a smile, and for 'attributes:NAME' and
            'attributes-judge:NAME' of another attribute.
        related, towards
            See above.
        """
        smile = name in _SMILES
        usual = ("fer:happy", f"{_TEACHER}:smiling") if smile else (f"{_TEACHER}:{name}", f"{_JUDGE}:{name}")
        teacher = usual[0] if teacher is None else teacher
        judge = usual[1] if judge is None else judge
        region = region_of("smiling" if smile else name) or region_of(name_of(judge))
        return cls("smile" if smile else name, teacher, judge, related, region, towards)

    @property
    def scorers(self) -> str:
        """Names of the scorers that it needs, as `latentlab.load_scorer` reads them."""
        return ",".join(dict.fromkeys((source_of(self.teacher), source_of(self.judge))))

    def exchanged(self) -> MeasuredAttribute:
        """The judge as the teacher, and the teacher as the judge."""
        return replace(self, teacher=self.judge, judge=self.teacher)


def source_of(score: str) -> str:
    """The scorer of a qualified score: 'attributes' of 'attributes:young'."""
    return score.rpartition(":")[0]


def name_of(score: str) -> str:
    """The bare name of a qualified score: 'young' of 'attributes:young'."""
    return score.rpartition(":")[2]


def same_attribute(name: str) -> str:
    """What directions for an attribute are grouped by: a smile has several names."""
    return "smile" if name in _SMILES else name


@dataclass(frozen=True)
class MeasureSettings:
    """How directions are measured.

    Attributes
    ----------
    faces
        Faces that are edited: the first by seed that lack the attribute according to both scorers.
    success
        Share of the faces that every direction has to change, according to the judge, above 0 up to 1.
    cap
        With a strength per face, the most that a face is moved, in units of the one strength that changes as many.
    samples, seed_start, psi
        Number and first of the consecutive seeds of the population, from which the faces are taken too, and their
        truncation. Directions must not have been learnt on these seeds.
    resolution
        Resolution of the images; None for the generator's lowest that is not below 256 pixels, or its own.
    exchange
        Whether to measure once more with teacher and judge exchanged.
    furthest
        Largest strength that is tried, in standard deviations of the population along the direction.
    shown
        Faces in the figure of images.
    batch_size
        Images rendered at once.

    Raises
    ------
    UserError
        If one is out of range.
    """

    faces: int = 40
    success: float = 0.9
    cap: float = 1.5
    samples: int = 600
    seed_start: int = 50_000
    psi: float = 0.7
    resolution: int | None = None
    exchange: bool = True
    furthest: float = 12.0
    shown: int = 8
    batch_size: BatchSize = "auto"

    def __post_init__(self) -> None:
        check_psi(self.psi)
        if self.faces < 2 or self.samples < self.faces:
            raise UserError(f"it takes 2 faces or more, from as many samples, not {self.faces} of {self.samples}")
        if not 0 < self.success <= 1:
            raise UserError(f"the share of faces to change is above 0 and at most 1, not {self.success:g}")
        if self.cap < 1 or self.furthest <= 1:
            raise UserError("the cap of strengths is 1 or more, and the furthest strength more than 1 sigma")
        check_batch(self.batch_size)
        if self.shown < 1:
            raise UserError(f"1 face or more is shown, not {self.shown}")

    def key(self) -> dict[str, Any]:
        """What kept parts depend on, for JSON."""
        loose = ("batch_size", "samples", "seed_start", "exchange")
        return {name: value for name, value in asdict(self).items() if name not in loose}
