"""Files of an edited face: the image, the animated walk, its latent code, and how to make it again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from latentlab.errors import UserError
from latentlab.files import write_text
from latentlab.images import reduce, save_image
from latentlab.latents import save_latents
from latentlab.pipelines.walks import sweep
from latentlab.progress import Stage, stage_of
from latentlab.studio.faces import CodeFace, photo_of
from latentlab.studio.networks import Networks
from latentlab.studio.recipes import CODE, EDIT, combined_styles, own_file, photo_file, recipe_of
from latentlab.studio.session import Session
from latentlab.studio.subjects import Steps, Subject
from latentlab.video import check_video, write_video

EXPORTS = ("PNG", "MP4", ".npz", ".safetensors", "recipe")
"""What can be exported: the image, the walk to it, its latent code in two forms, and how to make it again."""

FRAMES = 60  # of the walk, there and back
SIDE = 512  # pixels of the longer side of the walk


def export(
    session: Session, kinds: Sequence[str], networks: Networks, folder: Path, progress: bool | Stage = True
) -> list[Path]:
    """Write files of a session's face, as it is edited.

    Parameters
    ----------
    session
        The session.
    kinds
        Some of `EXPORTS`.
    networks
        The networks of the studio.
    folder
        Folder of the files.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Returns
    -------
    list of Path
        The files: image.png, walk.mp4, code.npz, code.safetensors, again.py and again.sh, and what these two read.

    Raises
    ------
    UserError
        If no face is picked, a kind is unknown, the face has no such code, the walk has no end, a package that writes
        it is not installed, or a photo that the recipe reads is no longer kept.
    """
    unknown = [kind for kind in kinds if kind not in EXPORTS]
    if unknown or not kinds:
        raise UserError(f"choose among {', '.join(EXPORTS)}" + (f", not {unknown[0]}" if unknown else ""))
    subject, steps = networks.subject(session.picked()), networks.steps(session)
    if "MP4" in kinds:
        _check_walk(steps)
    made = []
    if "PNG" in kinds:
        save_image(subject.full(steps), folder / "image.png")
        made.append(folder / "image.png")
    made += _save_codes([kind for kind in kinds if kind.startswith(".")], subject, steps, folder)
    if "recipe" in kinds:
        made += _save_recipe(session, networks, subject, steps, folder)
    if "MP4" in kinds:
        made.append(_save_walk(subject, steps, folder / "walk.mp4", progress))
    return list(dict.fromkeys(made))


def _save_codes(suffixes: Sequence[str], subject: Subject, steps: Steps, folder: Path) -> list[Path]:
    """The code after all moves of w; what moves style channels stands in a direction of its own beside it."""
    if not suffixes:
        return []
    ws = subject.ws(steps)
    if ws is None:
        raise UserError("this face was projected into style channels and has no code of w")
    made = []
    for suffix in suffixes:
        made.append((folder / CODE).with_suffix(suffix))
        save_latents(ws, made[-1])
    combined = combined_styles(steps)
    if combined is not None:
        combined[0].save(folder / EDIT)
        made.append(folder / EDIT)
    return made


def _save_recipe(session: Session, networks: Networks, subject: Subject, steps: Steps, folder: Path) -> list[Path]:
    recipe = recipe_of(session, networks)
    write_text(folder / "again.py", recipe.python)
    write_text(folder / "again.sh", recipe.command + "\n")
    made = [folder / "again.py", folder / "again.sh"]
    if CODE in recipe.files:
        made += _save_codes([".npz"], subject, steps, folder)
    face = session.picked()
    if isinstance(face, CodeFace):
        made.append(_copy(face.path, folder / face.path.name))
    photo = photo_of(face)
    if photo is not None:
        made.append(_copy(photo.path, folder / photo_file(photo)))
    for name, _ in session.edit.strengths:
        if name in session.own:
            session.own[name].save(folder / own_file(name))
            made.append(folder / own_file(name))
    return made


def _copy(kept: Path, path: Path) -> Path:
    try:
        return Path(shutil.copyfile(kept, path))
    except FileNotFoundError as error:
        raise UserError(f"{kept.name} is not kept here any more, and the recipe reads it: load it again") from error


def _check_walk(steps: Steps) -> None:
    check_video("walk.mp4")
    if not steps:
        raise UserError("a walk goes from the face to its edit: move a slider first")


def _save_walk(subject: Subject, steps: Steps, path: Path, progress: bool | Stage) -> Path:
    shares, there = sweep(0.0, 1.0, FRAMES), []
    with stage_of(progress)("rendering the walk", "frame") as step:
        for share in shares:
            there.append(reduce(subject.full([(direction, share * far) for direction, far in steps]), SIDE))
            step(len(there), len(shares))
    write_video(torch.cat([*there, *there[::-1][1:-1]]), path)
    return path
