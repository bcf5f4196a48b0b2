"""MobileStyleGAN: a small synthesis network that was distilled from a StyleGAN2 and shares its W.

Belousov, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis",
2021. Three things make it light: convolutions are depthwise and then pointwise, styles scale activations
without demodulation (section 3.3: it was folded into the trained weights), and the network grows by the
inverse Haar wavelet transform instead of interpolation, so that the image comes out of features of half
its resolution.

Activations are in the channels_last layout, which halves the time on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan2.config import check_counts, check_multiplier, check_resolution, resolutions
from stylegan2.describing import describe
from stylegan2.fingerprint import fingerprint
from stylegan2.layers import asked_dtype, check_rows, prepare_memory, without_autocast
from stylegan2.networks import MappingNetwork
from stylegan2.noise import NoiseSource, check_noise_mode, layer_noise, random_source
from stylegan2.ops import add_noise_, as_type, needs_grad
from stylegan2.protocol import NoiseMode
from stylegan2.sampling import one_psi

PREVIEW = "preview"
"""Name of the preview head's style."""


@dataclass(frozen=True)
class MobileConfig:
    """The shape of a mobile generator; fields as in `GeneratorConfig` where they share a name.

    Attributes
    ----------
    preview_resolution
        Resolution of the preview, twice that of the features it is made from; None without a preview head.
    """

    resolution: int
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    mapping_lr_multiplier: float = 1.0
    channel_base: int = 32768
    channel_max: int = 512
    preview_resolution: int | None = None

    def __post_init__(self) -> None:
        check_resolution(self.resolution, 16)
        check_counts(self, dict.fromkeys(("z_dim", "w_dim", "mapping_layers", "channel_base", "channel_max"), 1))
        check_multiplier(self.mapping_lr_multiplier)
        preview, possible = self.preview_resolution, self.block_resolutions[1:]
        if preview is not None and (not isinstance(preview, Integral) or preview not in possible):
            raise ValueError(f"preview_resolution must be one of {possible}, not {describe(preview)}")
        if any(self.channels(r) < 4 or self.channels(r) % 4 for r in (4, *self.block_resolutions)):
            raise ValueError("channel_base and channel_max must give every block a multiple of 4 channels")

    def channels(self, resolution: int) -> int:
        """Feature maps of the block of `resolution`."""
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def block_resolutions(self) -> list[int]:
        """Resolutions of the blocks, 8 first; the last is half the image's."""
        return resolutions(self.resolution // 2)[1:]

    @property
    def num_ws(self) -> int:
        """Rows of ws: one for each convolution, and one for toimg; the first rows mean what StyleGAN2's mean."""
        return 2 * len(self.block_resolutions) + 2


def haar_matrix(dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Tensor:
    """The inverse 2D Haar transform of one 2×2 block, `(4 pixels, 4 bands)`; orthogonal.

    Pixels in the order (top left, top right, bottom left, bottom right); bands LL, LH, HL, HH, where LH is
    the difference of rows and HL that of columns.
    """
    signs = [[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]
    return 0.5 * torch.tensor(signs, dtype=dtype, device=device)


def inverse_haar(x: Tensor) -> Tensor:
    """One step of the inverse wavelet transform: `(b, 4c, h, w)` to `(b, c, 2h, 2w)`.

    The channels hold the bands LL, LH, HL, HH one after the other, c channels each.
    """
    b, c, h, w = x.shape
    bands = x.permute(0, 2, 3, 1).view(b, h, w, 4, c // 4)  # (b, h, w, 4, c/4): a view in channels_last
    pixels = haar_matrix(x.dtype, x.device) @ bands  # (b, h, w, 4, c/4)
    pixels = pixels.view(b, h, w, 2, 2, c // 4).transpose(2, 3)  # (b, h, 2, w, 2, c/4)
    return pixels.reshape(b, 2 * h, 2 * w, c // 4).permute(0, 3, 1, 2)


def modulate(x: Tensor, style: Tensor) -> Tensor:
    """Scale the channels of `x (b, c, h, w)` by `style (b, c)`; in place where no gradient is recorded.

    x must not be used afterwards: a copy of the largest features costs as much as their convolution. The style is
    converted to x's type first: a product of two types is many times as slow on a CPU.
    """
    style = style.to(x.dtype)[:, :, None, None]
    return x * style if needs_grad(x, style) else x.mul_(style)


def modulated_depthwise(x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """Convolve every channel of `x (b, c, h, w)` with its own `weight (c, 1, 3, 3)`, scaled by `style (b, c)`.

    For a single image the scales go into the weights, which saves a pass over pixels, unless gradients are recorded.
    """
    if len(x) == 1 and not needs_grad(x, weight, style):
        weight = (weight * style[0, :, None, None, None]).to(x.dtype)
    else:
        x, weight = modulate(x, style), as_type(weight, x.dtype)
    return F.conv2d(x, weight, padding=1, groups=x.shape[1])


class ModulatedConv(nn.Module):
    """Style, convolution, noise, bias, leaky ReLU; depthwise 3×3 and pointwise unless `full`."""

    noise_const: Tensor

    def __init__(self, channels_in: int, channels_out: int, w_dim: int, resolution: int, full: bool = False):
        super().__init__()
        self.affine = nn.Linear(w_dim, channels_in, dtype=torch.float32)
        if full:
            self.weight = nn.Parameter(torch.randn(channels_out, channels_in, 3, 3, dtype=torch.float32))
        else:
            self.depthwise = nn.Parameter(torch.randn(channels_in, 1, 3, 3, dtype=torch.float32))
            self.weight = nn.Parameter(torch.randn(channels_out, channels_in, 1, 1, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(channels_out, dtype=torch.float32))
        self.noise_strength = nn.Parameter(torch.zeros([], dtype=torch.float32))
        self.register_buffer("noise_const", torch.randn(resolution, resolution, dtype=torch.float32))
        self.full = full
        self.gain = 1 / math.sqrt(9 * channels_in)  # He scaling of 3×3 weights, applied to the style

    def forward(self, x: Tensor, style: Tensor, noise_mode: NoiseMode, rng: NoiseSource) -> Tensor:
        """Features `(b, in, r, r)` and style `(b, in)` to `(b, out, r, r)`."""
        style, weight, bias = style * self.gain, as_type(self.weight, x.dtype), as_type(self.bias, x.dtype)
        if self.full:
            x = F.conv2d(modulate(x, style), weight, bias, padding=1)
        else:
            x = F.conv2d(modulated_depthwise(x, self.depthwise, style), weight, bias)
        noise = layer_noise(noise_mode, self.noise_const, self.noise_strength, len(x), rng, 1.0, x.dtype)
        if noise is not None:
            # x is fresh out of the convolution, which does not keep its output for the gradient.
            x = add_noise_(x, noise)
        return F.leaky_relu_(x, 0.2)

    if TYPE_CHECKING:
        __call__ = forward


class MobileBlock(nn.Module):
    """Wavelet up-sampling and two convolutions: resolution r/2 to r."""

    def __init__(self, channels_in: int, channels_out: int, w_dim: int, resolution: int):
        super().__init__()
        self.up = nn.Linear(w_dim, channels_in, dtype=torch.float32)
        self.conv0 = ModulatedConv(channels_in // 4, channels_out, w_dim, resolution)
        self.conv1 = ModulatedConv(channels_out, channels_out, w_dim, resolution)

    def forward(self, x: Tensor, styles: Mapping[str, Tensor], noise_mode: NoiseMode, rng: NoiseSource) -> Tensor:
        """Features `(b, in, r/2, r/2)` to `(b, out, r, r)`; styles of `up`, `conv0` and `conv1`."""
        x = inverse_haar(modulate(x, styles["up"]))  # (b, in/4, r, r)
        x = self.conv0(x, styles["conv0"], noise_mode, rng)
        return self.conv1(x, styles["conv1"], noise_mode, rng)

    if TYPE_CHECKING:
        __call__ = forward


class ToImage(nn.Module):
    """Styled features to an image of twice their resolution: a linear map to each block of 2×2 pixels."""

    def __init__(self, channels: int, w_dim: int):
        super().__init__()
        self.affine = nn.Linear(w_dim, channels, dtype=torch.float32)
        self.weight = nn.Parameter(torch.randn(12, channels, 1, 1, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(12, dtype=torch.float32))
        self.gain = 1 / math.sqrt(channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """`(b, c, r, r)` and style `(b, c)` to `(b, 3, 2r, 2r)`."""
        style, bias = style * self.gain, as_type(self.bias, x.dtype)
        if len(x) == 1 and not needs_grad(x, style, self.weight):  # no pass over the largest features
            x = F.conv2d(x, (self.weight * style[0, :, None, None]).to(x.dtype), bias)
        else:
            x = F.conv2d(modulate(x, style), as_type(self.weight, x.dtype), bias)
        return F.pixel_shuffle(x, 2)

    if TYPE_CHECKING:
        __call__ = forward


class PreviewHead(nn.Module):
    """Features to the image reduced to twice their resolution, in place of all the layers that follow.

    A 3×3 convolution to the 2×2 pixels of each position, plus a colour that is linear in w: the head's own style, as
    every layer has one. Its kernel follows the styles that the next block puts on these channels, first u at its
    wavelet transform and then v at its first convolution: kernel = K0 + K1 · u + K2 · u · v. That makes it linear in
    the features and their modulated copies, and so it was fitted, in closed form (`scripts/fit_preview.py`).
    """

    kernels: Tensor
    colour: Tensor
    bias: Tensor

    def __init__(self, channels: int, w_dim: int):
        super().__init__()
        self.register_buffer("kernels", torch.zeros(3 * 12, channels, 3, 3, dtype=torch.float32))
        self.register_buffer("colour", torch.zeros(12, w_dim, dtype=torch.float32))
        self.register_buffer("bias", torch.zeros(12, dtype=torch.float32))

    @staticmethod
    def modulations(up: Tensor, conv: Tensor) -> Tensor:
        """What multiplies each channel before each of the three kernels: 1, u, u · v; `(3, b, channels)`.

        `up (b, channels)` and `conv (b, channels / 4)` are the next block's styles; conv0 sees every channel
        as a quarter of one of its own, a wavelet band.
        """
        return torch.stack([torch.ones_like(up), up, up * conv.repeat(1, 4)])

    def style(self, w: Tensor) -> Tensor:
        """Colour `(b, 12)` of the 2×2 pixels of `w (b, w_dim)`."""
        return F.linear(w, self.colour, self.bias)

    def forward(self, x: Tensor, up: Tensor, conv: Tensor, style: Tensor) -> Tensor:
        """`x (b, channels, r, r)`, the styles as in `modulations`, its own `(b, 12)`, to `(b, 3, 2r, 2r)`."""
        factors = self.modulations(up, conv)
        stacked = self.kernels.view(3, 12, *self.kernels.shape[1:])  # (3, 12, channels, 3, 3)
        kernels = torch.einsum("koihw,kbi->boihw", stacked, factors).to(x.dtype)  # (b, 12, channels, 3, 3)
        none = x.new_empty(0, 12, *x.shape[2:])  # for an empty batch
        pixels = torch.cat([none, *(F.conv2d(x[k : k + 1], kernels[k], padding=1) for k in range(len(x)))])
        return F.pixel_shuffle(pixels + style[:, :, None, None], 2)

    if TYPE_CHECKING:
        __call__ = forward


class MobileSynthesis(nn.Module):
    """ws to images; with a preview head also to previews, from inner features, in a fraction of the time.

    Attributes
    ----------
    compute_dtype
        Type of all features; as in `stylegan2.networks.SynthesisNetwork`.
    """

    compute_dtype: torch.dtype | None = None

    def __init__(self, config: MobileConfig):
        super().__init__()
        self.config = config
        width = config.channels(4)
        self.const = nn.Parameter(torch.randn(width, 4, 4, dtype=torch.float32))
        self.b4 = ModulatedConv(width, width, config.w_dim, 4, full=True)
        for resolution in config.block_resolutions:
            width_in, width = width, config.channels(resolution)
            self.add_module(f"b{resolution}", MobileBlock(width_in, width, config.w_dim, resolution))
        self.toimg = ToImage(width, config.w_dim)
        if config.preview_resolution is not None:
            self.preview = PreviewHead(config.channels(config.preview_resolution // 2), config.w_dim)

    def _block(self, resolution: int) -> MobileBlock:
        block: MobileBlock = getattr(self, f"b{resolution}")
        return block

    def styles(self, ws: Tensor) -> dict[str, Tensor]:
        """The style of every layer, `(b, channels)` by name in the order of use: the space S.

        Row 0 of ws is b4's. Rows 2k+1 and 2k+2 are the k-th block's: its up-sampling and first convolution,
        its second. The last row is toimg's. So rows stand for the resolutions that they have in StyleGAN2.
        A preview head has the row of the first convolution that it replaces; its style, "preview", which full images
        do without, comes last.
        """
        config = self.config
        if ws.ndim != 3 or ws.shape[1:] != (config.num_ws, config.w_dim):
            raise ValueError(f"ws must have shape (batch, {config.num_ws}, {config.w_dim}), not {tuple(ws.shape)}")
        with without_autocast(ws.device):
            return self._styles(ws)

    def _styles(self, ws: Tensor) -> dict[str, Tensor]:
        config = self.config
        styles = {"b4": self.b4.affine(ws[:, 0])}
        for k, resolution in enumerate(config.block_resolutions):
            block = self._block(resolution)
            styles[f"b{resolution}.up"] = block.up(ws[:, 2 * k + 1])
            styles[f"b{resolution}.conv0"] = block.conv0.affine(ws[:, 2 * k + 1])
            styles[f"b{resolution}.conv1"] = block.conv1.affine(ws[:, 2 * k + 2])
        styles["toimg"] = self.toimg.affine(ws[:, -1])
        if config.preview_resolution is not None:
            row = 2 * config.block_resolutions.index(config.preview_resolution) + 1
            styles[PREVIEW] = self.preview.style(ws[:, row])
        return styles

    def features(
        self,
        styles: Mapping[str, Tensor],
        resolution: int,
        noise_mode: NoiseMode,
        rng: NoiseSource,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Output of the block of `resolution`, `(b, channels, resolution, resolution)`; in `dtype`, or the const's."""
        batch = len(styles["b4"])
        x = self.const.to(dtype).repeat(batch, 1, 1, 1).contiguous(memory_format=torch.channels_last)
        x = self.b4(x, styles["b4"], noise_mode, rng)
        for r in self.config.block_resolutions:
            if r > resolution:
                break
            own = {name: styles[f"b{r}.{name}"] for name in ("up", "conv0", "conv1")}
            x = self._block(r)(x, own, noise_mode, rng)
        return x

    def from_styles(
        self,
        styles: Mapping[str, Tensor],
        noise_mode: NoiseMode = "const",
        rng: NoiseSource | int = None,
        resolution: int | None = None,
    ) -> Tensor:
        """Render styles, as `styles` returns them or edited, as images `(b, 3, resolution, resolution)`.

        Noise is as in `stylegan2.networks.SynthesisNetwork.from_styles`. `resolution` is the full one, which None
        stands for, or the preview's, which does not use the styles of the layers that follow.

        Raises
        ------
        ValueError
            A style that this resolution needs is missing or of the wrong width, or the resolution or noise_mode is
            unknown.
        """
        check_noise_mode(noise_mode)
        preview = self._is_preview(resolution)
        self._check_styles(styles, preview)
        source, most = random_source(rng), self.config.preview_resolution if preview else self.config.resolution
        assert most is not None  # of a preview
        device = styles["b4"].device
        prepare_memory(device, most)
        dtype = asked_dtype(self.compute_dtype, device)
        with without_autocast(device):
            return self._images(styles, noise_mode, source, most, dtype)

    def _images(
        self,
        styles: Mapping[str, Tensor],
        noise_mode: NoiseMode,
        source: NoiseSource,
        resolution: int,
        dtype: torch.dtype | None,
    ) -> Tensor:
        x = self.features(styles, resolution // 2, noise_mode, source, dtype)
        if resolution == self.config.resolution:
            img = self.toimg(x, styles["toimg"])
        else:
            img = self.preview(x, styles[f"b{resolution}.up"], styles[f"b{resolution}.conv0"], styles[PREVIEW])
        return img.to(self.const.dtype)

    def bare_forward(
        self, ws: Tensor, noise_mode: NoiseMode, resolution: int | None, dtype: torch.dtype | None
    ) -> Tensor:
        """Render ws in features of `dtype`, without checks, random noise or autocast: what a compiler takes whole."""
        return self._images(self._styles(ws), noise_mode, None, resolution or self.config.resolution, dtype)

    def _is_preview(self, resolution: int | None) -> bool:
        """Whether a resolution is the preview's; ValueError if it is not the full one either."""
        offered = [r for r in (self.config.preview_resolution, self.config.resolution) if r]
        if resolution not in (None, *offered):
            raise ValueError(f"this generator renders at {offered}, not at {resolution}")
        return resolution is not None and resolution != self.config.resolution

    def _check_styles(self, styles: Mapping[str, Tensor], preview: bool) -> None:
        """Refuse styles that lack a layer, or have one of another width."""
        expected = {"b4": self.config.channels(4)}
        for r in self.config.block_resolutions:
            block = self._block(r)
            expected[f"b{r}.up"] = block.up.out_features
            expected[f"b{r}.conv0"] = block.conv0.affine.out_features
            if preview and r == self.config.preview_resolution:
                expected[PREVIEW] = len(self.preview.bias)
                break
            expected[f"b{r}.conv1"] = block.conv1.affine.out_features
        else:
            expected["toimg"] = self.toimg.affine.out_features
        if missing := [name for name in expected if name not in styles]:
            raise ValueError(f"styles must name the layers {', '.join(expected)}; missing: {', '.join(missing)}")
        for name, width in expected.items():
            check_rows(f"style {name}", styles[name], width, len(styles["b4"]))

    def forward(
        self,
        ws: Tensor,
        noise_mode: NoiseMode = "const",
        rng: NoiseSource | int = None,
        resolution: int | None = None,
    ) -> Tensor:
        """Render `ws (b, num_ws, w_dim)` as images `(b, 3, resolution, resolution)`.

        `resolution` is the full one, which None stands for, or the preview's.
        """
        return self.from_styles(self.styles(ws), noise_mode, rng, resolution)

    if TYPE_CHECKING:
        __call__ = forward


class MobileGenerator(nn.Module):
    """Mapping and mobile synthesis: meets the protocol `stylegan2.protocol.Generator`."""

    c_dim, img_channels = 0, 3

    def __init__(self, config: MobileConfig):
        super().__init__()
        self.config = config
        self.z_dim, self.w_dim, self.num_ws = config.z_dim, config.w_dim, config.num_ws
        self.resolution = config.resolution
        self.mapping = MappingNetwork(
            config.z_dim, 0, config.w_dim, config.num_ws, config.mapping_layers, config.mapping_lr_multiplier
        )
        self.synthesis = MobileSynthesis(config).to(memory_format=torch.channels_last)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Resolutions it can render at: the preview's, if it has a preview head, and the full one."""
        preview = self.config.preview_resolution
        return (self.resolution,) if preview is None else (preview, self.resolution)

    @property
    def w_avg(self) -> Tensor:
        """Mean of w, `(w_dim,)`."""
        return self.mapping.w_avg

    @property
    def fingerprint(self) -> str:
        """Hash of configuration and weights, without the preview head, which changes no full image."""
        settings = {"kind": "mobile", "mapping_lr_multiplier": float(self.config.mapping_lr_multiplier)}
        state = {k: v for k, v in self.state_dict().items() if not k.startswith("synthesis.preview.")}
        return fingerprint(settings, state)

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
        """Images `(b, 3, resolution, resolution)` in about [-1, 1] from `z (b, z_dim)`."""
        return self.synthesis(self.mapping(z, c, one_psi(psi, truncation_psi), cutoff), noise_mode, rng)

    if TYPE_CHECKING:
        __call__ = forward
