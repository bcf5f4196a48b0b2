"""What a process does with a few photos that are projected together: here, or on a worker."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from latentlab.errors import UserError
from latentlab.pipelines.components import Components
from latentlab.pipelines.photos.aligning import CheckedPhoto, WaitingPhoto
from latentlab.pipelines.photos.edits import PhotoEdit
from latentlab.pipelines.photos.portraits import Portrait, make_portrait, project_faces
from latentlab.pipelines.photos.settings import PhotoSettings
from latentlab.progress import Stage, stage_of
from latentlab.reprs import ShortRepr
from latentlab.work import Lost, run, stage_of_workers


@dataclass(frozen=True, eq=False, repr=False)
class PhotoResult(ShortRepr):
    """A photo, as it was projected and edited.

    Attributes
    ----------
    portrait
        The photo, its projection and its quality checks.
    edits
        The edited photos, in the order of the strengths; empty if it was only projected.
    folder
        Folder with all of its files.
    """

    portrait: Portrait
    edits: tuple[PhotoEdit, ...]
    folder: Path

    def _repr_png_(self) -> bytes:
        """The side-by-side figure or, without edits, the projection, for a notebook."""
        return (self.folder / ("comparison.png" if self.edits else "projected.png")).read_bytes()


Found: TypeAlias = "tuple[Path, PhotoResult | UserError]"
"""A photo, and its result or what is wrong with it."""

OnPortraits: TypeAlias = "Callable[[Path, Iterable[Portrait | UserError], bool | Stage], Iterator[Found]]"
"""What is done with the portraits of one photo, and written."""


@dataclass(frozen=True, eq=False)
class Group:
    """Works on a few photos that are projected together.

    Attributes
    ----------
    components, settings, folder
        See `latentlab.pipelines.photos.edit_photos`.
    finish
        What is done with the portraits of one photo.
    here
        How progress is shown in this process; None on a worker.
    """

    components: Components
    settings: PhotoSettings
    folder: Path
    finish: OnPortraits
    here: bool | Stage | None

    def __call__(self, photos: Sequence[WaitingPhoto]) -> Iterable[Found]:
        """Project, tune and finish the photos; a bad one never ends the others."""
        if self.here is not None:
            return self._each(photos, self.here)
        # A generator is too large to be sent with every photo, and the other side has it.
        return [(path, _bare(found)) for path, found in self._each(photos, False)]

    def _each(self, waiting: Sequence[WaitingPhoto], progress: bool | Stage) -> Iterator[Found]:
        photos: list[CheckedPhoto] = []
        for one in waiting:
            try:
                photos.append(one.read())
            except UserError as error:
                yield one.path, error
        if not photos:
            return
        projections = project_faces(photos, self.components, self.settings, self.folder, progress)

        def portrait(k: int) -> Portrait | UserError:
            photo = photos[k]
            try:
                return make_portrait(photo, projections[[k]], self.components, self.settings, self.folder, progress)
            except UserError as error:
                return UserError(f"{photo.title}: {error}")

        for path, rows in itertools.groupby(range(len(photos)), key=lambda k: photos[k].path):
            yield from self.finish(path, map(portrait, rows), progress)


def _bare(found: PhotoResult | UserError) -> PhotoResult | UserError:
    if isinstance(found, UserError):
        return found
    return replace(found, portrait=found.portrait.without_generator())


def work_on(
    photos: Sequence[WaitingPhoto],
    make: Callable[[bool | Stage | None], Group],
    progress: bool | Stage = True,
) -> Iterator[Found]:
    """Work on photos in groups that are projected together; all faces of a photo are in one.

    Parameters
    ----------
    photos
        The photos.
    make
        Makes a `Group`, given how progress is shown.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Yields
    ------
    Path
        The file.
    PhotoResult or UserError
        Its result, or what is wrong with it.
    """
    here, done, total = make(progress), 0, _files(photos)
    groups, again = _groups(photos, here.settings.batch_size), list[WaitingPhoto]()
    with stage_of_workers(stage_of(progress))("projecting photos", "photo") as step:
        step(0, total)
        while groups:
            for number, found in run(make, groups, progress):
                if isinstance(found, Lost) and _files(groups[number]) > 1:  # one of them is at fault
                    again += groups[number]
                    continue
                yield from _told(groups[number], found, here.components)
                done += _files(groups[number])
                step(done, total)
            groups, again = _groups(again, 1), []


def _files(photos: Sequence[WaitingPhoto]) -> int:
    return len({photo.path for photo in photos})


def _told(photos: Sequence[WaitingPhoto], found: Iterable[Found] | Lost, components: Components) -> Iterator[Found]:
    """Yield the results of a group; of a lost one, which is of one photo, why."""
    if isinstance(found, Lost):
        yield photos[0].path, UserError(f"{photos[0].path}: {found.reason}")
    else:
        yield from ((path, _whole(one, components)) for path, one in found)


def _groups(photos: Sequence[WaitingPhoto], size: int) -> list[list[WaitingPhoto]]:
    groups: list[list[WaitingPhoto]] = []
    for _, faces in itertools.groupby(photos, key=lambda photo: photo.path):
        if not groups or len(groups[-1]) >= size:
            groups.append([])
        groups[-1] += faces
    return groups


def _whole(found: PhotoResult | UserError, components: Components) -> PhotoResult | UserError:
    if isinstance(found, UserError):
        return found
    return replace(found, portrait=found.portrait.with_generator(components.generator))
