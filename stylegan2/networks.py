"""The StyleGAN2 generator, readable top to bottom: mapping network, synthesis network, generator.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020 ("the paper" below).
Parameters and buffers carry the names of the PyTorch release, so its state dicts load as they are.
Letters in shape comments: b batch, i and o channels in and out, r side of a layer's output in pixels; for images that
are not square, read its height and its width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stylegan2 import ops
from stylegan2.config import GeneratorConfig, block_size
from stylegan2.fingerprint import fingerprint
from stylegan2.layers import (
    Conv2d,
    FullyConnected,
    block_dtype,
    check_rows,
    normalize_second_moment,
    resample_buffer,
    without_autocast,
)
from stylegan2.noise import NoiseSource, layer_noise
from stylegan2.protocol import NoiseMode
from stylegan2.sampling import one_psi, truncate
from stylegan2.styled import StyledBlock, StyledGenerator, StyledSynthesis

# --- z to w -------------------------------------------------------------------------------------------------


class MappingNetwork(nn.Module):
    """z and c to w: both normalised, then fully connected layers whose learning rate is small.

    `num_ws` None gives w alone, not repeated and without w_avg: the discriminator's embedding of c, which may have no
    layers after it. The layers in between have the width `hidden_dim`; None for that of w.
    """

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        layers: int,
        lr_multiplier: float = 0.01,
        w_avg_beta: float = 0.995,
        hidden_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.num_ws = z_dim, c_dim, num_ws
        self.layers, self.w_avg_beta = layers, w_avg_beta
        if c_dim:
            self.embed = FullyConnected(c_dim, w_dim)
        widths = [z_dim + (w_dim if c_dim else 0), *[hidden_dim or w_dim] * (layers - 1), w_dim]
        for k in range(layers):
            self.add_module(f"fc{k}", FullyConnected(widths[k], widths[k + 1], True, lr_multiplier))
        if num_ws is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim, dtype=torch.float32))

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None = None,
        psi: float | None = None,
        cutoff: int | None = None,
        truncation_psi: float | None = None,
    ) -> Tensor:
        """Map latents to the rows of ws that the synthesis network takes.

        Parameters
        ----------
        z
            `(batch, z_dim)`, float; None or of width 0 where z_dim is 0.
        c
            `(batch, c_dim)`, float, for a conditional network; None or of width 0 without.
        psi, cutoff, truncation_psi
            Truncation, as in `stylegan2.truncate`: psi has two names.

        Returns
        -------
        Tensor
            ws `(batch, num_ws, w_dim)`; `(batch, w_dim)` where num_ws is None.

        Raises
        ------
        ValueError
            z or c is missing or of the wrong shape or type, psi is not finite or given twice, or cutoff out of range.
        """
        psi = one_psi(psi, truncation_psi)
        with without_autocast(next(self.parameters()).device):
            w = self._w(z, c)
        if self.num_ws is None:
            return w
        ws = w[:, None].repeat(1, self.num_ws, 1)  # (b, num_ws, w_dim)
        return truncate(ws, self.w_avg, psi, cutoff)

    def _w(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        """w `(b, w_dim)` of z and c."""
        w = self._normalised(z, c)  # what fc0 takes
        for k in range(self.layers):
            w = self.get_submodule(f"fc{k}")(w)  # (b, w_dim)
        return w

    def _normalised(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        """What the first layer takes, `(b, z_dim + w_dim)`; `(b, z_dim)` without a condition."""
        parts, dtype = [], next(self.parameters()).dtype
        if self.z_dim:
            z = check_rows("z", z, self.z_dim).to(dtype)
            parts.append(normalize_second_moment(z))  # (b, z_dim)
        if self.c_dim:
            c = check_rows("c", c, self.c_dim, len(z) if self.z_dim and z is not None else None).to(dtype)
            parts.append(normalize_second_moment(self.embed(c)))  # (b, w_dim)
        elif c is not None and c.shape[-1]:
            raise ValueError(f"this network is not conditional (c_dim 0), but was given c {tuple(c.shape)}")
        return torch.cat(parts, dim=1)

    if TYPE_CHECKING:
        __call__ = forward

    @torch.no_grad()
    def update_w_avg(self, w: Tensor) -> None:
        """Move w_avg towards the mean of `w (batch, w_dim)`, by 1 - w_avg_beta of the way.

        `forward` never does this: a training loop calls it with the w's (untruncated) of each batch of G.
        """
        self.w_avg.lerp_(w.mean(dim=0).to(self.w_avg), 1 - self.w_avg_beta)


class LabelConcatMapping(MappingNetwork):
    """z and c to w, as in the first TensorFlow releases: a vector of c beside z, normalised together with it.

    Parameters are those of `MappingNetwork`; z_dim and c_dim are not 0.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        layers: int,
        lr_multiplier: float = 0.01,
        w_avg_beta: float = 0.995,
        hidden_dim: int | None = None,
    ) -> None:
        super().__init__(2 * z_dim, 0, w_dim, num_ws, layers, lr_multiplier, w_avg_beta, hidden_dim)
        self.z_dim, self.c_dim = z_dim, c_dim
        self.label_weight = nn.Parameter(torch.randn(c_dim, z_dim, dtype=torch.float32))

    def _normalised(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        dtype = self.label_weight.dtype
        z = check_rows("z", z, self.z_dim).to(dtype)
        c = check_rows("c", c, self.c_dim, len(z)).to(dtype)
        return normalize_second_moment(torch.cat([z, c @ self.label_weight], dim=1))  # (b, 2 z_dim)


# --- w to images ------------------------------------------------------------------------------------------


class SynthesisLayer(nn.Module):
    """Modulated convolution, noise, bias, leaky ReLU (the paper, figure 2 d); `affine` turns w into the style."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(self, i: int, o: int, resolution: int, up: int, config: GeneratorConfig) -> None:
        super().__init__()
        self.affine = FullyConnected(config.w_dim, i, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(o, i, 3, 3, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(o, dtype=torch.float32))
        self.register_buffer("resample_filter", resample_buffer(config.resample_filter))
        self.up, self.use_noise, self.conv_clamp = up, config.use_noise, config.conv_clamp
        if config.use_noise:
            size = block_size(config.base_size, resolution)
            self.register_buffer("noise_const", torch.randn(*size, dtype=torch.float32))
            self.noise_strength = nn.Parameter(torch.zeros([], dtype=torch.float32))

    def forward(self, x: Tensor, style: Tensor, noise_mode: NoiseMode, rng: NoiseSource, gain: float = 1.0) -> Tensor:
        """`x (b, i, r / up, r / up)` and `style (b, i)` to `(b, o, r, r)`, times `gain`."""
        total = gain * ops.LRELU_GAIN  # passes through the leaky ReLU: all that goes in takes the factor
        f, bias = self.resample_filter, self.bias * total
        x = ops.modulated_conv2d(x, self.weight, style, f, self.up, gain=total, bias=bias)  # (b, o, r, r)
        noise = None
        if self.use_noise:  # (r, r) or (b, 1, r, r)
            noise = layer_noise(noise_mode, self.noise_const, self.noise_strength, len(x), rng, total, x.dtype)
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        return ops.bias_act(x, noise=noise, clamp=clamp, inplace=True)


class ToRGB(nn.Module):
    """Features to an image: modulated 1x1 convolution without demodulation."""

    def __init__(self, i: int, config: GeneratorConfig) -> None:
        super().__init__()
        self.affine = FullyConnected(config.w_dim, i, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(config.img_channels, i, 1, 1, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(config.img_channels, dtype=torch.float32))
        self.weight_gain = 1 / math.sqrt(i)
        self.conv_clamp = config.conv_clamp

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """`x (b, i, r, r)` and `style (b, i)` to `(b, img_channels, r, r)`."""
        gain, bias = self.weight_gain, self.bias
        x = ops.modulated_conv2d(x, self.weight, style, demodulate=False, gain=gain, bias=bias)
        return ops.bias_act(x, lrelu=False, clamp=self.conv_clamp, inplace=True)


class SynthesisBlock(StyledBlock):
    """One resolution: two layers (at 4x4 the constant and one), and toRGB where there is one."""

    resample_filter: Tensor

    def __init__(self, resolution: int, config: GeneratorConfig) -> None:
        super().__init__()
        self.resolution, self.config = resolution, config
        taps, o = config.resample_filter, config.channels(resolution)
        self.register_buffer("resample_filter", resample_buffer(taps))
        if resolution == 4:
            self.const = nn.Parameter(torch.randn(o, *config.base_size, dtype=torch.float32))
        else:
            i = config.channels(resolution // 2)
            self.conv0 = SynthesisLayer(i, o, resolution, 2, config)
            if config.architecture == "resnet":
                self.skip = Conv2d(i, o, 1, taps, linear=True, up=2)
        self.conv1 = SynthesisLayer(o, o, resolution, 1, config)
        if config.architecture == "skip" or resolution == config.resolution:
            self.torgb = ToRGB(o, config)

    def forward(
        self,
        x: Tensor | None,
        img: Tensor | None,
        styles: Mapping[str, Tensor],
        noise_mode: NoiseMode,
        rng: NoiseSource,
        dtype: torch.dtype | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Features `(b, i, r / 2, r / 2)` (None at 4x4) and the image so far (or None) to both at r.

        `dtype` is the features' type; None for what the configuration says.
        """
        style1 = styles["conv1"]
        dtype = dtype or block_dtype(self.resolution, self.config, self.conv1.weight)
        if x is None:
            const = self.const.to(dtype).expand(len(style1), -1, -1, -1)  # (b, o, 4, 4)
            x = self.conv1(ops.to_fast_layout(const), style1, noise_mode, rng)
        elif self.config.architecture == "resnet":
            x = x.to(dtype)
            y = self.skip(x, gain=math.sqrt(0.5))  # (b, o, r, r)
            x = self.conv0(x, styles["conv0"], noise_mode, rng)
            x = y + self.conv1(x, style1, noise_mode, rng, gain=math.sqrt(0.5))
        else:
            x = self.conv0(x.to(dtype), styles["conv0"], noise_mode, rng)  # (b, o, r, r)
            x = self.conv1(x, style1, noise_mode, rng)  # (b, o, r, r)
        if img is not None:
            img = ops.upsample2d(img, self.resample_filter)  # (b, img_channels, r, r)
        if hasattr(self, "torgb"):
            y = self.torgb(x, styles["torgb"]).to(style1.dtype)  # (b, img_channels, r, r)
            img = y if img is None else img + y
        return x, img

    if TYPE_CHECKING:
        __call__ = forward


class SynthesisNetwork(StyledSynthesis):
    """ws to images: modulated convolutions, whose styles are channel scales."""

    def __init__(self, config: GeneratorConfig) -> None:
        blocks = (SynthesisBlock(r, config) for r in config.block_resolutions)
        super().__init__(config.num_ws, config.w_dim, config.resolution, blocks)
        self.config = config

    def _images(
        self,
        styles: Mapping[str, Tensor],
        noise_mode: NoiseMode,
        source: NoiseSource,
        dtype: torch.dtype | None,
    ) -> Tensor:
        x: Tensor | None = None
        img: Tensor | None = None
        for block in self._blocks():
            own = {name: styles[f"b{block.resolution}.{name}"] for name in block.affines()}
            x, img = block(x, img, own, noise_mode, source, dtype)
        assert img is not None  # the last block has a toRGB
        return img.contiguous()


# --- z to images ------------------------------------------------------------------------------------------


class Generator(StyledGenerator):
    """The StyleGAN2 generator; attributes as in `stylegan2.protocol.Generator`, which it meets."""

    synthesis: SynthesisNetwork

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.z_dim, self.c_dim, self.w_dim = config.z_dim, config.c_dim, config.w_dim
        self.num_ws, self.resolution, self.img_channels = config.num_ws, config.resolution, config.img_channels
        layers, lr_multiplier, beta = config.mapping_layers, config.mapping_lr_multiplier, config.w_avg_beta
        mapping = LabelConcatMapping if config.c_dim and config.label_concat else MappingNetwork
        self.mapping = mapping(config.z_dim, config.c_dim, config.w_dim, config.num_ws, layers, lr_multiplier, beta)
        self.synthesis = SynthesisNetwork(config)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of its images in pixels."""
        return self.config.image_size

    @property
    def fingerprint(self) -> str:
        """Hash of weights and of the settings that change images, computed anew each time.

        Widths, resolution and resample filter are in the weights' names, shapes and values. Not cached:
        a cache would go stale with a change of weights that it cannot see. Keep it if you need it often.
        """
        clamp = self.config.conv_clamp
        settings = {
            "kind": "stylegan2",
            "architecture": self.config.architecture,
            "conv_clamp": None if clamp is None else float(clamp),
            "mapping_lr_multiplier": float(self.config.mapping_lr_multiplier),
        }
        return fingerprint(settings, self.state_dict())
