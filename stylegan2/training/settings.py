"""Settings of a generator's training: all that determines its result besides the networks and the images."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

from stylegan2.config import check_counts, check_real, check_resolution
from stylegan2.describing import describe

Objective: TypeAlias = Literal["logistic", "wgan-gp"]
Augment: TypeAlias = Literal["none", "adaptive"] | float
Precision: TypeAlias = Literal["float32", "bfloat16"]
_LARGEST = 1 << 40


@dataclass(frozen=True)
class Growth:
    """When a network that grows gets its levels (Karras et al. 2018, section 3).

    Attributes
    ----------
    start
        Resolution that the training begins at.
    stay, fade
        Images that each level is trained on as it is, and over which the next one fades in.
    """

    start: int = 8
    stay: int = 600_000
    fade: int = 600_000

    def __post_init__(self) -> None:
        check_resolution(self.start, 4)
        check_counts(self, {"stay": 0, "fade": 1})

    def lod(self, images: int, resolution: int) -> float:
        """Level of detail of networks for images of `resolution` after so many images, 0 when they have grown."""
        levels = resolution.bit_length() - self.start.bit_length()
        whole, rest = divmod(images, self.stay + self.fade)
        return max(0.0, levels - whole - max(0, rest - self.stay) / self.fade)


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run; the defaults are those of StyleGAN2 with adaptive augmentation.

    Attributes
    ----------
    images
        Real images that the discriminator is shown in total; papers count them in thousands ("kimg").
    batch_size
        Images of a step, over all processes.
    passes
        Forward passes that a step is split into, in each process, where memory is short.
    learning_rate, betas
        Those of Adam, before the correction for lazy regularisation.
    discriminator_rate
        Learning rate of the discriminator in units of that of the generator.
    objective
        'logistic', the non-saturating one (Goodfellow et al. 2014), or 'wgan-gp' (Gulrajani et al. 2017) with
        Progressive GAN's drift term.
    r1_gamma, r1_every
        Weight of the R1 penalty (Mescheder et al. 2018; 0: none), and steps between its uses.
    path_weight, path_every
        Weight of the path length penalty (Karras et al. 2020, section 3.2; 0: none), and steps between its uses.
    style_mixing
        Share of generated images whose later rows of ws come from a second z.
    ema_images
        Images after which half of a weight has left the moving average of the generator's weights, which is what is
        kept.
    ema_rampup
        Largest such number as a share of the images seen, so that the average forgets the beginning; None for no bound.
    augment
        Probability of each augmentation of what the discriminator sees: 'none', a number up to 1, or 'adaptive' (Karras
        et al. 2020, "Training Generative Adversarial Networks with Limited Data").
    pipeline
        Which augmentations, see `stylegan2.training.augmentation`.
    augment_target, augment_images
        Adaptive: the mean sign of the discriminator's answers to real images that is aimed at, and the images over
        which the probability can go from 0 to 1.
    mirror
        Whether each real image is shown mirrored with even odds.
    freeze
        Layers of the discriminator that are not trained, counted from the image (Mo et al. 2020, "Freeze the
        Discriminator").
    growth
        When networks that grow get their levels; None for networks that are trained at their full resolution.
    precision
        Type of the features in the main passes; regularisers compute in float32.
    seed
        Seed of all that is random.
    """

    images: int
    batch_size: int = 32
    passes: int = 1
    learning_rate: float = 0.0025
    betas: tuple[float, float] = (0.0, 0.99)
    discriminator_rate: float = 1.0
    objective: Objective = "logistic"
    r1_gamma: float = 10.0
    r1_every: int = 16
    path_weight: float = 2.0
    path_every: int = 4
    style_mixing: float = 0.9
    ema_images: float = 10_000.0
    ema_rampup: float | None = 0.05
    augment: Augment = "none"
    pipeline: str = "bgc"
    augment_target: float = 0.6
    augment_images: int = 500_000
    mirror: bool = False
    freeze: int = 0
    growth: Growth | None = None
    precision: Precision = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(self, dict.fromkeys(("batch_size", "passes", "r1_every", "path_every"), 1) | {"freeze": 0})
        for name in ("images", "augment_images"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _LARGEST:
                raise ValueError(f"{name} must be a whole number from 1 to {_LARGEST}, not {describe(value)}")
        if self.batch_size % self.passes:
            raise ValueError(f"a batch of {self.batch_size} does not divide into {self.passes} passes")
        self._check_numbers()
        self._check_names()

    def _check_numbers(self) -> None:
        for name in ("learning_rate", "discriminator_rate", "r1_gamma", "path_weight", "ema_images"):
            check_real(name, getattr(self, name))
        for name in ("style_mixing", "augment_target"):
            check_real(name, getattr(self, name), 0, 1)
        if self.ema_rampup is not None:
            check_real("ema_rampup", self.ema_rampup)
        if self.learning_rate == 0 or self.discriminator_rate == 0:
            raise ValueError("learning_rate and discriminator_rate must not be 0")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be two numbers from 0, below 1, not {describe(self.betas)}")

    def _check_names(self) -> None:
        for name, kind in (("objective", Objective), ("precision", Precision)):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} must be {' or '.join(get_args(kind))}, not {describe(getattr(self, name))}")
        if self.augment not in ("none", "adaptive"):
            if isinstance(self.augment, str):
                raise ValueError(f"augment must be none, adaptive or a probability, not {describe(self.augment)}")
            check_real("augment", self.augment, 0, 1)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return math.ceil(self.images / self.batch_size)

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON holds them."""
        return {**asdict(self), "betas": list(self.betas)}

    def ema_decay(self, images: int) -> float:
        """What is left of a weight in the moving average after a step, when `images` have been seen."""
        half = self.ema_images if self.ema_rampup is None else min(self.ema_images, self.ema_rampup * images)
        return float(0.5 ** (self.batch_size / half)) if half > 0 else 0.0
