"""How videos are edited."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from latentlab.errors import UserError
from latentlab.pipelines.photos.settings import Pasting
from latentlab.pipelines.strengths import StrengthSettings
from latentlab.pipelines.targets import ScoreTarget
from latentlab.projection import TuningSettings
from latentlab.projection.clips import ClipSettings


@dataclass(frozen=True)
class VideoEditSettings:
    """How the face in a video is followed, projected, edited and pasted back.

    Attributes
    ----------
    clip
        How latents that move smoothly are found.
    tuning
        Recipe by which the generator is tuned once for all frames of a clip; its steps are those below. None leaves the
        generator as it is.
    tuning_frames
        The most frames of a clip that it sees, evenly spaced.
    tuning_steps
        Steps for each of these frames.
    face
        Which face of each shot: 1 is the largest over all its frames, 2 the next.
    smoothing
        Standard deviation, in seconds, of the kernel that landmarks, crops and masks are smoothed with over time, see
        `latentlab.pipelines.videos.smoothing`.
    gap
        Seconds for which a face may be missed and is still filled in.
    fade
        Seconds over which the edit comes and goes where the face is lost for longer, in the middle of a shot.
    least
        Fewest frames of a clip; shorter ones stay as they are.
    attribute
        Score that targets refer to; None for the one that taught the direction, see
        `latentlab.pipelines.scoring.scored_by`.
    target
        Score to bring the middle frame of the longest clip to; its strength is that of all frames. None where a
        strength is given; without one, for the end of `PHOTO_TARGETS` towards which the direction leads, where the
        score is the probability of what it moves, and else for the end of the direction's range.
    search
        How that strength is searched for; None for a cap of 1.5 times the end of the direction's range.
    pasting
        How the edited face is put back into the frames.
    force
        Whether to apply a direction to a generator that it was not learnt on.
    class_label
        Class of a conditional generator, from 0, near whose latents to search; None for all of its classes together.
    state
        Folder of the work, where a stopped run resumes. None for a folder beside the result, which is removed when the
        video is done; a folder that is given stays, and another strength or direction starts from the latents in it.
    command
        How the job was started, for the report.

    Raises
    ------
    UserError
        If a number is out of range.
    """

    clip: ClipSettings = ClipSettings()
    tuning: TuningSettings | None = TuningSettings(images_per_step=1)
    tuning_frames: int = 48
    tuning_steps: float = 6.0
    face: int = 1
    smoothing: float = 0.08
    gap: float = 0.4
    fade: float = 0.2
    least: int = 3
    attribute: str | None = None
    target: float | ScoreTarget | None = None
    search: StrengthSettings | None = None
    pasting: Pasting = Pasting()
    force: bool = False
    class_label: int | None = None
    state: Path | None = None
    command: str = "latentlab.pipelines.edit_video"

    def __post_init__(self) -> None:
        if self.face < 1:
            raise UserError(f"faces are counted from 1, the largest, not {self.face}")
        for name in ("smoothing", "gap", "fade"):
            seconds = getattr(self, name)
            if not 0 <= seconds < math.inf:
                raise UserError(f"{name} is a number of seconds, 0 or more, not {seconds:g}")
        if self.least < 1 or self.tuning_frames < 1 or not 0 < self.tuning_steps < math.inf:
            raise UserError("a clip has 1 frame at least, and a tuning takes 1 frame and some steps for it at least")
