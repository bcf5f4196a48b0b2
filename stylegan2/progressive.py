"""The Progressive GAN generator, which has no W: its codes are z, with the condition after it where there is one.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation", 2018 ("the paper" below).
How it grows, and its discriminator, are in `growing`.
Letters in shape comments: b batch, i and o channels in and out, r side of a layer's output in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stylegan2 import ops
from stylegan2.config import added, resolutions
from stylegan2.fingerprint import fingerprint
from stylegan2.growing import EqualizedConv, Level, check_growing, enlarge
from stylegan2.layers import asked_dtype, check_rows, normalize_second_moment, prepare_memory, without_autocast
from stylegan2.noise import NoiseSource, check_noise_mode
from stylegan2.protocol import NoiseMode
from stylegan2.sampling import one_psi

NO_W = "a Progressive GAN has no W: its codes are z"


@dataclass(frozen=True)
class ProgressiveConfig:
    """The shape and settings of a Progressive GAN generator; fields as in `StyleGANConfig`.

    The condition, of width c_dim, is appended to z as it is.
    """

    resolution: int
    z_dim: int = 512
    img_channels: int = 3
    channel_base: int = 8192
    channel_max: int = 512
    lod: float = 0.0
    c_dim: int = added(0)

    def __post_init__(self) -> None:
        check_growing(self, "z_dim")

    @property
    def code_dim(self) -> int:
        """Width of the codes: z, and the condition."""
        return self.z_dim + self.c_dim

    def channels(self, resolution: int) -> int:
        """Feature maps of the block of `resolution`."""
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def block_resolutions(self) -> list[int]:
        """The resolutions of the blocks, 4 first."""
        return resolutions(self.resolution)


def pixel_norm(x: Tensor) -> Tensor:
    """Scale each pixel's channels of `x (b, c, r, r)` to a root mean square of 1 (the paper, section 4.2)."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class FirstLayer(nn.Module):
    """z to features of 4x4: a linear layer with one bias for each channel."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, i, 4, 4, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(o, dtype=torch.float32))
        self.weight_gain = ops.LRELU_GAIN / math.sqrt(i * 4 * 4)  # as of the 4x4 convolution that it also is

    def forward(self, z: Tensor) -> Tensor:
        """`(b, i)` to `(b, o, 4, 4)`."""
        x = torch.einsum("bi,oikl->bokl", z, self.weight * self.weight_gain)
        return ops.bias_act(x, self.bias, inplace=True)

    if TYPE_CHECKING:
        __call__ = forward


class ProgressiveBlock(nn.Module):
    """One resolution: two layers (at 4x4 the first is a linear one), and toRGB."""

    conv0: FirstLayer | EqualizedConv

    def __init__(self, resolution: int, config: ProgressiveConfig) -> None:
        super().__init__()
        o = config.channels(resolution)
        if resolution == 4:
            self.conv0 = FirstLayer(config.code_dim, o)
        else:
            self.conv0 = EqualizedConv(config.channels(resolution // 2), o, 3, up=2)
        self.conv1 = EqualizedConv(o, o, 3)
        self.torgb = EqualizedConv(o, config.img_channels, 1, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Features `(b, i, r / 2, r / 2)`, for 4x4 codes `(b, code_dim)`, to `(b, o, r, r)`; normalised."""
        x = ops.to_fast_layout(self.conv0(x))
        return pixel_norm(self.conv1(pixel_norm(x)))

    if TYPE_CHECKING:
        __call__ = forward


class ProgressiveSynthesis(nn.Module):
    """Codes to images.

    Attributes
    ----------
    compute_dtype
        Type of all features; as in `stylegan2.styled.StyledSynthesis`.
    """

    compute_dtype: torch.dtype | None = None

    def __init__(self, config: ProgressiveConfig) -> None:
        super().__init__()
        self.config = config
        for r in config.block_resolutions:
            self.add_module(f"b{r}", ProgressiveBlock(r, config))

    def bare_forward(
        self, z: Tensor, noise_mode: NoiseMode, resolution: int | None, dtype: torch.dtype | None
    ) -> Tensor:
        """Render codes in features of `dtype`, without checks or autocast: what a compiler takes whole."""
        level = Level.of(self.config.lod, self.config.resolution)
        own = next(self.parameters()).dtype
        x = before = normalize_second_moment(z.to(own))  # (b, code_dim)
        for r in resolutions(level.resolution):
            before, x = x, self.get_submodule(f"b{r}")(x if r == 4 else x.to(dtype or own))  # (b, o, r, r)
        image = self._image(x, level.resolution)
        if level.fades_in:
            image = torch.lerp(enlarge(self._image(before, level.resolution // 2), 2), image, level.share)
        return enlarge(image, self.config.resolution // level.resolution).contiguous()

    def _image(self, x: Tensor, resolution: int) -> Tensor:
        """The image `(b, img_channels, r, r)` of features `(b, o, r, r)` of `resolution`."""
        image: Tensor = self.get_submodule(f"b{resolution}.torgb")(x, lrelu=False)
        return image.to(next(self.parameters()).dtype)

    def forward(
        self,
        ws: Tensor,
        noise_mode: NoiseMode = "const",
        rng: NoiseSource | int = None,
        resolution: int | None = None,
    ) -> Tensor:
        """Render codes as images `(batch, img_channels, resolution, resolution)`.

        Parameters
        ----------
        ws
            z `(batch, z_dim)`, which takes the place of ws, followed by the condition in a conditional network:
            `(batch, z_dim + c_dim)`, as `mapping` gives them. Any multiple of a row gives the same image.
        noise_mode, rng
            Part of the protocol; this network has no noise.
        resolution
            Part of the protocol; this network renders only at its own, which None stands for.

        Raises
        ------
        ValueError
            Codes of another shape or type, an unknown noise_mode, or another resolution.
        """
        if resolution not in (None, self.config.resolution):
            raise ValueError(f"this generator renders at {self.config.resolution}, not at {resolution}")
        check_noise_mode(noise_mode)
        z = check_rows("z with c" if self.config.c_dim else "z", ws, self.config.code_dim)
        prepare_memory(z.device, self.config.resolution)
        dtype = asked_dtype(self.compute_dtype, z.device)
        with without_autocast(z.device):
            return self.bare_forward(z, noise_mode, resolution, dtype)

    if TYPE_CHECKING:
        __call__ = forward


class ProgressiveGenerator(nn.Module):
    """The Progressive GAN generator; attributes as in `stylegan2.protocol.Generator`, which it meets.

    It has no W, and so none of its rows: num_ws, w_dim and the size of w_avg are 0, its codes are z, and truncation and
    mixing, which work in W, are refused.
    """

    w_dim, num_ws = 0, 0
    w_avg: Tensor

    def __init__(self, config: ProgressiveConfig) -> None:
        super().__init__()
        self.config = config
        self.z_dim, self.c_dim = config.z_dim, config.c_dim
        self.resolution, self.img_channels = config.resolution, config.img_channels
        self.synthesis = ProgressiveSynthesis(config)
        place = torch.get_default_device()
        w_avg = torch.zeros(0, dtype=torch.float32, device="cpu" if place.type == "meta" else place)
        self.register_buffer("w_avg", w_avg, persistent=False)  # which no file has

    @property
    def lod(self) -> float:
        """Level of detail, which training lowers; part of the configuration."""
        return self.config.lod

    @lod.setter
    def lod(self, lod: float) -> None:
        self.config = self.synthesis.config = replace(self.config, lod=lod)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Resolutions it can render at: only its own."""
        return (self.resolution,)

    @property
    def fingerprint(self) -> str:
        """Hash of weights and of the settings that change images, computed anew each time."""
        labels = {"c_dim": int(self.c_dim)} if self.c_dim else {}  # those without have the hashes that they always had
        return fingerprint({"kind": "progressive", "lod": float(self.config.lod), **labels}, self.state_dict())

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        psi: float | None = None,
        cutoff: int | None = None,
        truncation_psi: float | None = None,
    ) -> Tensor:
        """Return z, which is all the code that `synthesis` takes, followed by the condition where there is one.

        Parameters
        ----------
        z
            `(batch, z_dim)`, float.
        c
            `(batch, c_dim)`, float, for a conditional network; None or of width 0 without.
        psi, cutoff, truncation_psi
            Only 1 and None: truncation works in W.

        Raises
        ------
        ValueError
            z or c is missing or of another shape or type, or there is any truncation.
        """
        if one_psi(psi, truncation_psi) != 1 or cutoff is not None:
            raise ValueError(f"{NO_W}, and truncation (psi other than 1, or a cutoff) works in W")
        z = check_rows("z", z, self.z_dim)
        if self.c_dim:
            return torch.cat([z, check_rows("c", c, self.c_dim, len(z)).to(z)], dim=1)
        if c is not None and c.shape[-1]:
            raise ValueError(f"this network is not conditional (c_dim 0), but was given c {tuple(c.shape)}")
        return z

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        psi: float | None = None,
        cutoff: int | None = None,
        noise_mode: NoiseMode = "const",
        rng: torch.Generator | int | None = None,
        truncation_psi: float | None = None,
    ) -> Tensor:
        """Render `z (batch, z_dim)` as images `(batch, img_channels, resolution, resolution)`."""
        return self.synthesis(self.mapping(z, c, psi, cutoff, truncation_psi), noise_mode, rng)

    if TYPE_CHECKING:
        __call__ = forward
