"""Photos of visitors: their faces, and the projection of one, with a preview of its progress."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from latentlab.errors import UserError
from latentlab.images import reduce, save_image
from latentlab.pipelines import Components
from latentlab.pipelines.photos import CheckedPhoto, PhotoRecipe, PhotoSettings, Portrait, make_portrait
from latentlab.pipelines.photos.portraits import STATE
from latentlab.pipelines.photos.writing import write_portrait
from latentlab.projection import Projector
from latentlab.studio.faces import PhotoFace
from latentlab.studio.networks import Networks, faces_in
from latentlab.studio.subjects import Steps
from latentlab.studio.visitors import check_upload, free_stem
from latentlab.studio.working import Report


def project_face(
    photo: CheckedPhoto, components: Components, recipe: PhotoRecipe, folder: Path, report: Report
) -> Portrait:
    """Project a face, showing every step; a stopped projection resumes where it was.

    Parameters
    ----------
    photo
        One of the faces that `faces_in` found.
    components
        Networks.
    recipe
        How it is projected.
    folder
        Folder of the result, in which `NAME-NUMBER` has its files.
    report
        Receives the progress of the work.

    Raises
    ------
    UserError
        If the projection cannot be made.
    """
    settings = PhotoSettings(recipe.projection, recipe.tuning)
    state = folder / STATE
    with report.stage("projecting", "step") as show:
        projector = Projector(
            photo.face.image,
            components.generator,
            settings.projection,
            settings.start,
            components.fast_perceptual,
            folder=state,
        )
        for step in projector.steps():
            show(step.done, step.total, f"LPIPS {step.distance:.3f}")
            if len(step.rendered):
                report.show(reduce(step.rendered, 256).cpu())
    portrait = make_portrait(photo, projector.result(), components, settings, folder, report.stage)
    write_portrait(portrait, folder)
    return portrait


def open_photo(face: PhotoFace, networks: Networks, folder: Path, report: Report) -> None:
    """Project the face of a photo in a folder, or take what was projected there before, and keep it to be edited.

    Raises
    ------
    UserError
        If the photo has no such face, or it cannot be projected.
    """
    faces = networks.faces(face.path)
    if face.number > len(faces):
        raise UserError(f"{face.path.name} has no face {face.number} any more")
    photo = faces[face.number - 1]
    networks.keep(face, project_face(photo, networks.components, face.recipe, folder, report))


def edit_queue(
    paths: Sequence[Path],
    networks: Networks,
    steps: Steps,
    recipe: PhotoRecipe,
    folder: Path,
    report: Report,
    done: list[Path],
) -> list[str]:
    """Edit the largest face of each photo; `NAME.png` is written as soon as it is done, and a bad photo never stops it.

    Parameters
    ----------
    paths
        Files of the photos.
    networks, steps
        Networks of the studio, and the edit.
    recipe
        How the photos are projected.
    folder
        Folder of the results.
    report
        Receives the progress of the work.
    done
        Receives the file of each photo as soon as it is written.

    Returns
    -------
    list of str
        What is wrong with the photos that could not be edited.
    """
    failures = []
    for path in paths:
        try:
            check_upload(path)
            photo = faces_in(path, networks.components)[0]
            portrait = project_face(photo, networks.components, recipe, folder / "projections", report)
            edited = networks.subject_of(portrait, path.name).full(steps)
            out = folder / f"{free_stem(folder, path)}.png"
            save_image(edited, out)
            done.append(out)
        except UserError as error:
            failures.append(str(error).replace(str(path), path.name))
    return failures


def crops_of(faces: Sequence[CheckedPhoto], longest: int = 192) -> list[Tensor]:
    """Small crops `(1, 3, h, w)` of the faces, to choose among."""
    return [reduce(photo.face.image, longest) for photo in faces]
