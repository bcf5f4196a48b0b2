"""What a projection gives: codes, and what is needed to render them again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latentlab import cards
from latentlab.errors import UserError
from latentlab.projection.canvas import Canvas, Codes, noise_in, styles_in
from latentlab.projection.settings import ProjectionSettings
from stylegan2.protocol import Generator

KIND = cards.Kind("latentlab.projection", 1, "a projection", "project again")


@dataclass(frozen=True, eq=False)
class Projection:
    """The codes of n pictures.

    Attributes
    ----------
    codes
        By name, on the CPU: "w" `(n, w_dim)`, "ws" `(n, num_ws, w_dim)`, or "style.LAYER" `(n, channels)`; and
        "noise.MAP" `(n, 1, r, r)` where the noise maps were optimised.
    settings
        How they were found.
    steps
        `(n,)` int64: steps taken.
    distances
        `(n,)` float32: LPIPS at the last phase's side, rendered in full.
    generator
        Fingerprint of the generator they belong to.
    """

    codes: Codes
    settings: ProjectionSettings
    steps: Tensor
    distances: Tensor
    generator: str

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, rows: list[int]) -> Projection:
        """Some of the pictures."""
        codes = {name: value[rows] for name, value in self.codes.items()}
        return Projection(codes, self.settings, self.steps[rows], self.distances[rows], self.generator)

    def ws(self, generator: Generator) -> Tensor:
        """ws `(n, num_ws, w_dim)` on the generator's device; UserError for space s, which has none."""
        ws = self._canvas(generator).ws_of(self._on(generator))
        if ws is None:
            raise UserError("a projection into space s has styles and no ws; use render, or project into w+")
        return ws

    def styles(self) -> dict[str, Tensor]:
        """Styles `(n, channels)` by layer: none unless the space is s."""
        return styles_in(self.codes)

    def noise(self) -> dict[str, Tensor]:
        """Noise maps `(n, 1, r, r)` by the generator's names: none where they were fixed."""
        return noise_in(self.codes)

    def render(self, generator: Generator) -> Tensor:
        """Pictures `(n, 3, r, r)`; UserError if the generator is another one."""
        with torch.no_grad():
            return self._canvas(generator).render(self._on(generator))

    def _canvas(self, generator: Generator) -> Canvas:
        if generator.fingerprint != self.generator:
            raise UserError("this projection belongs to another generator: its codes mean nothing to this one")
        return Canvas(generator, self.settings.space)

    def _on(self, generator: Generator) -> Codes:
        return {name: value.to(generator.w_avg.device) for name, value in self.codes.items()}

    def save(self, path: str | Path) -> None:
        """Write it as safetensors, atomically; the settings are in the metadata."""
        tensors = {f"code.{name}": value for name, value in self.codes.items()}
        tensors |= {"steps": self.steps, "distances": self.distances}
        cards.write(path, KIND, tensors, {"settings": self.settings.as_dict(), "generator": self.generator})

    @classmethod
    def load(cls, path: str | Path) -> Projection:
        """Read what `save` wrote; UserError if it is missing, broken or something else."""
        tensors, card = cards.read(path, KIND)
        with cards.guard(path, KIND):
            settings = ProjectionSettings.from_dict(card["settings"])
            codes = {name[5:]: value for name, value in tensors.items() if name.startswith("code.")}
            return cls(codes, settings, tensors["steps"], tensors["distances"], card["generator"])
