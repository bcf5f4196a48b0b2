"""From a video to its clips, and the crops of the face in them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latentlab.faces import CropGeometry, FaceDetector, NoFace
from latentlab.faces.cropping import cut
from latentlab.images import to_bytes
from latentlab.pipelines.videos.settings import VideoEditSettings
from latentlab.pipelines.videos.shots import find_cuts, shots_of, thumbnail
from latentlab.pipelines.videos.state import VideoState
from latentlab.pipelines.videos.tracking import Clip, clips_of, follow
from latentlab.progress import Stage, stage_of
from latentlab.video import VideoFacts, read_frames, warn_if_cut_short


@dataclass(frozen=True)
class Seen:
    """What a video shows.

    Attributes
    ----------
    frames
        Number of frames.
    cuts
        First frame of each shot but the first.
    clips
        Stretches that show the face.
    """

    frames: int
    cuts: tuple[int, ...]
    clips: tuple[Clip, ...]


def watch(
    path: Path,
    about: VideoFacts,
    detector: FaceDetector,
    settings: VideoEditSettings,
    state: VideoState,
    progress: bool | Stage = True,
) -> Seen:
    """Find the faces in every frame, and follow one of them through each shot.

    Raises
    ------
    NoFace
        If there is none in any frame, or not for long enough.
    """
    found, thumbnails = state.read_faces(), []
    with stage_of(progress)("finding faces", "frame") as step, closing(read_frames(path, about.fps)) as frames:
        for t, frame in enumerate(frames):
            thumbnails.append(thumbnail(frame))
            if t >= len(found):
                found.append(detector(frame))
                state.add_faces(found[-1])
            step(t + 1, max(about.frames, t + 1))
    warn_if_cut_short(path, about, len(thumbnails))
    cuts, clips, fps = find_cuts(thumbnails), list[Clip](), about.fps
    for shot in shots_of(len(thumbnails), cuts):
        faces = follow([found[t] for t in shot], settings.face)
        clips += clips_of(faces, shot, settings.smoothing * fps, round(settings.gap * fps), settings.least)
    if not clips:
        which = "face" if settings.face == 1 else f"face {settings.face}"
        raise NoFace(
            f"{path}: {detector.name} follows no {which} through {settings.least} frames; it looks for upright faces "
            "seen from the front or half turned, a tenth of the frame wide or more"
        )
    return Seen(len(thumbnails), tuple(cuts), tuple(clips))


def geometry_of(clip: Clip, index: int, resolution: int, frame: Tensor) -> CropGeometry:
    """Place of the face's crop in a clip's `frame (1, 3, h, w)`."""
    return CropGeometry.plan(clip.quads[index], resolution, (frame.shape[3], frame.shape[2]))


def crops_of(path: Path, about: VideoFacts, clips: Sequence[Clip], resolution: int) -> list[Tensor]:
    """Cut the face out of all frames of clips: `(t, 3, resolution, resolution)` each, as bytes."""
    wanted = {number: (k, index) for k, clip in enumerate(clips) for index, number in enumerate(clip.frames)}
    crops: list[list[Tensor]] = [[] for _ in clips]
    if not wanted:
        return []
    with closing(read_frames(path, about.fps)) as frames:
        for number, frame in enumerate(frames):
            if number in wanted:
                k, index = wanted[number]
                crops[k].append(to_bytes(cut(frame, geometry_of(clips[k], index, resolution, frame))))
            if number == max(wanted):
                break
    return [torch.cat(some) for some in crops]
