"""The folder in which the work on a video is kept until it is done."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentlab.errors import UserError
from latentlab.faces import FaceFound
from latentlab.files import read_bytes, read_json, write_json
from latentlab.resuming import check_same
from latentlab.schemas import checked, parsed

_JOB, _EDIT, _FACES, _FRAMES = "job.json", "edit.json", "faces.jsonl", "frames"
_MOST_FACES = 1 << 28  # bytes; a face takes three thousand


@dataclass(frozen=True)
class VideoState:
    """The folder of a video's state: what the work depends on, the faces of each frame, clips, and finished frames."""

    folder: Path

    def begin(self, job: Mapping[str, Any]) -> None:
        """Start, or go on, with work that depends on `job`; UserError if the folder holds other work."""
        path = self.folder / _JOB
        if path.exists():
            advice = f"ask for the same, give another --state, or remove {self.folder}"
            check_same(self.folder, "the state of a video", read_json(path, dict[str, Any]), job, advice)
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise UserError(f"{self.folder} holds other files, and no state of a video; give another --state")
        else:
            write_json(path, job)

    def begin_edit(self, edit: Mapping[str, Any]) -> None:
        """Start, or go on, with an edit; the finished frames of another one are removed."""
        path, wanted = self.folder / _EDIT, json.loads(json.dumps(edit))
        if path.exists() and read_json(path) == wanted:
            return
        path.unlink(missing_ok=True)
        self.drop_frames()
        write_json(path, wanted)

    def read_faces(self) -> list[list[FaceFound]]:
        """Faces of the frames that were searched before a stop; what a stop cut off is searched again."""
        path = self.folder / _FACES
        if not path.exists():
            return []
        *lines, torn = read_bytes(path, _MOST_FACES).split(b"\n")
        if torn:
            path.write_bytes(b"".join(line + b"\n" for line in lines))
        try:
            frames = (checked(parsed(line, "a line"), list[dict[str, Any]], "a line") for line in lines)
            return [[FaceFound.from_dict(face) for face in faces] for faces in frames]
        except UserError as error:
            raise UserError(f"{path} is broken ({error}); remove it") from error

    def add_faces(self, faces: list[FaceFound]) -> None:
        """Keep the faces of the next frame."""
        with (self.folder / _FACES).open("a", encoding="utf-8") as file:
            file.write(json.dumps([face.to_dict() for face in faces]) + "\n")

    def clip(self, number: int) -> Path:
        """Folder of a clip."""
        return self.folder / f"clip-{number:03d}"

    def frame(self, number: int) -> Path:
        """File of the part of a frame that was edited."""
        return self.folder / _FRAMES / f"{number:06d}.png"

    def drop_frames(self) -> None:
        """Remove the finished frames."""
        shutil.rmtree(self.folder / _FRAMES, ignore_errors=True)

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
