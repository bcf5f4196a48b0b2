"""`latentlab align`: photos to aligned faces."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentlab.cli import options
from latentlab.cli import photos as photos_options
from latentlab.cli.errors import end_with
from latentlab.errors import UserError
from latentlab.files import list_images, write_json
from latentlab.progress import bar

if TYPE_CHECKING:
    from latentlab.faces import AlignedFace
    from latentlab.faces.alignment import Which


class Detector(str, Enum):
    """Detectors of faces and landmarks."""

    dlib68 = "dlib68"
    dlib5 = "dlib5"


def align(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photos with faces, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for the aligned faces.")] = Path("latentlab-faces"),
    resolution: Annotated[
        int, typer.Option(min=16, max=4096, help="Resolution of the aligned faces in pixels.")
    ] = 1024,
    face: Annotated[
        str,
        typer.Option("--face", "--faces", metavar="all|largest|N", help="Face of each photo: 2 is the second largest."),
    ] = "largest",
    detector: Annotated[Detector, typer.Option(help="Detector with 68 landmarks, or with 5.")] = Detector.dlib68,
    landmarks: photos_options.Landmarks = None,
    show: Annotated[
        bool, typer.Option("--show", help="Say what was found, and draw it: NAME-found.png, the photo with its faces.")
    ] = False,
) -> None:
    """Cut faces out of photos in FFHQ's framing: NAME.png, and NAME.json with its geometry and landmarks.

    With --face all, they are NAME-1, NAME-2, …, the largest first. A photo that fails is named at the end,
    after all others are done, and sets the exit code to 2.
    """
    chosen = photos_options.parse_face(face)
    paths = list_images(photos)
    options.check_folder(out, paths)
    from latentlab.faces import align_files, load_detector
    from latentlab.faces.alignment import one_face
    from latentlab.faces.given import GivenFaces

    found = load_detector(detector.value) if landmarks is None else GivenFaces(landmarks)
    written, notes, failures = 0, list[str](), list[UserError]()
    with bar("aligning") as step:
        which: Which = "largest" if chosen == 1 else "all"
        for done, (path, result) in enumerate(align_files(paths, found, resolution, which)):
            if not isinstance(result, UserError) and chosen != "all":
                result = one_face(path, result, chosen)
            if isinstance(result, UserError):
                failures.append(result)
                result = []
            first = 1 if chosen == "all" else chosen
            for number, one in enumerate(result, first):
                name = f"{path.stem}-{number}" if chosen == "all" else path.stem
                _write(one, out / name, path, found.name)
                notes += [f"{path}: {name}: {warning}" for warning in one.warnings]
                written += 1
            if show and result:
                notes += _show(path, result, first, out)
            step(done + 1, len(paths))
    failed = f"; {len(failures)} failed" if failures else ""
    print(*notes, f"faces written to {out}: {written}, of {len(paths)} photos{failed}", sep="\n", flush=True)
    end_with(failures)


def _show(path: Path, faces: Sequence[AlignedFace], first: int, out: Path) -> list[str]:
    """Draw the faces of a photo, numbered from the first, and describe each in a line."""
    from latentlab.images import load_image, save_image
    from latentlab.plots.found import draw_faces

    save_image(draw_faces(load_image(path), faces, first), out / f"{path.stem}-found.png")
    return [f"{path}: face {number}: {face.describe()}" for number, face in enumerate(faces, first)]


def _write(face: AlignedFace, path: Path, photo: Path, detector: str) -> None:
    """Write a face as `path`.png, and all that is known about it as `path`.json."""
    from latentlab.images import save_image

    save_image(face.image, path.with_name(f"{path.name}.png"))
    write_json(path.with_name(f"{path.name}.json"), {"photo": str(photo), "detector": detector, **face.to_dict()})
