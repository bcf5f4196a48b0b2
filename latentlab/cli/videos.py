"""`latentlab edit --video`: the job on a video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from latentlab.cli import options
from latentlab.errors import UserError
from latentlab.progress import bar

if TYPE_CHECKING:
    from latentlab.directions import Direction
    from latentlab.pipelines import Components, VideoEditSettings
    from latentlab.pipelines.photos import Pasting
    from latentlab.pipelines.photos.settings import Face


def check_out(out: Path, video: Path, state: Path | None) -> Path:
    """Return the file of the result; UserError if it, or the folder of the state, cannot be there."""
    options.check_file(out, [video])
    if state is not None:
        options.check_folder(state)
    return out


def edit_settings(
    steps: int | None,
    tune: bool,
    face: Face,
    attribute: str | None,
    target: float | None,
    cap: float | None,
    pasting: Pasting,
    force: bool,
    state: Path | None,
) -> VideoEditSettings:
    """The settings of `latentlab edit --video`."""
    if face == "all":
        raise UserError("a video is edited face by face: give --face 1, and the result again with --face 2")
    from latentlab.pipelines import StrengthSettings, VideoEditSettings

    default = VideoEditSettings()
    base = default.clip.base if steps is None else default.clip.base.shortened(steps)
    return replace(
        default,
        clip=replace(default.clip, base=base),
        tuning=default.tuning if tune else None,
        face=face,
        attribute=attribute,
        target=target,
        search=None if cap is None else StrengthSettings(cap),
        pasting=pasting,
        force=force,
        state=state,
        command=options.this_command(),
    )


def edit_video(
    video: Path,
    direction: Direction,
    strength: float | None,
    components: Components,
    settings: VideoEditSettings,
    out: Path,
) -> None:
    """Edit a video and print what became of it."""
    from latentlab import pipelines

    result = pipelines.edit_video(video, direction, strength, components, settings, out, bar)
    print(f"\n{video}: {result.frames} frames, {direction.attribute} {result.strength:+.3g}")
    for line in result.describe():
        print(line)
    print(f"written to {result.path}, the report to {result.report}")
