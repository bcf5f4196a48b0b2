"""Rendering: latents to images, with one generator at one of its resolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from latentlab.errors import UserError
from latentlab.images import CHANNELS
from latentlab.mapping import check_has_w
from stylegan2.protocol import Generator, NoiseMode, image_size

_KINDS = {1: "grey (1)", 3: "colour (3)"}
_NOISE = "noise."
_STYLE = "style."

Latents = dict[str, Tensor]
"""Latents of a batch of images by name: "z" `(b, z_dim)` with the truncation "psi", `(b,)` or for each row of ws
`(b, num_ws)`, and "c" `(b, c_dim)` where the generator is conditional, in Z; "w" `(b, w_dim)` in W, "ws"
`(b, num_ws, w_dim)` in W+, or "style.LAYER" `(b, channels)` in S; and, where the images have noise maps of their own,
"noise.MAP" `(b, 1, r, r)`."""


@dataclass(frozen=True)
class Renderer:
    """Renders latents as images `(b, img_channels, height, width)`.

    Attributes
    ----------
    generator
        The generator, which is never changed.
    resolution
        One of the generator's `resolutions`: height and width of the images, where these are square.
    noise_mode
        Noise of the synthesis network, see `stylegan2.protocol.Synthesis`.
    dtype
        float32, or bfloat16 for products and convolutions: faster where the hardware has it, at a PSNR of about
        50 dB to float32.

    Raises
    ------
    UserError
        If the generator does not render at `resolution`.
    """

    generator: Generator
    resolution: int
    noise_mode: NoiseMode = "const"
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        offered = self.generator.resolutions
        if self.resolution not in offered:
            names = ", ".join(str(resolution) for resolution in offered)
            raise UserError(f"this generator renders at {names} pixels, not at {self.resolution}")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return rendered_size(self.generator, self.resolution)

    def __call__(self, latents: Tensor | Latents) -> Tensor:
        """Render latents; differentiable in them.

        Parameters
        ----------
        latents
            ws `(b, num_ws, w_dim)`, z `(b, z_dim)` of a generator without W (with c after it, if it is conditional), or
            latents of Z, W, W+ or S by name. Noise maps among these take the place of the generator's own, which noise
            mode "const" shows.

        Returns
        -------
        Tensor
            Images `(b, img_channels, height, width)` of `size`, in about [-1, 1].

        Raises
        ------
        UserError
            If the generator has no space S or no W, or noise maps are given to one that is not a torch module.
        """
        if self.dtype is torch.float32:
            return self._rendered(latents)
        with torch.autocast(self.generator.w_avg.device.type, self.dtype):
            return self._rendered(latents).float()

    def _rendered(self, latents: Tensor | Latents) -> Tensor:
        if isinstance(latents, Tensor):
            return self._from_codes(latents)
        maps, codes = noise_maps_in(latents), codes_of(latents, self.generator)
        if codes is None:
            return self._from_styles(styles_in(latents), maps)
        if not maps:
            return self._from_codes(codes)
        options = {"noise_mode": self.noise_mode, "resolution": self.resolution}
        images: Tensor = functional_call(synthesis_module(self.generator), maps, (codes,), options)
        return images

    def _from_codes(self, codes: Tensor) -> Tensor:
        return self.generator.synthesis(codes, noise_mode=self.noise_mode, resolution=self.resolution)

    def _from_styles(self, styles: Mapping[str, Tensor], maps: Mapping[str, Tensor]) -> Tensor:
        check_has_styles(self.generator)
        if not maps:
            synthesis: Any = self.generator.synthesis  # the protocol has no styles: not every generator has them
            images: Tensor = synthesis.from_styles(styles, self.noise_mode, None, self.resolution)
            return images
        replaced = {f"synthesis.{name}": value for name, value in maps.items()}
        module = _FromStyles(synthesis_module(self.generator))
        images = functional_call(module, replaced, (styles, self.noise_mode, self.resolution))
        return images


class _FromStyles(nn.Module):
    """`synthesis.from_styles` as a module's forward, which is all that `functional_call` calls."""

    def __init__(self, synthesis: Any):
        super().__init__()
        self.synthesis = synthesis

    def forward(self, styles: Mapping[str, Tensor], noise_mode: NoiseMode, resolution: int) -> Tensor:
        images: Tensor = self.synthesis.from_styles(styles, noise_mode, None, resolution)
        return images


def rendered_size(generator: Generator, resolution: int) -> tuple[int, int]:
    """Height and width of the generator's images at one of its resolutions."""
    height, width = image_size(generator)
    return height * resolution // generator.resolution, width * resolution // generator.resolution


def img_channels(generator: Generator) -> int:
    """Channels of the generator's images: its attribute of that name, which the protocol does not require, or 3."""
    channels: int = getattr(generator, "img_channels", 3)
    return channels


AS_TENSORS = "take another generator, or this one's images as tensors in Python, by latentlab.Renderer"
"""Advice where images have channels that only tensors can have."""


def check_channels(
    generator: Generator,
    what: str,
    takes: Sequence[int] = CHANNELS,
    name: str = "this generator",
    advice: str = AS_TENSORS,
) -> None:
    """Refuse a generator whose images have other numbers of channels than `what` takes; UserError says what to do."""
    channels = img_channels(generator)
    if channels not in takes:
        kinds = " or ".join(_KINDS.get(one, f"{one} channels") for one in takes)
        made = f"{channels} {'channel' if channels == 1 else 'channels'}"
        raise UserError(f"{name} makes images of {made}, but {what} takes {kinds}; {advice}")


def synthesis_module(generator: Generator) -> nn.Module:
    """The synthesis network as the torch module whose weights and noise maps have names.

    Raises
    ------
    UserError
        If it is not a torch module.
    """
    if not isinstance(generator.synthesis, nn.Module):
        raise UserError("this takes a generator whose synthesis is a torch module: its weights and maps need names")
    return generator.synthesis


def check_has_styles(generator: Generator) -> None:
    """Raise UserError if the generator has no space S."""
    if not hasattr(generator.synthesis, "from_styles"):
        raise UserError("this generator has no space s: its synthesis has no from_styles")


# --- what latents hold --------------------------------------------------------------------------------------


def ws_in(latents: Latents, num_ws: int) -> Tensor | None:
    """ws `(b, num_ws, w_dim)` of latents; None in S, whose styles come from no ws."""
    if "w" in latents:
        return latents["w"][:, None].expand(-1, num_ws, -1)
    return latents.get("ws")


def ws_of(latents: Latents, generator: Generator) -> Tensor | None:
    """ws `(b, num_ws, w_dim)` of latents, mapped from z where they are of Z; None in S, where styles come from none.

    Raises
    ------
    UserError
        If the generator has no W.
    """
    check_has_w(generator, "what is asked for")
    if "z" not in latents:
        return ws_in(latents, generator.num_ws)
    mapped = generator.mapping(latents["z"], latents.get("c"))  # (b, num_ws, w_dim)
    psi = latents["psi"].to(mapped)
    rows = psi[:, :, None] if psi.ndim == 2 else psi[:, None, None]
    return torch.lerp(generator.w_avg.to(mapped), mapped, rows)


def codes_of(latents: Latents, generator: Generator) -> Tensor | None:
    """What the synthesis network takes: ws as `ws_of` gives them, or what a generator without W makes of z; None in S.

    Raises
    ------
    UserError
        If the generator has no W, and the latents are not z or are truncated.
    """
    if generator.num_ws:
        return ws_of(latents, generator)
    if "z" not in latents or bool((latents["psi"] != 1).any()):
        check_has_w(generator, "rendering of latents that are truncated or no z")
    return generator.mapping(latents["z"], latents.get("c"))


def styles_of(latents: Latents, generator: Generator) -> dict[str, Tensor]:
    """Styles `(b, channels)` by layer: those of the latents or, where they are of Z, W or W+, what these give.

    Raises
    ------
    UserError
        If the generator has no space S.
    """
    check_has_styles(generator)
    ws = ws_of(latents, generator)
    if ws is None:
        return styles_in(latents)
    synthesis: Any = generator.synthesis
    styles: dict[str, Tensor] = synthesis.styles(ws)
    return styles


def rows_of(latents: Latents, rows: Tensor) -> Latents:
    """Select the latents of some images, by their indices `(b,)`."""
    return {name: value[rows.to(value.device)] for name, value in latents.items()}


def styles_in(latents: Latents) -> dict[str, Tensor]:
    """Styles `(b, channels)` among latents, by layer."""
    return {name.removeprefix(_STYLE): value for name, value in latents.items() if name.startswith(_STYLE)}


def noise_maps_in(latents: Latents) -> dict[str, Tensor]:
    """Noise maps `(b, 1, r, r)` among latents, by the generator's names."""
    return {name.removeprefix(_NOISE): value for name, value in latents.items() if is_noise_map(name)}


def is_noise_map(name: str) -> bool:
    """Whether the name is that of a noise map."""
    return name.startswith(_NOISE)


def from_styles(styles: Mapping[str, Tensor]) -> Latents:
    """Latents in S from styles `(b, channels)` by layer."""
    return {_STYLE + name: value for name, value in styles.items()}


def with_noise_maps(latents: Latents, maps: Mapping[str, Tensor]) -> Latents:
    """Latents together with noise maps `(b, 1, r, r)` by the generator's names."""
    return latents | {_NOISE + name: value for name, value in maps.items()}
