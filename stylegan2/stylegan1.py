"""The generator of the first StyleGAN: instance norm and a style after each convolution.

Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks", 2019 ("the paper" below).
It grows as Progressive GAN does; see `growing`, which also has its discriminator.
Letters in shape comments: b batch, i and o channels in and out, r side of a layer's output in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stylegan2 import ops
from stylegan2.config import added, check_multiplier, check_real, check_switch, resolutions
from stylegan2.fingerprint import fingerprint
from stylegan2.growing import BLUR, EqualizedConv, Level, check_growing, enlarge, fixed_filter
from stylegan2.layers import FullyConnected
from stylegan2.networks import LabelConcatMapping, MappingNetwork
from stylegan2.noise import NoiseSource, random_noise
from stylegan2.protocol import NoiseMode
from stylegan2.styled import StyledBlock, StyledGenerator, StyledSynthesis


@dataclass(frozen=True)
class StyleGANConfig:
    """The shape and settings of a StyleGAN generator; fields as in `GeneratorConfig` where they share a name.

    Attributes
    ----------
    hidden_dim
        Width of the mapping network between z and w.
    lod
        Level of detail, from 0.
    norm_epsilon, bias_before_blur
        What is added to the variance in adaptive instance norm, and whether enlarging layers add their bias before the
        blur, which then treats it as part of the image. The defaults are the release's; other code bases differ.
    c_dim
        Width of the condition (0: unconditional), which becomes a vector as wide as z, normalised together with it.
    """

    resolution: int
    z_dim: int = 512
    w_dim: int = 512
    hidden_dim: int = 512
    img_channels: int = 3
    mapping_layers: int = 8
    mapping_lr_multiplier: float = 0.01
    w_avg_beta: float = 0.995
    channel_base: int = 16384
    channel_max: int = 512
    lod: float = 0.0
    norm_epsilon: float = 1e-8
    bias_before_blur: bool = False
    c_dim: int = added(0)

    def __post_init__(self) -> None:
        check_growing(self, "z_dim", "w_dim", "hidden_dim", "mapping_layers")
        check_multiplier(self.mapping_lr_multiplier)
        check_real("w_avg_beta", self.w_avg_beta, 0, 1)
        check_real("norm_epsilon", self.norm_epsilon)
        check_switch("bias_before_blur", self.bias_before_blur)

    def channels(self, resolution: int) -> int:
        """Feature maps of the block of `resolution`."""
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def block_resolutions(self) -> list[int]:
        """The resolutions of the synthesis blocks, 4 first."""
        return resolutions(self.resolution)

    @property
    def num_ws(self) -> int:
        """Rows of ws: one for each layer, the constant among them."""
        return 2 * len(self.block_resolutions)


def adaptive_instance_norm(x: Tensor, style: Tensor, epsilon: float = 1e-8) -> Tensor:
    """Give every channel the mean and deviation that a style sets (the paper, equation 1).

    Parameters
    ----------
    x
        `(b, o, r, r)`.
    style
        `(b, 2 o)`: how much each channel's scale differs from 1, and then each channel's mean.
    epsilon
        Added to the variance.

    Returns
    -------
    Tensor
        `(b, o, r, r)`.
    """
    scale, shift = style.to(x.dtype)[:, :, None, None].chunk(2, dim=1)  # (b, o, 1, 1) each
    variance, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
    return torch.addcmul(shift, x - mean, (scale + 1) * (variance + epsilon).rsqrt())


class StyleGANLayer(nn.Module):
    """Convolution, noise, bias, leaky ReLU, adaptive instance norm; without a convolution where `i` is None."""

    noise_const: Tensor
    blur_filter: Tensor

    def __init__(self, i: int | None, o: int, resolution: int, config: StyleGANConfig, up: int = 1) -> None:
        super().__init__()
        if i is not None:
            self.conv = EqualizedConv(i, o, 3, up=up)
        else:
            self.bias = nn.Parameter(torch.zeros(o, dtype=torch.float32))
        self.affine = FullyConnected(config.w_dim, 2 * o)
        self.register_buffer("noise_const", torch.randn(resolution, resolution, dtype=torch.float32))
        self.noise_strength = nn.Parameter(torch.zeros(o, dtype=torch.float32))
        self.register_buffer("blur_filter", fixed_filter(BLUR), persistent=False)
        self.up, self.norm_epsilon, self.bias_before_blur = up, config.norm_epsilon, config.bias_before_blur

    def forward(self, x: Tensor, style: Tensor, noise_mode: NoiseMode, rng: NoiseSource) -> Tensor:
        """`x (b, i, r / up, r / up)` and `style (b, 2 o)` to `(b, o, r, r)`."""
        bias: Tensor = self.conv.bias if hasattr(self, "conv") else self.bias
        if hasattr(self, "conv"):
            x = self.conv.convolve(x)
        if self.up > 1:
            if self.bias_before_blur:
                x, bias = ops.bias_act(x, bias.to(x.dtype), lrelu=False, inplace=True), torch.zeros_like(bias)
            x = ops.upfirdn2d(x, self.blur_filter, padding=(1, 1, 1, 1))
        if noise_mode != "none":
            noise = self.noise_const if noise_mode == "const" else random_noise(self.noise_const, len(x), rng)
            x = torch.addcmul(x, noise.to(x.dtype), self.noise_strength.to(x.dtype)[:, None, None])
        x = ops.bias_act(x, bias.to(x.dtype), inplace=hasattr(self, "conv"))
        return adaptive_instance_norm(x, style, self.norm_epsilon)

    if TYPE_CHECKING:
        __call__ = forward


class StyleGANBlock(StyledBlock):
    """One resolution: two layers (at 4x4 the first starts from the constant), and toRGB."""

    def __init__(self, resolution: int, config: StyleGANConfig) -> None:
        super().__init__()
        o, i = config.channels(resolution), None
        self.resolution = resolution
        if resolution == 4:
            self.const = nn.Parameter(torch.ones(o, 4, 4, dtype=torch.float32))
        else:
            i = config.channels(resolution // 2)
        self.conv0 = StyleGANLayer(i, o, resolution, config, up=1 if i is None else 2)
        self.conv1 = StyleGANLayer(o, o, resolution, config)
        self.torgb = EqualizedConv(o, config.img_channels, 1, gain=1.0)

    def forward(self, x: Tensor, styles: Mapping[str, Tensor], noise_mode: NoiseMode, rng: NoiseSource) -> Tensor:
        """Features `(b, i, r / 2, r / 2)` to `(b, o, r, r)`; at 4x4 the repeated constant to features."""
        x = self.conv0(x, styles["conv0"], noise_mode, rng)
        return self.conv1(x, styles["conv1"], noise_mode, rng)

    if TYPE_CHECKING:
        __call__ = forward


class StyleGANSynthesis(StyledSynthesis):
    """ws to images: the styles are scales and means of channels."""

    def __init__(self, config: StyleGANConfig) -> None:
        blocks = (StyleGANBlock(r, config) for r in config.block_resolutions)
        super().__init__(config.num_ws, config.w_dim, config.resolution, blocks)
        self.config = config

    def _images(
        self,
        styles: Mapping[str, Tensor],
        noise_mode: NoiseMode,
        source: NoiseSource,
        dtype: torch.dtype | None,
    ) -> Tensor:
        level = Level.of(self.config.lod, self.resolution)
        const: Tensor = self._blocks()[0].const  # (o, 4, 4)
        batch, own = len(styles["b4.conv0"]), const.dtype
        x = before = ops.to_fast_layout(const.expand(batch, -1, -1, -1))  # (b, o, 4, 4)
        for block in self._blocks():
            if block.resolution > level.resolution:
                break
            mine = {name: styles[f"b{block.resolution}.{name}"] for name in ("conv0", "conv1")}
            # 4x4 keeps its digits: instance norm enlarges what little the constant and its noise differ by.
            x = x if block.resolution == 4 else x.to(dtype or own)
            before, x, last = x, block(x, mine, noise_mode, source), block
        image = last.torgb(x, lrelu=False).to(own)  # (b, img_channels, level, level)
        if level.fades_in:
            coarse = self.get_submodule(f"b{level.resolution // 2}.torgb")(before, lrelu=False).to(own)
            image = torch.lerp(enlarge(coarse, 2), image, level.share)
        images: Tensor = enlarge(image, self.resolution // level.resolution).contiguous()
        return images


def style_mapping(config: StyleGANConfig, num_ws: int | None) -> MappingNetwork:
    """Make the mapping network; `num_ws` None gives w alone.

    Unlike in StyleGAN2, the leaky ReLU's gain does not apply to its biases.
    """
    layers, lr_multiplier, beta = config.mapping_layers, config.mapping_lr_multiplier, config.w_avg_beta
    kind, widths = LabelConcatMapping if config.c_dim else MappingNetwork, (config.z_dim, config.c_dim, config.w_dim)
    mapping = kind(*widths, num_ws, layers, lr_multiplier, beta, config.hidden_dim)
    for layer in mapping.children():
        assert isinstance(layer, FullyConnected)
        layer.bias_gain = lr_multiplier
    return mapping


class StyleGANGenerator(StyledGenerator):
    """The StyleGAN generator; attributes as in `stylegan2.protocol.Generator`, which it meets.

    The images that were published with the paper have the first 8 rows truncated at 0.7: psi=0.7, cutoff=8.
    """

    synthesis: StyleGANSynthesis

    def __init__(self, config: StyleGANConfig) -> None:
        super().__init__()
        self.config = config
        self.z_dim, self.c_dim, self.w_dim, self.num_ws = config.z_dim, config.c_dim, config.w_dim, config.num_ws
        self.resolution, self.img_channels = config.resolution, config.img_channels
        self.mapping = style_mapping(config, config.num_ws)
        self.synthesis = StyleGANSynthesis(config)

    @property
    def lod(self) -> float:
        """Level of detail, which training lowers; part of the configuration."""
        return self.config.lod

    @lod.setter
    def lod(self, lod: float) -> None:
        self.config = self.synthesis.config = replace(self.config, lod=lod)

    @property
    def fingerprint(self) -> str:
        """Hash of weights and of the settings that change images, computed anew each time."""
        settings = {
            "kind": "stylegan",
            "lod": float(self.config.lod),
            "mapping_lr_multiplier": float(self.config.mapping_lr_multiplier),
            "norm_epsilon": float(self.config.norm_epsilon),
            "bias_before_blur": bool(self.config.bias_before_blur),
        }
        return fingerprint(settings, self.state_dict())
