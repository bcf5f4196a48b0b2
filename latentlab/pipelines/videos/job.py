"""The whole job on a video: follow the face, project and tune, edit, paste back, write, report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from latentlab import images
from latentlab.directions import Direction
from latentlab.directions.teaching import falls_along
from latentlab.editing import default_strengths
from latentlab.errors import UserError
from latentlab.faces import NoFace
from latentlab.faces.identity import why_undescribed
from latentlab.files import write_json
from latentlab.pipelines.components import Components
from latentlab.pipelines.photos.edits import is_scored
from latentlab.pipelines.photos.settings import PHOTO_TARGETS, photo_search
from latentlab.pipelines.scoring import scored_by
from latentlab.pipelines.strengths import checked_target, strength_for
from latentlab.pipelines.targets import ScoreTarget
from latentlab.pipelines.videos.faces import Seen, crops_of, geometry_of, watch
from latentlab.pipelines.videos.latents import FilmedFace, find_latents, is_done
from latentlab.pipelines.videos.pasting import ClipPaster, edited_part
from latentlab.pipelines.videos.report import ClipMeasurement, ClipReport, VideoResult, with_meshes
from latentlab.pipelines.videos.settings import VideoEditSettings
from latentlab.pipelines.videos.state import VideoState, digest_of
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Renderer
from latentlab.video import VideoFacts, describe_video, mp4_writer, read_frames, to_array

SUFFIX = ".mp4"


def edit_video(
    path: str | Path,
    direction: Direction,
    strength: float | None = None,
    components: Components | None = None,
    settings: VideoEditSettings | None = None,
    out: str | Path | None = None,
    progress: bool | Stage = True,
) -> VideoResult:
    """Edit the face in a video along a direction, with one strength; needs the package `imageio[ffmpeg]`.

    The face is found in every frame and followed through each shot; landmarks, crops and masks are smoothed over time.
    Latents that move smoothly are found for all frames together, the generator is tuned once on all of them, and every
    frame is edited and pasted back. Frames without the face stay as they are, and so do the frame rate and the sound.
    Stopped at any moment and called again, the job resumes.

    Parameters
    ----------
    path
        A video in any format that ffmpeg reads.
    direction, strength
        Direction of the edit, of w, w+ or s, and its strength in the direction's units; None for the strength that
        brings the middle frame of the longest stretch to the settings' target, or to the default one.
    components
        Networks; None for the defaults of `Components.load`.
    settings
        How the video is edited; None for the defaults.
    out
        The MP4 file, by default of the video's name in the folder "latentlab-edits". Beside it are written the report,
        `NAME.json`, and, while the job lasts, the folder `NAME.state`.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Returns
    -------
    VideoResult
        What was edited, what was not, and how steady it is.

    Raises
    ------
    UserError
        If the video cannot be read or shows no face, `out` is no MP4 file or the video itself, imageio[ffmpeg] is not
        installed, both a strength and a target are given, the generator has no such class, the direction does not fit
        it or is of space z, or the state is that of another job.
    """
    components = Components.load() if components is None else components
    settings = VideoEditSettings() if settings is None else settings
    components, attribute = scored_by(components.of_class(settings.class_label), direction, settings.attribute)
    path = Path(path).absolute()
    out = Path("latentlab-edits") / f"{path.stem}{SUFFIX}" if out is None else Path(out)
    about = _check(path, out, direction, components, settings)
    goal = _goal(strength, direction, components, settings, attribute)
    state = VideoState(out.with_suffix(".state") if settings.state is None else settings.state)
    state.begin(_job(path, components, settings))
    try:
        seen = watch(path, about, components.detector, settings, state, progress)
    except NoFace:
        if settings.state is None:
            state.remove()
        raise
    faces = _latents(path, about, seen, components, settings, state, progress)
    strength, searched = _strength(faces, direction, goal, components, settings, attribute)
    state.begin_edit(_edit(direction, strength, settings))
    pasters = partial(ClipPaster.of, direction=direction, strength=strength, settings=settings, fps=about.fps)
    _paste(path, about, faces, pasters, state, progress)
    clips = with_meshes(_write(path, about, faces, components, state, out, progress), faces, direction, strength)
    result = VideoResult(out, out.with_suffix(".json"), about.fps, seen.frames, strength, searched, seen.cuts, clips)
    report = {"video": path.name, "direction": direction.attribute, **result.to_dict(), "command": settings.command}
    write_json(result.report, report)
    if settings.state is None:
        state.remove()
    else:
        state.drop_frames()
    return result


def _check(
    path: Path,
    out: Path,
    direction: Direction,
    components: Components,
    settings: VideoEditSettings,
) -> VideoFacts:
    """Refuse, before any long work, what cannot be done; what is known of the video."""
    if out.suffix.lower() != SUFFIX:
        raise UserError(f"a video is written as MP4: call it {out.with_suffix(SUFFIX)} rather than {out}")
    if out.exists() and out.resolve() == path.resolve():
        raise UserError(f"{out} is what is read; write to another file")
    if direction.space == "z":
        raise UserError(
            f"the {direction.attribute} direction is of space z, and a video's frames have none of its latents; take a "
            "direction of w, w+ or s"
        )
    about = describe_video(path)
    components.check_takes_photos()
    direction.check(components.generator, settings.force)
    return about


def _goal(
    strength: float | None,
    direction: Direction,
    components: Components,
    settings: VideoEditSettings,
    attribute: str,
) -> float | ScoreTarget:
    """Choose how far a video is edited: by a strength, or to a target. UserError, before any long work, for a bad one.

    A plain number is a strength.
    """
    target = settings.target
    if strength is not None:
        if target is not None:
            raise UserError("a video is edited by one strength: give it, or a target that it is searched for")
        return strength
    components.check_attribute(attribute)
    if target is None and is_scored(direction, components, attribute):
        without, has = PHOTO_TARGETS
        target = without if falls_along(direction, attribute) else has
    if target is None:
        if settings.search is not None:
            raise UserError(
                f"a cap has no effect where the score is none of the direction's attribute: {attribute} for "
                f"{direction.attribute}; give a target"
            )
        return default_strengths(direction)[-1]
    return checked_target(target, components.renderer(), components.scorer, attribute)


def _job(path: Path, components: Components, settings: VideoEditSettings) -> dict[str, Any]:
    """What the latents of a video depend on."""
    names = ("clip", "tuning", "tuning_frames", "tuning_steps", "face", "smoothing", "gap", "least")
    chosen = asdict(settings)
    label = {} if settings.class_label is None else {"class_label": settings.class_label}
    return {
        "version": 1,
        "video": digest_of(path),
        "generator": components.generator.fingerprint,
        "detector": components.detector.name,
        "settings": {name: chosen[name] for name in names} | label,
    }


def _edit(direction: Direction, strength: float, settings: VideoEditSettings) -> dict[str, Any]:
    """What the finished frames depend on besides."""
    channels = () if direction.channels is None else (direction.channels.indices, direction.channels.scales)
    parts = [np.ascontiguousarray(part).tobytes() for part in (direction.vector, *channels)]
    return {
        "direction": hashlib.sha256(b"".join(parts)).hexdigest(),
        "layers": None if direction.layers is None else list(direction.layers),
        "strength": strength,
        "pasting": asdict(settings.pasting),
        "fade": settings.fade,
    }


def _latents(
    path: Path,
    about: VideoFacts,
    seen: Seen,
    components: Components,
    settings: VideoEditSettings,
    state: VideoState,
    progress: bool | Stage,
) -> list[FilmedFace]:
    """Find the latents of all clips."""
    resolution = min(settings.clip.base.phases[-1].resolution, components.generator.resolution)
    missing = [k for k in range(len(seen.clips)) if not is_done(state.clip(k), settings)]
    crops = dict(zip(missing, crops_of(path, about, [seen.clips[k] for k in missing], resolution), strict=True))
    return [
        find_latents(clip, crops.pop(k, None), components, settings, state.clip(k), progress)
        for k, clip in enumerate(seen.clips)
    ]


def _strength(
    faces: Sequence[FilmedFace],
    direction: Direction,
    goal: float | ScoreTarget,
    components: Components,
    settings: VideoEditSettings,
    attribute: str,
) -> tuple[float, str]:
    """The strength; where it is searched for, what it did to the middle frame of the longest clip."""
    if not isinstance(goal, ScoreTarget):
        return goal, ""
    face = max(faces, key=lambda face: len(face.clip))
    found = strength_for(
        face.ws[[face.clip.middle]],
        direction,
        goal,
        Renderer(face.generator, face.generator.resolution),
        components.scorer,
        attribute,
        settings.search or photo_search(),
        progress=False,
    )
    return float(found.strengths[0]), found.describe()[0]


def _numbered(
    path: Path, about: VideoFacts, faces: Sequence[FilmedFace]
) -> Iterator[tuple[int, Tensor, tuple[int, int] | None]]:
    """Frames with their numbers, and for those of a clip its number and the index in it."""
    place = {number: (k, index) for k, face in enumerate(faces) for index, number in enumerate(face.clip.frames)}
    with closing(read_frames(path, about.fps)) as frames:
        for number, frame in enumerate(frames):
            yield number, frame, place.get(number)


def _paste(
    path: Path,
    about: VideoFacts,
    faces: Sequence[FilmedFace],
    pasters: Callable[[FilmedFace], ClipPaster],
    state: VideoState,
    progress: bool | Stage,
) -> None:
    """Edit the frames of all clips, and keep the edited part of each; those that are there already are passed over."""
    total, done = sum(len(face.clip) for face in faces), 0
    paster: tuple[int, ClipPaster] | None = None
    with stage_of(progress)("editing", "frame") as step:
        for number, frame, place in _numbered(path, about, faces):
            if place is None:
                continue
            (k, index), kept = place, state.frame(number)
            if not kept.exists():
                if paster is None or paster[0] != k:
                    paster = k, pasters(faces[k])
                geometry = geometry_of(faces[k].clip, index, faces[k].generator.resolution, frame)
                rows, columns = edited_part(geometry)
                images.save_image(paster[1].paste(index, frame, geometry)[:, :, rows, columns], kept)
            done += 1
            step(done, total)


def _write(
    path: Path,
    about: VideoFacts,
    faces: Sequence[FilmedFace],
    components: Components,
    state: VideoState,
    out: Path,
    progress: bool | Stage,
) -> tuple[ClipReport, ...]:
    """Write the video, with the edited parts in its frames; what they measure."""
    small = why_undescribed(components.generator.resolution)
    measures = [ClipMeasurement(face, None if small else components.descriptor) for face in faces]
    with (
        stage_of(progress)("writing", "frame") as step,
        mp4_writer(out, about.fps, path if about.sound else None) as write,
    ):
        for number, frame, place in _numbered(path, about, faces):
            if place is not None:
                k, index = place
                geometry = geometry_of(faces[k].clip, index, faces[k].generator.resolution, frame)
                rows, columns = edited_part(geometry)
                edited = frame.clone()
                edited[:, :, rows, columns] = images.load_image(state.frame(number))
                measures[k].add(index, frame, edited)
                frame = edited
            write(to_array(frame))
            step(number + 1, max(about.frames, number + 1))
    return tuple(measure.result() for measure in measures)
