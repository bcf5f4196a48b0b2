"""A generator's synthesis network with each picture's own noise maps, and codes of the space W, W+ or S."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from latentlab.errors import UserError
from latentlab.projection.settings import Space
from stylegan2.protocol import Generator

_NOISE = "noise."
_STYLE = "style."

# The free numbers of pictures by name: "w" (b, w_dim), or "ws" (b, num_ws, w_dim), or "style.LAYER" (b, channels);
# and "noise.MAP" (b, 1, r, r).
Codes = dict[str, Tensor]


class _FromStyles(nn.Module):
    """`synthesis.from_styles` as a module's forward, which is all that functional_call calls."""

    def __init__(self, synthesis: Any):
        super().__init__()
        self.synthesis = synthesis

    def forward(self, styles: Mapping[str, Tensor]) -> Tensor:
        return self.synthesis.from_styles(styles)


@dataclass(frozen=True)
class Canvas:
    """What turns codes into pictures, without changing the generator.

    Raises
    ------
    UserError
        If the generator cannot do what the space needs.
    """

    generator: Generator
    space: Space

    def __post_init__(self) -> None:
        if not isinstance(self.generator.synthesis, nn.Module):
            raise UserError("projection needs a generator whose synthesis is a torch module")
        if self.space == "s" and not hasattr(self.generator.synthesis, "from_styles"):
            raise UserError("this generator has no space s: its synthesis has no from_styles")

    @property
    def synthesis(self) -> Any:
        """The synthesis network."""
        return self.generator.synthesis

    def codes_of(self, ws: Tensor) -> Codes:
        """Where the search starts: `ws (b, num_ws, w_dim)` in this space, for W the mean of its rows."""
        if self.space == "w":
            return {"w": ws.mean(dim=1)}
        if self.space == "w+":
            return {"ws": ws.clone()}
        return {_STYLE + name: style.clone() for name, style in self.synthesis.styles(ws).items()}

    def ws_of(self, codes: Codes) -> Tensor | None:
        """ws `(b, num_ws, w_dim)` of codes; None in S, whose styles come from no ws."""
        if self.space == "w":
            return codes["w"][:, None].expand(-1, self.generator.num_ws, -1)
        return codes.get("ws")

    def render(self, codes: Codes) -> Tensor:
        """Pictures `(b, 3, r, r)` of codes; maps that are not among them are the generator's own."""
        maps = noise_in(codes)
        ws = self.ws_of(codes)
        if ws is not None:
            return functional_call(self.synthesis, maps, (ws,), {"noise_mode": "const"})
        styles = styles_in(codes)
        return functional_call(_FromStyles(self.synthesis), {f"synthesis.{k}": v for k, v in maps.items()}, (styles,))


def is_noise(name: str) -> bool:
    """Whether a code is a noise map."""
    return name.startswith(_NOISE)


def noise_in(codes: Codes) -> dict[str, Tensor]:
    """The noise maps among codes, by the generator's names."""
    return {name.removeprefix(_NOISE): value for name, value in codes.items() if is_noise(name)}


def styles_in(codes: Codes) -> dict[str, Tensor]:
    """The styles among codes, by layer."""
    return {name.removeprefix(_STYLE): value for name, value in codes.items() if name.startswith(_STYLE)}


def with_noise(codes: Codes, maps: Mapping[str, Tensor]) -> Codes:
    """Codes and noise maps `(b, 1, r, r)`, by the generator's names, in one."""
    return codes | {_NOISE + name: value for name, value in maps.items()}


@dataclass(frozen=True, eq=False)
class WStatistics:
    """Mean and spread of w: `mean (w_dim,)` and sigma = sqrt(E|w − mean|²)."""

    mean: Tensor
    sigma: float


@torch.no_grad()
def w_statistics(generator: Generator, samples: int = 10_000, seed: int = 123) -> WStatistics:
    """Mean and sigma of w over random z, as the StyleGAN2 paper's projector takes them (appendix D)."""
    rng = torch.Generator().manual_seed(seed)
    device = generator.w_avg.device
    w = torch.cat(
        [
            generator.mapping(torch.randn(n, generator.z_dim, generator=rng).to(device))[:, 0]
            for n in (min(1000, samples - start) for start in range(0, samples, 1000))
        ]
    )  # (samples, w_dim)
    mean = w.mean(dim=0)
    return WStatistics(mean, float((w - mean).square().sum(dim=1).mean().sqrt()))
