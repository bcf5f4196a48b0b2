"""The whole job on photos: align, check, project, tune, edit, paste back, write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from latentlab.directions import Direction
from latentlab.directions.edits import Edits, as_edits
from latentlab.editing import default_strengths
from latentlab.errors import UserError
from latentlab.files import check_distinct_stems, strength_names
from latentlab.perceptual import MIN_RESOLUTION
from latentlab.pipelines.components import Components
from latentlab.pipelines.edits import check_edits_alone, checked_codes
from latentlab.pipelines.photos.aligning import OnChecks, WaitingPhoto, check_photos, numbered
from latentlab.pipelines.photos.edits import PhotoEdit, edit_portrait, is_scored
from latentlab.pipelines.photos.groups import Found, Group, OnPortraits, PhotoResult, work_on
from latentlab.pipelines.photos.portraits import Portrait
from latentlab.pipelines.photos.settings import PHOTO_TARGETS, PhotoEditSettings, PhotoSettings
from latentlab.pipelines.photos.together import Together
from latentlab.pipelines.photos.writing import write_edits, write_portrait, write_projection
from latentlab.pipelines.scoring import scored_by
from latentlab.pipelines.strengths import checked_target
from latentlab.pipelines.targets import ScoreTarget
from latentlab.progress import Stage, stage_of


def edit_photo(
    path: str | Path,
    direction: Direction | Edits,
    strengths: Sequence[float] | None = None,
    components: Components | None = None,
    settings: PhotoEditSettings | None = None,
    folder: str | Path = "latentlab-edits",
    progress: bool | Stage = True,
    on_checks: OnChecks | None = None,
) -> PhotoResult:
    """Edit the face in one photo along a direction, or several at once.

    Parameters and the folder's content are those of `edit_photos`.

    Raises
    ------
    UserError
        If the photo has no face, or as `edit_photos` says.
    """
    if settings is not None and settings.face == "all":
        raise UserError("edit_photo edits one face: give its number, or take edit_photos for all")
    edits = edit_photos([path], direction, strengths, components, settings, folder, progress, on_checks)
    ((_, result),) = edits
    if isinstance(result, UserError):
        raise result
    return result


def edit_photos(
    paths: Sequence[str | Path],
    direction: Direction | Edits,
    strengths: Sequence[float] | None = None,
    components: Components | None = None,
    settings: PhotoEditSettings | None = None,
    folder: str | Path = "latentlab-edits",
    progress: bool | Stage = True,
    on_checks: OnChecks | None = None,
) -> Iterator[tuple[Path, PhotoResult | UserError]]:
    """Edit a face of each photo along a direction, or several at once; a bad photo never ends the batch.

    Each photo is aligned and checked, its face projected, the generator tuned on it, the latent edited, and the
    result pasted back into the photo. Stopped at any moment and called again, the job resumes.

    Parameters
    ----------
    paths
        Files of the photos.
    direction, strengths
        Direction of the edits, and their strengths in the direction's units. None for the strength that brings each
        photo to the settings' target; without one, for those that bring its score to `PHOTO_TARGETS`, where the score
        is the probability of what the direction moves, and otherwise for both ends of the direction's range and 0 (see
        `latentlab.editing.strength_range`). Or edits along several directions at once, such as `4 * smile - age`, which
        have strengths of their own: then None.
    components
        Networks; None for the defaults of `Components.load`.
    settings
        How the photos are projected and edited; None for the defaults.
    folder
        Folder of the results. Each photo gets a folder of its name with `aligned.png`, `projected.png`,
        `photo_STRENGTH.png` and `crop_STRENGTH.png` (`photo_target0.9.png` for a target, `photo_edited.png` for several
        directions), `comparison.png`, `projection.safetensors`, `delta.safetensors`, `report.md` and `report.json`.
        Where all faces are taken, each gets such a folder, `NAME-1` for the largest, `NAME-2`, …, and `NAME` has each
        `photo_STRENGTH.png` with all of them edited, once the last one is done.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.
    on_checks
        Called with each photo and its quality checks, before any is projected.

    Yields
    ------
    Path
        The file; where all faces are taken, once for each of them.
    PhotoResult or UserError
        Its result, or what is wrong with the photo. Photos without a face come first.

    Raises
    ------
    UserError
        If the generator has no such class, the direction does not fit it or the space of the projections, there is no
        such attribute, a strength is given twice, strengths are given with a target or with several directions, the
        target is out of range, the settings' codes are not one for each photo or do not fit, or two photos would be
        written into one folder.
    """
    components = Components.load() if components is None else components
    settings = PhotoEditSettings() if settings is None else settings
    components, folder = components.of_class(settings.class_label), Path(folder)
    components, attribute = scored_by(components, direction, settings.attribute)
    _check_generator(components)
    as_edits(direction).check(components.generator, settings.force)
    _check_space(direction, settings)
    components.check_attribute(attribute)
    codes = _codes(paths, components, settings)
    goals = _goals(strengths, direction, components, settings, attribute)
    settings = replace(settings, codes=None)  # which would be sent with every photo
    finish = _Editing(direction, goals, codes, components, settings, folder)
    yield from _results(paths, components, settings, folder, finish, progress, on_checks)


@dataclass(frozen=True, eq=False)
class _Editing:
    """Edits the portraits of a photo; see `latentlab.pipelines.photos.groups`."""

    direction: Direction | Edits
    goals: _Goals
    codes: Mapping[Path, Tensor]
    components: Components
    settings: PhotoEditSettings
    folder: Path

    def __call__(
        self, path: Path, portraits: Iterable[Portrait | UserError], progress: bool | Stage
    ) -> Iterator[Found]:
        together = Together(self.settings.pasting)
        for portrait in portraits:
            if isinstance(portrait, UserError):
                yield path, portrait
                continue
            own = write_portrait(portrait, self.folder)
            code = self.codes.get(path)
            moved = portrait if code is None else portrait.with_ws(code.to(portrait.generator.w_avg.device))
            try:
                edits = _edits(moved, self.direction, self.goals, self.components, self.settings, progress)
            except UserError as error:
                yield path, UserError(f"{portrait.title}: {error}")
                continue
            write_edits(portrait, edits, self.direction, own, self.settings.command)
            if self.settings.face == "all":
                together.add(portrait, edits)
            yield path, PhotoResult(portrait, tuple(edits), own)
        together.write(self.folder / path.stem)


@dataclass(frozen=True)
class _Goals:
    """The score that is reported; strengths of all photos, and scores that each is brought to at its own."""

    attribute: str
    strengths: Sequence[float] = ()
    targets: Sequence[float | ScoreTarget] = ()


def _codes(paths: Sequence[str | Path], components: Components, settings: PhotoEditSettings) -> dict[Path, Tensor]:
    """Latents `(1, num_ws, w_dim)` that take the place of those found, by photo; UserError if they do not fit."""
    if settings.codes is None:
        return {}
    if settings.projection.space == "s":
        raise UserError("photos projected into s have no ws that latent codes could take the place of; project into w+")
    if settings.face == "all":
        raise UserError("latent codes are one for each photo: choose one of its faces by its number")
    codes = checked_codes(settings.codes, components.generator)
    if len(codes) != len(paths):
        raise UserError(f"latent codes are one for each photo, in the same order: not {len(codes)} for {len(paths)}")
    return {Path(path): codes[k : k + 1] for k, path in enumerate(paths)}


def _goals(
    strengths: Sequence[float] | None,
    direction: Direction | Edits,
    components: Components,
    settings: PhotoEditSettings,
    attribute: str,
) -> _Goals:
    """Choose how far photos are edited. UserError, before the long work, for what cannot be."""
    if isinstance(direction, Edits):
        check_edits_alone(strengths, settings.target or settings.search)
        return _Goals(attribute, (1.0,))
    if settings.target is not None:
        if strengths is not None:
            raise UserError("photos are edited at strengths or to a target; give one of the two")
        checked_target(settings.target, components.renderer(), components.scorer, attribute)
        return _Goals(attribute, targets=(settings.target,))
    if strengths is None and is_scored(direction, components, attribute):
        return _Goals(attribute, targets=PHOTO_TARGETS)
    if settings.search is not None:
        raise UserError(
            "a cap has no effect on strengths that are given, or where the score is none of the direction's attribute: "
            f"{attribute} for {direction.attribute}; give a target"
        )
    strengths = default_strengths(direction) if strengths is None else strengths
    strength_names(strengths)
    return _Goals(attribute, strengths)


def _edits(
    portrait: Portrait,
    direction: Direction | Edits,
    goals: _Goals,
    components: Components,
    settings: PhotoEditSettings,
    progress: bool | Stage,
) -> list[PhotoEdit]:
    edits: list[PhotoEdit] = []
    with stage_of(progress)(f"editing {numbered(portrait.path.name, portrait.number)}") as step:
        for one in edit_portrait(
            portrait,
            direction,
            goals.strengths,
            components,
            goals.attribute,
            settings.pasting,
            goals.targets,
            settings.search,
        ):
            edits.append(one)
            step(len(edits), len(goals.strengths) + len(goals.targets))
    return edits


def _check_generator(components: Components) -> None:
    """Refuse a generator whose images are not in colour, or too small to be compared; UserError."""
    components.check_takes_photos()
    resolution, least = components.generator.resolution, MIN_RESOLUTION["vgg"]
    if resolution < least:
        raise UserError(
            f"{components.network_name} makes images of {resolution} pixels; photos are projected into {least} or more"
        )


def _check_space(along: Direction | Edits, settings: PhotoEditSettings) -> None:
    """Refuse a direction that cannot move what photos are projected into."""
    space = settings.projection.space
    for direction, _ in as_edits(along):
        if direction.space == "z" or (space == "s" and direction.space != "s"):
            raise UserError(
                f"the {direction.attribute} direction is of space {direction.space}, and photos projected into {space} "
                f"have none of its latents; take a direction of {'s' if space == 's' else 'w, w+ or s'}"
            )


def project_photos(
    paths: Sequence[str | Path],
    components: Components | None = None,
    settings: PhotoSettings | None = None,
    folder: str | Path = "latentlab-projections",
    progress: bool | Stage = True,
    on_checks: OnChecks | None = None,
) -> Iterator[tuple[Path, PhotoResult | UserError]]:
    """Project a face of each photo, and tune the generator on it; a bad photo never ends the batch.

    Parameters, results and errors are those of `edit_photos`, except for the edits.
    """
    components = Components.load() if components is None else components
    settings = PhotoSettings() if settings is None else settings
    components, folder = components.of_class(settings.class_label), Path(folder)
    _check_generator(components)
    yield from _results(paths, components, settings, folder, partial(_written, folder), progress, on_checks)


def _written(
    folder: Path, path: Path, portraits: Iterable[Portrait | UserError], progress: bool | Stage
) -> Iterator[Found]:
    """Write the portraits of a photo."""
    for portrait in portraits:
        if isinstance(portrait, UserError):
            yield path, portrait
        else:
            yield path, PhotoResult(portrait, (), write_projection(portrait, folder))


def _results(
    paths: Sequence[str | Path],
    components: Components,
    settings: PhotoSettings,
    folder: Path,
    finish: OnPortraits,
    progress: bool | Stage,
    on_checks: OnChecks | None,
) -> Iterator[Found]:
    """Results of the photos; of those without a face first, with what is wrong with them."""
    check_distinct_stems(paths)
    if settings.face == "all":
        _check_distinct_faces(paths)
    photos: list[WaitingPhoto] = []
    for path, found in check_photos(paths, components, settings, progress, on_checks):
        if isinstance(found, UserError):
            yield path, found
        else:
            photos.append(WaitingPhoto.of(found))
    if photos:
        yield from work_on(photos, partial(Group, components, settings, folder, finish), progress)


def _check_distinct_faces(paths: Sequence[str | Path]) -> None:
    """Refuse photos that are called like a face of another one, whose folders would be one; UserError."""
    by_stem = {Path(path).stem.casefold(): Path(path) for path in paths}
    for stem, path in by_stem.items():
        photo, dash, number = stem.rpartition("-")
        if dash and number.isdigit() and photo in by_stem:
            raise UserError(
                f"{path} and face {number} of {by_stem[photo]} would both be written as {path.stem}; "
                "give them in two runs with different folders, or rename one"
            )
