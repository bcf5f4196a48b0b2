"""What is measured of a generator, and of how many images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latentlab.errors import UserError
from latentlab.pipelines.metrics.names import AGAINST_REAL, DCI, PATHS, SEPARABILITY, select
from latentlab.samples import check_psi

_LEAST = 2


@dataclass(frozen=True)
class GeneratorMetricSettings:
    """Which metrics of a generator are measured, and of how many images.

    The defaults are for a first look on a few cores. Published values use 50 000 pairs for path lengths, 50 000 images
    for FID, precision and recall, and 200 000 for separability, all untruncated (psi 1) and at the full resolution.

    Attributes
    ----------
    metrics
        Names, or their beginnings: 'ppl-w' is 'ppl-w-full' and 'ppl-w-end'; see
        `latentlab.pipelines.metrics.GENERATOR_METRICS`. Empty for all; those that need real images are then unknown
        where none are given.
    pairs
        Pairs of images of each path length.
    samples
        Images of all other metrics.
    seed_start
        First seed.
    psi
        Truncation, above 0 up to 2.
    resolution
        Resolution of the images; None for the generator's own.
    face_crop
        Whether path lengths compare only the face, in images in FFHQ's crop, as published values do.
    class_label
        Class of a conditional generator, from 0; None for an unconditional one.
    real
        Folder of real images, cropped as the generated ones are; None for none.

    Raises
    ------
    UserError
        If a name is unknown, a number out of range, or a metric that needs real images is asked for by name and none
        are given.
    """

    metrics: tuple[str, ...] = ()
    pairs: int = 100
    samples: int = 1000
    seed_start: int = 0
    psi: float = 1.0
    resolution: int | None = None
    face_crop: bool = True
    class_label: int | None = None
    real: Path | None = None

    def __post_init__(self) -> None:
        if self.metrics and self.of_sets and self.real is None:
            raise UserError(f"{', '.join(self.of_sets)} compare with real images: give a folder of them, with --real")
        check_psi(self.psi)
        for name in ("pairs", "samples"):
            if getattr(self, name) < _LEAST:
                raise UserError(f"{name} must be {_LEAST} or more, not {getattr(self, name)}")
        last = self.seed_start + max(2 * self.pairs, self.samples) - 1
        if self.seed_start < 0 or last >= 2**32:
            raise UserError(f"seeds must lie in 0 … {2**32 - 1}, not {self.seed_start} … {last}")

    @property
    def chosen(self) -> tuple[str, ...]:
        """Full names of the metrics."""
        return select(self.metrics)

    @property
    def of_paths(self) -> tuple[str, ...]:
        """Those that are path lengths."""
        return tuple(name for name in self.chosen if name in PATHS)

    @property
    def of_attributes(self) -> tuple[str, ...]:
        """Those of latents and attributes: separability and DCI."""
        return tuple(name for name in self.chosen if name in (*SEPARABILITY, *DCI))

    @property
    def of_sets(self) -> tuple[str, ...]:
        """Those that compare with real images."""
        return tuple(name for name in self.chosen if name in AGAINST_REAL)
