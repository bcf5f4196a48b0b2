"""The settings of a study, and the manifest by which its folder is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from latentlab.errors import UserError
from latentlab.files import read_json, write_json
from latentlab.precision import Precision, Settled, check_precision
from latentlab.resuming import check_same
from latentlab.scorers.threshold import Threshold

MANIFEST = "run.json"
FORMAT_VERSION = 2

Rendering = Literal["auto", "preview", "full"]
Method = Literal["style-correlation", "svm"]

# What studies depended on before their manifests said so.
_BEFORE = {"precision": "float32"}

# What the direction of each method is compared with.
_COMPARED: dict[Method, str] = {"style-correlation": "svm", "svm": "mean"}


@dataclass(frozen=True)
class StudySettings:
    """The settings of a study of one attribute.

    Attributes
    ----------
    attribute
        Score to study.
    name
        Name of the direction and of its files; empty for that of the attribute.
    threshold
        Score above which a face has the attribute: a number, 'median' or quantiles of the training samples, see
        `latentlab.scorers.Threshold.parse`. By default the scorer's own; without one, a face has the attribute where
        the score is the largest of several or, alone, exceeds one half.
    network, scorer
        Names of the networks in the report; None for those that the components were loaded by.
    seed_start, samples
        The samples are the seeds seed_start, …, seed_start + samples − 1.
    psi
        Truncation of the samples, above 0 up to 2.
    rendering
        Images that are scored: those of the 'full' resolution, the generator's 'preview', or 'auto': the
        preview where the generator has one. (On `mobile-ffhq` the smile labels of both agree on over 97 % of
        faces: benchmarks/preview_agreement.py.)
    edited_faces
        Number of held-out faces without the attribute, and as many with it, that are edited and scored again.
    class_label
        Class of a conditional generator, from 0; None for an unconditional one.
    method
        Method of the main direction, see `latentlab.directions`: 'style-correlation', ten style channels, compared with
        the SVM in W; or 'svm', compared with the mean difference.
    precision
        Type that all images are rendered in: 'float32', 'bfloat16', or 'auto' for that of a study already begun, or
        else bfloat16 where the hardware is quick at it.
    """

    attribute: str = "happy"
    name: str = ""
    threshold: float | str | None = None
    network: str | None = None
    scorer: str | None = None
    seed_start: int = 600
    samples: int = 2000
    psi: float = 0.7
    rendering: Rendering = "auto"
    edited_faces: int = 40
    class_label: int | None = None
    method: Method = "style-correlation"
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.attribute)
        if Path(self.name).name != self.name:
            raise UserError(f"files are called by the name of the direction, so it is no path, unlike {self.name!r}")
        if self.threshold is not None:
            object.__setattr__(self, "threshold", str(Threshold.parse(self.threshold)))
        if self.method not in _COMPARED:
            raise UserError(f"a study is made by the method {' or '.join(_COMPARED)}, not {self.method!r}")
        if self.samples < 20:
            raise UserError(f"a study needs 20 samples or more to learn and to test on, not {self.samples}")
        if self.rendering not in get_args(Rendering):
            raise UserError(f"rendering is auto, preview or full, not {self.rendering!r}")
        check_precision(self.precision)
        if self.edited_faces < 1:
            raise UserError(f"edited_faces must be 1 or more, not {self.edited_faces}")

    @property
    def methods(self) -> tuple[str, str]:
        """The main method, and the one that it is compared with."""
        return self.method, _COMPARED[self.method]


def claim(folder: Path, settings: StudySettings, fingerprints: dict[str, str]) -> None:
    """Make `folder` the folder of this study, or check that it is.

    Raises
    ------
    UserError
        If it has a study of other settings or networks (the message names what differs, with both values), one that
        another version began, or something else altogether.
    """
    path = folder / MANIFEST
    wanted: dict[str, Any] = {"format_version": FORMAT_VERSION, **asdict(settings), **fingerprints}
    if path.exists():
        stored = read_json(path, dict[str, Any])
        _check_version(folder, stored)
        check_same(folder, "a study", {**_BEFORE, **stored}, wanted)
    elif folder.exists() and not (folder.is_dir() and all(_is_leftover(entry) for entry in folder.iterdir())):
        raise UserError(f"{folder} exists already and holds no run; choose another folder with --out")
    else:
        write_json(path, wanted)


def begun_precision(folder: Path) -> Settled | None:
    """Precision of the study in a folder, in which a stopped one goes on; None where there is none."""
    if not (folder / MANIFEST).exists():
        return None
    stored = read_json(folder / MANIFEST, dict[str, Any])
    return "bfloat16" if {**_BEFORE, **stored}["precision"] == "bfloat16" else "float32"


def _check_version(folder: Path, stored: Mapping[str, Any]) -> None:
    """Refuse a study of another version, whose directions and strengths were found in another way."""
    version = stored.get("format_version", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        age = "an earlier" if isinstance(version, int) and version < FORMAT_VERSION else "another"
        raise UserError(
            f"{folder} holds a study that {age} version of latentlab made, in another way; choose another folder with "
            "--out, or remove it"
        )


def _is_leftover(entry: Path) -> bool:
    """Whether a file is hidden, as the unfinished manifest of a run that was killed as it began is."""
    return entry.name.startswith(".")
