"""How a projection goes: its phases, what it minimises, when it stops; the published schedules and the default."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from latentlab.errors import UserError

Space = Literal["w", "w+", "s"]


@dataclass(frozen=True)
class Phase:
    """Some steps under the same conditions.

    Attributes
    ----------
    steps
        The most steps it takes.
    learning_rate
        Of Adam, at its height.
    side
        Pictures are compared at this many pixels a side, area-averaged.
    rampup, rampdown
        The shares of the steps in which the learning rate rises linearly from 0 and falls along a cosine to 0.
    w_noise
        Strength, in sigmas of w, of the noise that is added to the code to search more widely.
    w_noise_until
        The share of the steps after which that noise, which falls as the square of the way left, is 0.
    """

    steps: int
    learning_rate: float = 0.1
    side: int = 256
    rampup: float = 0.05
    rampdown: float = 0.25
    w_noise: float = 0.0
    w_noise_until: float = 0.75

    def __post_init__(self) -> None:
        if self.steps < 1 or self.side < 16 or not self.learning_rate > 0:
            raise UserError(f"a phase takes a step, 16 pixels and a positive learning rate at least, unlike {self}")

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of `step` (0 … steps − 1): linear ramp-up, cosine ramp-down (Karras et al. 2020, D)."""
        t = step / self.steps
        ramp = min(1.0, (1.0 - t) / self.rampdown) if self.rampdown else 1.0
        ramp = 0.5 - 0.5 * math.cos(ramp * math.pi)
        return self.learning_rate * ramp * (min(1.0, t / self.rampup) if self.rampup else 1.0)

    def w_noise_at(self, step: int) -> float:
        """Strength of the noise on w at `step`, in sigmas: w_noise · max(0, 1 − t / until)² (the same)."""
        return self.w_noise * max(0.0, 1.0 - step / self.steps / self.w_noise_until) ** 2


@dataclass(frozen=True)
class ProjectionSettings:
    """Everything that decides about the result of a projection, but the pictures and the generator.

    The loss of a picture is LPIPS + pixel_weight · MSE + spread_weight · spread + noise_weight · R, where spread is
    the mean square, in sigmas of w, by which the rows of ws differ from their mean (0 in W; for S that of the
    styles from where they started), and R the regulariser of the noise maps.

    Attributes
    ----------
    space
        'w': one w for all rows; 'w+': a row each; 's': the styles themselves.
    phases
        One after the other.
    pixel_weight
        Of the mean squared error of pictures in [-1, 1].
    spread_weight
        Of what keeps the code near those that the generator was trained on, where edits work.
    noise_maps
        'optimised' along with the code, or 'fixed' to the generator's own.
    noise_weight
        Of the regulariser that keeps pictures out of the noise maps.
    turn_every
        After so many steps each, Adam's axes are turned to those on which the gradients so far are uncorrelated;
        None: they never are. See `latentlab.projection.adam`.
    patience, tolerance
        A picture's phase ends when its loss has not fallen by the share `tolerance` within `patience` steps;
        None: never before its last step.
    seed
        Of all that is random.
    """

    space: Space
    phases: tuple[Phase, ...]
    pixel_weight: float = 0.0
    spread_weight: float = 0.0
    noise_maps: Literal["optimised", "fixed"] = "fixed"
    noise_weight: float = 1e5
    turn_every: int | None = None
    patience: int | None = None
    tolerance: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if self.space not in get_args(Space):
            raise UserError(f"a projection's space is one of {', '.join(get_args(Space))}, not {self.space!r}")
        if self.turn_every is not None and self.turn_every < 1:
            raise UserError(f"turn_every is 1 or more, or None, not {self.turn_every}")
        if not self.phases:
            raise UserError("a projection takes at least one phase")

    @property
    def steps(self) -> int:
        """The most steps a picture takes."""
        return sum(phase.steps for phase in self.phases)

    def shortened(self, steps: int) -> ProjectionSettings:
        """The same with about `steps` steps in all, every phase in proportion and of one step at least."""
        if steps < len(self.phases):
            raise UserError(f"this recipe has {len(self.phases)} phases: it takes that many steps, not {steps}")
        share = steps / self.steps
        phases = tuple(replace(phase, steps=max(1, round(phase.steps * share))) for phase in self.phases)
        return replace(self, phases=phases)

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ProjectionSettings:
        """What `as_dict` gave."""
        phases = tuple(Phase(**phase) for phase in data["phases"])
        return cls(**{**data, "phases": phases})


PUBLISHED_W = ProjectionSettings(
    space="w", phases=(Phase(steps=1000, learning_rate=0.1, w_noise=0.05),), noise_maps="optimised"
)
"""The projector of Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", appendix D."""

PUBLISHED_W_PLUS = ProjectionSettings(
    space="w+", phases=(Phase(steps=5000, learning_rate=0.01, rampup=0, rampdown=0),), pixel_weight=1.0
)
"""Abdal et al. 2019, "Image2StyleGAN": 5000 steps of Adam at 0.01 from w_avg, perceptual and pixel loss. LPIPS
stands for the paper's plain differences of four VGG16 layers."""

PUBLISHED: dict[Space, ProjectionSettings] = {"w": PUBLISHED_W, "w+": PUBLISHED_W_PLUS}
"""The published recipe of each space that has one; both start from the average."""

# Chosen on photos of persons whom benchmarks/projection.py leaves out, all in full: a code that is found through
# previews looks worse when it is rendered in full, for the search exploits what the preview head gets wrong.
# Without the weight on the spread, turned axes find codes that look a little nearer but lie much
# farther from w_avg, and an edit of them keeps less of the person and smiles less.
_PHASES = (Phase(steps=280, learning_rate=0.1, rampdown=0.7),)

DEFAULTS: dict[Space, ProjectionSettings] = {
    space: ProjectionSettings(space=space, phases=_PHASES, pixel_weight=1.0, spread_weight=0.01, turn_every=20)
    for space in get_args(Space)
}
"""The settings of each space that `project` takes when it is given none."""
