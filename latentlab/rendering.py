"""A generator at one of its resolutions: what turns ws into the pictures that are scored and shown."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from latentlab.errors import UserError
from stylegan2.protocol import Generator, NoiseMode


@dataclass(frozen=True)
class Renderer:
    """ws `(b, num_ws, w_dim)` to pictures `(b, 3, resolution, resolution)`.

    Attributes
    ----------
    generator
        What renders.
    resolution
        One of the generator's `resolutions`.
    noise_mode
        As synthesis takes it.

    Raises
    ------
    UserError
        If the generator does not render at `resolution`.
    """

    generator: Generator
    resolution: int
    noise_mode: NoiseMode = "const"

    def __post_init__(self) -> None:
        offered = self.generator.resolutions
        if self.resolution not in offered:
            sides = ", ".join(str(side) for side in offered)
            raise UserError(f"this generator renders at {sides} pixels, not at {self.resolution}")

    def __call__(self, ws: Tensor) -> Tensor:
        """Pictures in about [-1, 1]."""
        return self.generator.synthesis(ws, noise_mode=self.noise_mode, resolution=self.resolution)
