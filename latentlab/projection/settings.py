"""Settings of projection and tuning: phases, losses, when to stop; the published schedules and the defaults."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from latentlab.errors import UserError
from latentlab.schemas import checked

ProjectionSpace = Literal["w", "w+", "s"]
Start = Literal["auto", "average", "best", "encoder"]

# Earlier names in files of settings and of stopped runs, which are still read.
_EARLIER_NAMES = {"side": "resolution", "pictures, codes, noise or mask": "images, latents, noise or mask"}


def with_present_names(data: Any) -> Any:
    """What JSON held, with the earlier names of settings replaced by today's."""
    if isinstance(data, dict):
        return {_EARLIER_NAMES.get(name, name): with_present_names(value) for name, value in data.items()}
    return [with_present_names(value) for value in data] if isinstance(data, list) else data


def _as_json(settings: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return data


@dataclass(frozen=True)
class Phase:
    """Steps under the same conditions.

    Attributes
    ----------
    steps
        Largest number of steps.
    learning_rate
        Adam's learning rate at its peak.
    resolution
        Resolution at which images are compared, area-averaged.
    rampup, rampdown
        The shares of the steps in which the learning rate rises linearly from 0 and falls along a cosine to 0.
    w_noise
        Strength, in sigmas of w, of the noise that is added to the latent to search more widely.
    w_noise_until
        The share of the steps after which that noise, which falls as the square of the steps left, is 0.
    """

    steps: int
    learning_rate: float = 0.1
    resolution: int = 256
    rampup: float = 0.05
    rampdown: float = 0.25
    w_noise: float = 0.0
    w_noise_until: float = 0.75

    def __post_init__(self) -> None:
        if self.steps < 1 or self.resolution < 16 or not self.learning_rate > 0:
            raise UserError(f"a phase takes a step, 16 pixels and a positive learning rate at least, unlike {self}")

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of `step` (0 … steps − 1): linear ramp-up, cosine ramp-down (Karras et al. 2020, D)."""
        t = step / self.steps
        ramp = min(1.0, (1.0 - t) / self.rampdown) if self.rampdown else 1.0
        ramp = 0.5 - 0.5 * math.cos(ramp * math.pi)
        return self.learning_rate * ramp * (min(1.0, t / self.rampup) if self.rampup else 1.0)

    def w_noise_at(self, step: int) -> float:
        r"""Strength of the noise on w at `step`, in sigmas (Karras et al. 2020, D).

        .. math:: \mathrm{strength} \cdot \max(0, 1 - t / t_\text{until})^2
        """
        return self.w_noise * max(0.0, 1.0 - step / self.steps / self.w_noise_until) ** 2


@dataclass(frozen=True)
class ProjectionSettings:
    r"""Everything that decides the result of a projection, except the images and the generator.

    The loss of an image is

    .. math::

        \mathrm{LPIPS} + \lambda_\text{pixel} \cdot \mathrm{MSE} + \lambda_\text{spread} \cdot \mathrm{spread}
        + \lambda_\text{mesh} \cdot \mathrm{mesh} + \lambda_\text{noise} \cdot R

    where spread is the mean square, in sigmas of w, by which the rows of ws differ from their mean (0 in W; for S that
    of the styles from where they started), and R the regulariser of the noise maps.

    Attributes
    ----------
    space
        'w': one w for all rows; 'w+': one for each row; 's': the styles themselves.
    phases
        The phases, one after the other.
    pixel_weight
        Weight of the mean squared error of images in [-1, 1].
    spread_weight
        Weight of the spread, which keeps the latent near those that the generator was trained on, where edits work.
    mesh_weight
        Weight of the pattern that averaging hides from the other terms, see `latentlab.projection.mesh`.
    noise_maps
        'optimised' along with the latent, or 'fixed' to the generator's own.
    noise_weight
        Weight of the regulariser that keeps image content out of the noise maps.
    turn_every
        Number of steps after which Adam's axes are turned, each time, to those on which the gradients so far are
        uncorrelated; None never turns them. See `latentlab.projection.adam`.
    patience, tolerance
        An image's phase ends when its loss has not fallen by the share `tolerance` within `patience` steps;
        None: never before its last step.
    seed
        Random seed.
    """

    space: ProjectionSpace
    phases: tuple[Phase, ...]
    pixel_weight: float = 0.0
    spread_weight: float = 0.0
    mesh_weight: float = 0.0
    noise_maps: Literal["optimised", "fixed"] = "fixed"
    noise_weight: float = 1e5
    turn_every: int | None = None
    patience: int | None = None
    tolerance: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if self.space not in get_args(ProjectionSpace):
            raise UserError(f"the space must be one of {', '.join(get_args(ProjectionSpace))}, not {self.space!r}")
        if self.turn_every is not None and self.turn_every < 1:
            raise UserError(f"turn_every must be 1 or more, or None, not {self.turn_every}")
        if not self.phases:
            raise UserError("a projection takes at least one phase")

    @property
    def steps(self) -> int:
        """Largest number of steps for an image."""
        return sum(phase.steps for phase in self.phases)

    def shortened(self, steps: int) -> ProjectionSettings:
        """These settings with about `steps` steps in all: every phase in proportion, and of one step at least."""
        if steps < len(self.phases):
            raise UserError(f"this recipe has {len(self.phases)} phases: it takes that many steps, not {steps}")
        share = steps / self.steps
        phases = tuple(replace(phase, steps=max(1, round(phase.steps * share))) for phase in self.phases)
        return replace(self, phases=phases)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON holds them."""
        return _as_json(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ProjectionSettings:
        """Make settings from what `as_dict` gave, now or in earlier versions."""
        return checked(with_present_names(data), cls, "these are no settings of a projection", closed=True)


PUBLISHED_W = ProjectionSettings(
    space="w", phases=(Phase(steps=1000, learning_rate=0.1, w_noise=0.05),), noise_maps="optimised"
)
"""The projector of Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", appendix D."""

PUBLISHED_W_PLUS = ProjectionSettings(
    space="w+", phases=(Phase(steps=5000, learning_rate=0.01, rampup=0, rampdown=0),), pixel_weight=1.0
)
"""Abdal et al. 2019, "Image2StyleGAN": 5000 steps of Adam at 0.01 from w_avg, perceptual and pixel loss. LPIPS
stands for the paper's plain differences of four VGG16 layers."""

PUBLISHED: dict[ProjectionSpace, ProjectionSettings] = {"w": PUBLISHED_W, "w+": PUBLISHED_W_PLUS}
"""The published recipe of each space that has one; both start from the average."""


# Chosen on photos of people whom benchmarks/projection.py leaves out, all in full: a latent that is found through
# previews looks worse when it is rendered in full, since the search exploits what the preview head gets wrong.
# Without the weight on the spread, turned axes find latents that look a little nearer but lie much
# farther from w_avg, and an edit of them keeps less of the person and smiles less.
# The weight on the mesh brings it down to what the generator's own images have, and costs no nearness.
def _recipe(space: ProjectionSpace, steps: int, learning_rate: float = 0.1) -> ProjectionSettings:
    phases = (Phase(steps=steps, learning_rate=learning_rate, rampdown=0.7),)
    return ProjectionSettings(space, phases, pixel_weight=1.0, spread_weight=0.01, mesh_weight=30.0, turn_every=20)


DEFAULTS: dict[ProjectionSpace, ProjectionSettings] = {
    space: _recipe(space, 280) for space in get_args(ProjectionSpace)
}
"""Default settings of each space, where the latent is all that is found."""

BEFORE_REFINEMENT: dict[ProjectionSpace, ProjectionSettings] = {"w": _recipe("w", 80), "w+": _recipe("w+", 80)}
"""Default settings where inner features are refined afterwards, by `REFINEMENT`: what more steps of the search would
bring nearer, the refinement brings nearer in less time."""

# So few steps cannot mend what large ones distort: the guess is moved gently, and the refinement does the rest.
FAST: dict[ProjectionSpace, ProjectionSettings] = {"w": _recipe("w", 8, 0.04), "w+": _recipe("w+", 8, 0.04)}
"""A quick look: as far as seconds on a CPU go, before `FAST_REFINEMENT`."""


@dataclass(frozen=True)
class TuningSettings:
    r"""Everything that decides the result of a tuning, except the images, their latents and the two networks.

    The loss is the mean over the images of LPIPS + pixel_weight · MSE + mesh_weight · mesh (see
    `latentlab.projection.mesh`; in all channels and of twice the period if weights change), the first two at
    `resolution` pixels and of images in [-1, 1]; plus locality_weight times that loss between what the tuned and the
    original generator make of

    .. math:: w_r = w_p + \mathrm{distance} \cdot \frac{w_z - w_p}{\lVert w_z - w_p\rVert}

    where :math:`w_p` is the latent of an image, each in its turn, and :math:`w_z` a random one at psi `locality_psi`,
    a new one at each step (the paper's section 3.2; norms over all rows).

    Attributes
    ----------
    rank
        Rank of the change of a large weight; None changes every weight whole, which takes as much room as the network.
    affines
        Whether the maps from w to styles change too.
    weights
        Whether weights change at all.
    last_block
        Whether those of the last block and of the layer after it change, which draw what is finer than `resolution`,
        and so what the comparison does not see. They do in any case where the generator draws nothing finer.
    features
        Resolution of the inner features that get a residual, see `latentlab.projection.features`; None for none.
    feature_rate, feature_penalty
        Learning rate of the residual, in root mean squares of the features, and weight of its mean square in their
        squares.
    steps
        Largest number of steps.
    learning_rate
        Adam's learning rate of weights at its peak; in units of each weight's root mean square if `relative`.
    relative
        Whether every weight changes by an equal share: weights of networks differ a hundredfold in size. A weight
        that is 0 everywhere then stays so.
    beta2
        Adam's beta for the mean of squared gradients; its first beta is 0.9.
    rampup, rampdown
        The shares of the steps in which the learning rate rises linearly and falls along a cosine. A quick rise
        throws away what the projection had reached, and other identities with it.
    stop_at
        LPIPS at which the tuning ends: when no image's is above this. It always takes all its steps where each of them
        takes some of the images.
    images_per_step
        How many of the images, taken in turns, a step's gradients are computed from; None for all.
    pixel_weight, mesh_weight, resolution
        See above; `resolution` is also that of all figures.
    locality_weight, locality_distance, locality_psi
        See above. The term holds back the drift, which spoils edits; weight 0 leaves it out and halves the time of a
        step with one image.
    drift_seeds, drift_psi
        The other identities on which the drift is measured; the regulariser never sees them.
    seed
        Random seed.
    """

    rank: int | None = 32
    affines: bool = False
    weights: bool = True
    last_block: bool = False
    features: int | None = None
    feature_rate: float = 0.05
    feature_penalty: float = 0.01
    steps: int = 80
    learning_rate: float = 0.004
    relative: bool = True
    beta2: float = 0.99
    rampup: float = 0.4
    rampdown: float = 0.6
    stop_at: float = 0.03
    images_per_step: int | None = None
    pixel_weight: float = 1.0
    mesh_weight: float = 30.0
    resolution: int = 256
    locality_weight: float = 0.0
    locality_distance: float = 30.0
    locality_psi: float = 0.5
    drift_seeds: tuple[int, ...] = tuple(range(90_000, 90_004))
    drift_psi: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.rank is not None and self.rank < 1) or self.steps < 0 or not self.learning_rate > 0:
            raise UserError(f"tuning takes a rank of 1, 0 steps and a positive learning rate at least, unlike {self}")
        if not (0 <= self.rampup <= 1 and 0 <= self.rampdown <= 1):
            raise UserError(f"rampup and rampdown are shares of the steps, not {self.rampup:g} and {self.rampdown:g}")
        if not self.weights and self.features is None:
            raise UserError("a tuning changes weights, features, or both")
        if self.images_per_step is not None and self.images_per_step < 1:
            raise UserError(f"a step of a tuning takes 1 image at least, not {self.images_per_step}")
        if not self.drift_seeds:
            raise UserError("the drift is measured on one seed at least")

    def for_resolution(self, resolution: int) -> TuningSettings:
        """These settings for a generator of this resolution: no features above half of it are refined."""
        return self if self.features is None else replace(self, features=min(self.features, resolution // 2))

    def ramp_at(self, step: int) -> float:
        """Share of the learning rates at `step` (0 … steps − 1)."""
        rise = min(1.0, (step + 1) / (self.rampup * self.steps)) if self.rampup else 1.0
        left = min(1.0, (1 - step / self.steps) / self.rampdown) if self.rampdown else 1.0
        return rise * (0.5 - 0.5 * math.cos(math.pi * left))

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON holds them."""
        return _as_json(self)


REFINEMENT = TuningSettings(
    weights=False,
    features=32,
    steps=80,
    rampup=0.1,
    rampdown=0.5,
    stop_at=0.02,
    drift_seeds=(90_000,),
)
"""The default for photos: inner features alone, which takes half the time of a step of weights, comes nearer, and
leaves the edits of the latent as they are."""

FAST_REFINEMENT = replace(REFINEMENT, steps=13, feature_rate=0.1, pixel_weight=30.0)
"""The end of a quick look. LPIPS alone leaves blotches on skin in so few steps; pixels tell the colours."""

PTI = TuningSettings(
    rank=None,
    affines=True,
    last_block=True,
    mesh_weight=0.0,
    steps=350,
    learning_rate=3e-4,
    relative=False,
    beta2=0.999,
    locality_weight=0,
    rampup=0,
    rampdown=0,
    stop_at=0.06,
)
"""The published recipe, which uses LPIPS with AlexNet. Its delta has every weight: 15 MB for `mobile-ffhq`, 57 MB
for config F at 1024²."""
