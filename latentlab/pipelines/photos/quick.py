"""Photos edited with a distilled editor: in one pass and without a projection, for a quick look."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.faces.cropping import cut
from latentlab.faces.tone import tone_of
from latentlab.files import check_distinct_stems
from latentlab.pipelines.checks import QualityCheck
from latentlab.pipelines.components import Components
from latentlab.pipelines.crossings import first_crossings
from latentlab.pipelines.distilling import FaceEditor
from latentlab.pipelines.photos.aligning import CheckedPhoto, OnChecks, check_photos
from latentlab.pipelines.photos.edits import Description, PhotoEdit, is_scored, score_of
from latentlab.pipelines.photos.quick_writing import write_quick
from latentlab.pipelines.photos.settings import PHOTO_TARGETS, PhotoEditSettings
from latentlab.pipelines.photos.verdicts import check_edit
from latentlab.pipelines.scoring import scored_by
from latentlab.pipelines.strengths import FaceStrengths
from latentlab.pipelines.targets import ScoreTarget
from latentlab.progress import Stage
from latentlab.reprs import ShortRepr
from latentlab.scorers import score_column, score_images
from latentlab.translation import Translator, load_translator
from latentlab.translation.shipped import shipped_editors

# Editors take strengths a little beyond the states that they were taught, -1 and 1.
_MOST = 1.5
_RENDERS = 8  # passes of a search at most
_RESOLUTION = 256  # of the face that a search looks at: what scores it looks at less


@dataclass(frozen=True, eq=False, repr=False)
class QuickResult(ShortRepr):
    """A photo that an editor has edited.

    Attributes
    ----------
    checked
        The photo, its face and its quality checks.
    photo
        `(1, 3, h, w)`: the photo, upright.
    edits
        The edited photos, in the order of the targets; strengths are those of the editor.
    editor
        Name of the editor.
    seconds
        How long the edits took, the search for their strengths included.
    folder
        Folder with all files.
    """

    checked: CheckedPhoto
    photo: Tensor = field(repr=False)
    edits: tuple[PhotoEdit, ...]
    editor: str
    seconds: float
    folder: Path

    def _repr_png_(self) -> bytes:
        """The side-by-side figure, for a notebook."""
        return (self.folder / "comparison.png").read_bytes()


def has_editor(
    direction: Direction, strengths: Sequence[float] | None, components: Components, settings: PhotoEditSettings
) -> bool:
    """Whether the package comes with an editor that can take the place of edits along a direction.

    Its strengths are states, which scores can be compared to, and not the direction's: so no strengths may be given,
    and the score must be the probability of what the direction moves. It edits one face of a photo.
    """
    if strengths is not None or settings.face == "all" or direction.attribute not in shipped_editors():
        return False
    return is_scored(direction, *scored_by(components, direction, settings.attribute))


def edit_photos_quickly(
    paths: Sequence[str | Path],
    direction: Direction,
    components: Components | None = None,
    settings: PhotoEditSettings | None = None,
    folder: str | Path = "latentlab-edits",
    progress: bool | Stage = True,
    on_checks: OnChecks | None = None,
) -> Iterator[tuple[Path, QuickResult | UserError]]:
    """Edit a face of each photo with the editor for what a direction moves; a bad photo never ends the batch.

    Parameters are those of `latentlab.edit_photos`, without strengths: each photo is brought to the settings' target,
    or without one to both of `PHOTO_TARGETS`. What the settings say about projection and tuning, and about masks and
    detail, has no effect. Each photo gets a folder of its name with `aligned.png`, `photo_target0.9.png` and
    `crop_target0.9.png` for each target, `comparison.png`, `report.md` and `report.json`.

    Yields
    ------
    Path
        The file.
    QuickResult or UserError
        Its result, or what is wrong with the photo.

    Raises
    ------
    UserError
        If no editor comes with the package for this direction, see `has_editor`, or two photos would be written into
        one folder.
    """
    components = Components.load() if components is None else components
    settings = PhotoEditSettings() if settings is None else settings
    components, attribute = scored_by(components, direction, settings.attribute)
    if not has_editor(direction, None, components, settings):
        raise UserError(
            f"no editor comes with the package that brings {attribute} to a target as {direction.attribute} "
            f"does; there are {', '.join(shipped_editors())}"
        )
    check_distinct_stems(paths)
    translator = load_translator(direction.attribute, components.device)
    for path, found in check_photos(paths, components, settings, progress, on_checks):
        if isinstance(found, UserError):
            yield path, found
            continue
        try:
            result = _edited(found, translator, direction, components, settings, Path(folder) / path.stem)
        except UserError as error:
            yield path, UserError(f"{path}: {error}")
            continue
        write_quick(result, direction, settings.command)
        yield path, result


@torch.no_grad()
def _edited(
    checked: CheckedPhoto,
    translator: Translator,
    direction: Direction,
    components: Components,
    settings: PhotoEditSettings,
    folder: Path,
) -> QuickResult:
    """Bring one photo to every target."""
    components, attribute = scored_by(components, direction, settings.attribute)
    photo, aligned = images.load_image(checked.path), checked.face.image.to(components.device)
    describe = Description(checked.face.image, components)
    tone = tone_of(checked.face.image) if settings.pasting.keep_tone else None
    begun, edits = time.perf_counter(), []
    own, unknown = score_of(aligned, components.scorer, attribute)
    if unknown:
        raise UserError(unknown.rstrip("."))
    for target in PHOTO_TARGETS if settings.target is None else (settings.target,):
        search = _search(aligned, translator, target, components, attribute)
        strength = float(search.strengths[0])
        editor = FaceEditor(translator, None, {direction.attribute: strength})
        edited = editor.edit_face(photo.to(components.device), checked.face.geometry).cpu()
        if tone is not None:
            edited = torch.where(edited == photo, photo, tone.apply(edited))
        seen = cut(edited, checked.face.geometry)
        score, no_score = score_of(seen.to(components.device), components.scorer, attribute)
        identity, no_identity = describe.identity(seen)
        checks = check_edit(strength, (own, score), identity, direction, attribute, search)
        why = tuple(reason for reason in (no_score, no_identity) if reason)
        known = (own, own), tuple(map(_advised, checks))
        edits.append(PhotoEdit(strength, seen, edited, score, identity, why, search, *known, attribute=attribute))
    seconds = time.perf_counter() - begun
    return QuickResult(checked, photo, tuple(edits), direction.attribute, seconds, folder)


def _search(
    aligned: Tensor, translator: Translator, target: float | ScoreTarget, components: Components, attribute: str
) -> FaceStrengths:
    """Find the editor's strength at which the score of `aligned (1, 3, r, r)` reaches a target."""
    (name, *_), scorer = translator.network("a2b").attributes, components.scorer
    seen = images.reduce(aligned, _RESOLUTION)

    def scores_at(strength: float) -> NDArray[np.float64]:
        edited = FaceEditor(translator, None, {name: strength}).translate(seen)
        return score_column(score_images(scorer, edited), scorer.names, attribute).astype(np.float64)

    before = scores_at(0.0)
    goal = target if isinstance(target, ScoreTarget) else ScoreTarget.of(target, scorer, attribute, before)
    start = goal.to_scale(before)

    def respond(rows: NDArray[np.intp], strengths: NDArray[np.float64]) -> NDArray[np.float64]:
        return goal.sign * goal.to_scale(scores_at(goal.sign * float(strengths[0])))

    limits = np.array([_MOST])
    found = first_crossings(
        respond, goal.sign * start, goal.sign * goal.on_scale, limits, goal.tolerances(start), _RENDERS - 1
    )
    return FaceStrengths(
        attribute=attribute,
        target=goal,
        strengths=goal.sign * found.strengths + 0.0,  # which is never -0
        before=before,
        after=goal.from_scale(goal.sign * found.after),
        reached=found.reached,
        limits=goal.sign * limits,
        renders=found.calls + 1,
    )


def _advised(check: QualityCheck) -> QualityCheck:
    """A check of an edit whose advice is what helps here."""
    if check.name != "effect" or not check.cause:
        return check
    return replace(check, advice="the whole way, without --fast, may get there")
