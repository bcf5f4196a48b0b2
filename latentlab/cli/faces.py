"""`latentlab align`: photos to aligned faces."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from latentlab import images
from latentlab.cli import options
from latentlab.cli.errors import one_line
from latentlab.errors import UserError
from latentlab.faces import align_files, load_detector
from latentlab.files import write_json


class Faces(str, Enum):
    """Faces of a photo to take."""

    largest = "largest"
    all = "all"


class Detector(str, Enum):
    """Detectors of faces and landmarks."""

    dlib68 = "dlib68"
    dlib5 = "dlib5"


def align(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO…", help="Photos with faces in them.")],
    out: Annotated[Path, typer.Option(help="Folder of the aligned faces.")] = Path("latentlab-faces"),
    resolution: Annotated[
        int, typer.Option(min=16, max=4096, help="Resolution of the aligned faces in pixels.")
    ] = 1024,
    faces: Annotated[Faces, typer.Option(help="The largest face of each photo, or all.")] = Faces.largest,
    detector: Annotated[Detector, typer.Option(help="Detector with 68 landmarks, or with 5.")] = Detector.dlib68,
) -> None:
    """Cut faces out of photos in FFHQ's framing: NAME.png, and NAME.json with its geometry and landmarks.

    With --faces all they are NAME-1, NAME-2, …, the largest first. A photo that fails is named at the end,
    after all others are done, and makes the exit code 2.
    """
    out = options.check_folder(out)
    options.check_stems(photos)
    found = load_detector(detector.value)
    written, notes, failures = 0, [], []
    with options.bar("aligning") as step:
        for done, (path, result) in enumerate(align_files(photos, found, resolution, faces.value)):
            if isinstance(result, UserError):
                failures.append(result)
                result = []
            for number, face in enumerate(result, 1):
                name = f"{path.stem}-{number}" if faces is Faces.all else path.stem
                images.save_image(face.image, out / f"{name}.png")
                write_json(out / f"{name}.json", {"photo": str(path), "detector": found.name, **face.to_dict()})
                notes += [f"{path}: {name}: {warning}" for warning in face.warnings]
                written += 1
            step(done + 1, len(photos))
    print(*notes, f"faces written to {out}: {written}, of {len(photos) - len(failures)} photos", sep="\n")
    for failure in failures:
        print(f"latentlab: {one_line(str(failure))}", file=sys.stderr)
    if failures:
        raise typer.Exit(2)
