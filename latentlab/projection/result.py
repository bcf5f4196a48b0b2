"""The result of a projection: latents, and what is needed to render them again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab import cards
from latentlab.errors import UserError
from latentlab.filling import check_fits
from latentlab.projection.search import LATENT
from latentlab.projection.settings import ProjectionSettings
from latentlab.rendering import Latents, Renderer, noise_maps_in, styles_in, ws_in
from stylegan2.describing import describe
from stylegan2.protocol import Generator

KIND = cards.Kind("latentlab.projection", 1, "a projection", "project again")


@dataclass(frozen=True)
class _Card:
    settings: dict[str, Any]
    generator: str


@dataclass(frozen=True, eq=False)
class Projection:
    """The latents of n images.

    Attributes
    ----------
    latents
        The latents by name, on the CPU: "w" `(n, w_dim)`, "ws" `(n, num_ws, w_dim)`, or "style.LAYER"
        `(n, channels)`; and "noise.MAP" `(n, 1, r, r)` where the noise maps were optimised.
    settings
        Settings with which they were found.
    steps
        `(n,)` int64: number of steps taken.
    distances
        `(n,)` float32: LPIPS at the last phase's resolution, rendered in full.
    generator
        Fingerprint of the generator they belong to.
    """

    latents: Latents
    settings: ProjectionSettings
    steps: Tensor
    distances: Tensor
    generator: str

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        distances = ", ".join(f"{float(distance):.3f}" for distance in self.distances[:8])
        more = ", …" if len(self) > 8 else ""
        return f"Projection({len(self)} in {self.settings.space}, LPIPS {distances}{more}, of {self.generator[:12]}…)"

    def __getitem__(self, rows: list[int]) -> Projection:
        """Some of the images."""
        latents = {name: value[rows] for name, value in self.latents.items()}
        return Projection(latents, self.settings, self.steps[rows], self.distances[rows], self.generator)

    def ws(self, generator: Generator) -> Tensor:
        """Return ws `(n, num_ws, w_dim)` on the generator's device; UserError for space s, which has none."""
        ws = ws_in(self._on(generator), generator.num_ws)
        if ws is None:
            raise UserError("a projection into space s has styles and no ws: use render, or project into w+")
        return ws

    def styles(self) -> dict[str, Tensor]:
        """Return styles `(n, channels)` by layer: none unless the space is s."""
        return styles_in(self.latents)

    def noise(self) -> dict[str, Tensor]:
        """Return noise maps `(n, 1, r, r)` by the generator's names: none where they were fixed."""
        return noise_maps_in(self.latents)

    def render(self, generator: Generator) -> Tensor:
        """Render images `(n, 3, r, r)`; UserError if the generator is another one."""
        with torch.no_grad():
            return Renderer(generator, generator.resolution)(self._on(generator))

    def _on(self, generator: Generator) -> Latents:
        """The latents on the generator's device; UserError if they belong to another one."""
        if generator.fingerprint != self.generator:
            raise UserError("this projection belongs to another generator: its latents mean nothing to this one")
        return {name: value.to(generator.w_avg.device) for name, value in self.latents.items()}

    def save(self, path: str | Path) -> None:
        """Write the projection as safetensors, atomically; the settings are in the metadata."""
        tensors = {LATENT + name: value for name, value in self.latents.items()}
        tensors |= {"steps": self.steps, "distances": self.distances}
        cards.write(path, KIND, tensors, {"settings": self.settings.as_dict(), "generator": self.generator})

    @classmethod
    def load(cls, path: str | Path) -> Projection:
        """Read what `save` wrote; UserError if the file is missing, broken or something else."""
        tensors, card = cards.read(path, KIND, _Card)
        with cards.guard(path, KIND):
            settings = ProjectionSettings.from_dict(card.settings)
            latents = {name.removeprefix(LATENT): value for name, value in tensors.items() if name.startswith(LATENT)}
            figures = {name: tensors[name] for name in ("steps", "distances")}
            count = figures["distances"].numel()
            check_fits(figures, {"steps": torch.zeros(count, dtype=torch.int64), "distances": torch.zeros(count)})
            for name, value in latents.items():
                if value.ndim < 2 or len(value) != count or not value.is_floating_point():
                    raise UserError(f"{describe(name)} has not a row of numbers for each of {count} images")
            return cls(latents, settings, figures["steps"], figures["distances"], card.generator)
