"""Configurations of StyleGAN2 networks: frozen dataclasses, and the paper's by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

Architecture = Literal["skip", "resnet", "orig"]

# The widths of the paper (Karras et al. 2020, section 3): config F doubles E's at high resolutions.
_PRESETS: dict[str, dict[str, Any]] = {
    "config-e": {"channel_base": 16384, "channel_max": 512},
    "config-f": {"channel_base": 32768, "channel_max": 512},
}


def _check_shape(config: GeneratorConfig | DiscriminatorConfig) -> None:
    resolution, architecture = config.resolution, config.architecture
    if resolution < 8 or resolution & (resolution - 1):
        raise ValueError(f"resolution must be a power of two from 8, not {resolution}")
    if architecture not in ("skip", "resnet", "orig"):
        raise ValueError(f"architecture must be 'skip', 'resnet' or 'orig', not {architecture!r}")
    if not config.resample_filter or sum(config.resample_filter) == 0:
        raise ValueError(f"resample_filter must have taps that do not sum to zero, not {config.resample_filter}")
    for name in ("img_channels", "channel_max"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name} must be positive, not {getattr(config, name)}")
    if config.channel_base < resolution:
        raise ValueError(f"channel_base must be the resolution, {resolution}, or more, not {config.channel_base}")


def resolutions(resolution: int) -> list[int]:
    """List the block resolutions 4, 8, … up to `resolution`."""
    return [2**k for k in range(2, resolution.bit_length())]


@dataclass(frozen=True)
class GeneratorConfig:
    """The shape and settings of a generator.

    Attributes
    ----------
    resolution
        Height and width of the image in pixels: a power of two from 8.
    z_dim, c_dim, w_dim
        Widths of z, of the condition (0: unconditional) and of w.
    img_channels
        Channels of the image.
    mapping_layers, mapping_lr_multiplier
        Fully connected layers of the mapping network and their learning-rate multiplier.
    w_avg_beta
        Decay of the running mean of w that truncation uses.
    channel_base, channel_max
        A block of resolution r has min(channel_base / r, channel_max) feature maps.
    architecture
        How blocks reach the image: 'skip' (toRGB in every block, the paper's choice), 'resnet'
        or 'orig'.
    resample_filter
        Taps of the separable low-pass filter at every change of resolution; normalised on use.
    conv_clamp
        Clamp of the outputs of convolutions, to ±conv_clamp; None for none. Keeps half precision finite.
    use_noise
        Whether layers add noise at all.
    fp16_resolutions
        How many of the highest resolutions run in half precision on an accelerator; the CPU ignores it.
    """

    resolution: int
    z_dim: int = 512
    c_dim: int = 0
    w_dim: int = 512
    img_channels: int = 3
    mapping_layers: int = 8
    mapping_lr_multiplier: float = 0.01
    w_avg_beta: float = 0.995
    channel_base: int = 32768
    channel_max: int = 512
    architecture: Architecture = "skip"
    resample_filter: tuple[float, ...] = (1.0, 3.0, 3.0, 1.0)
    conv_clamp: float | None = None
    use_noise: bool = True
    fp16_resolutions: int = 0

    def __post_init__(self) -> None:
        _check_shape(self)
        for name in ("w_dim", "mapping_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if self.z_dim + self.c_dim < 1:
            raise ValueError("a generator needs z_dim or c_dim above zero")

    @classmethod
    def preset(cls, name: str, resolution: int, **changes: Any) -> GeneratorConfig:
        """Return the paper's configuration `name`, 'config-e' or 'config-f', with `changes` to its fields."""
        if name not in _PRESETS:
            raise ValueError(f"no preset {name!r}; there are {', '.join(sorted(_PRESETS))}")
        return replace(cls(resolution=resolution, **_PRESETS[name]), **changes)

    def channels(self, resolution: int) -> int:
        """Feature maps of the block of `resolution`."""
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def block_resolutions(self) -> list[int]:
        """The resolutions of the synthesis blocks, 4 first."""
        return resolutions(self.resolution)

    @property
    def num_ws(self) -> int:
        """Rows of ws: one for each convolution, and one for the last toRGB."""
        return 2 * len(self.block_resolutions)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """The shape and settings of a discriminator; fields as in `GeneratorConfig` where they share a name.

    Attributes
    ----------
    mapping_layers
        Layers of the mapping network of the condition; unused without one.
    mbstd_group_size, mbstd_channels
        Group of the mini-batch standard deviation (None: the whole batch), and the feature maps it adds.
    """

    resolution: int
    c_dim: int = 0
    img_channels: int = 3
    channel_base: int = 32768
    channel_max: int = 512
    architecture: Architecture = "resnet"
    resample_filter: tuple[float, ...] = (1.0, 3.0, 3.0, 1.0)
    conv_clamp: float | None = None
    mapping_layers: int = 8
    mbstd_group_size: int | None = 4
    mbstd_channels: int = 1
    fp16_resolutions: int = 0

    def __post_init__(self) -> None:
        _check_shape(self)

    def channels(self, resolution: int) -> int:
        """Feature maps of the block of `resolution`."""
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def block_resolutions(self) -> list[int]:
        """The resolutions of the blocks, the image's first and 4 last."""
        return resolutions(self.resolution)[::-1]
