"""Configurations of StyleGAN2 networks: frozen dataclasses, and the paper's by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any, Literal, TypeVar

from stylegan2.describing import describe

Architecture = Literal["skip", "resnet", "orig"]

# The widths of the paper (Karras et al. 2020, section 3): config F doubles E's at high resolutions.
_PRESETS: dict[str, dict[str, Any]] = {
    "config-e": {"channel_base": 16384, "channel_max": 512},
    "config-f": {"channel_base": 32768, "channel_max": 512},
}


# Beyond all networks, and small enough that sizes can be multiplied.
_LARGEST = 1 << 24
_MOST_TAPS = 64

SQUARE = (4, 4)
"""Height and width of the smallest feature maps of square images."""

T = TypeVar("T")
_ADDED = "added"


def added(default: T) -> T:
    """Declare a field that configurations once lacked: files leave it out where it has its default.

    Files of such networks are then the same as those that versions without the field wrote and read.
    """
    return field(default=default, metadata={_ADDED: True})


def check_counts(config: object, least: Mapping[str, int]) -> None:
    """Refuse a configuration with a field that is not a whole number, or is below its minimum in `least`.

    Raises
    ------
    ValueError
        The message names the field.
    """
    for name, minimum in least.items():
        value = getattr(config, name)
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or not minimum <= value <= _LARGEST:
            words = {0: "zero or more", 1: "positive"}.get(minimum, f"{minimum} or more")
            raise ValueError(f"{name} must be a whole number, {words} and at most {_LARGEST}, not {describe(value)}")


def check_real(name: str, value: object, least: float = 0.0, most: float = math.inf) -> None:
    """Refuse what is not a finite number in the range.

    Raises
    ------
    ValueError
        The message names the field.
    """
    try:
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or not least <= number <= most:
        span = f"from {least:g} to {most:g}" if most < math.inf else f"from {least:g}"
        raise ValueError(f"{name} must be a finite number {span}, not {describe(value)}")


def check_switch(name: str, value: object) -> None:
    """Refuse what is neither True nor False.

    Raises
    ------
    ValueError
        The message names the field.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, not {describe(value)}")


def check_multiplier(value: object) -> None:
    """Refuse a learning-rate multiplier that is not positive.

    Raises
    ------
    ValueError
        The message names the field.
    """
    check_real("mapping_lr_multiplier", value)
    if value == 0:
        raise ValueError("mapping_lr_multiplier must not be 0: weights are divided by it")


def check_resolution(resolution: int, least: int) -> None:
    """Refuse a resolution that is not a power of two, or is below `least`.

    Raises
    ------
    ValueError
        It is not such a power.
    """
    power = isinstance(resolution, Integral) and least <= resolution <= _LARGEST and not resolution & (resolution - 1)
    if not power:
        raise ValueError(f"resolution must be a power of two from {least}, not {describe(resolution)}")


def _check_base_size(config: GeneratorConfig | DiscriminatorConfig) -> None:
    size = config.base_size
    sides = size if isinstance(size, (tuple, list)) else ()
    whole = len(sides) == 2 and all(isinstance(side, Integral) and not isinstance(side, bool) for side in sides)
    if not whole or not all(1 <= side <= 4 * _LARGEST // config.resolution for side in sides):
        raise ValueError(f"base_size must be a height and a width, whole numbers from 1, not {describe(size)}")


def _check_shape(config: GeneratorConfig | DiscriminatorConfig) -> None:
    resolution, taps = config.resolution, config.resample_filter
    check_resolution(resolution, 8)
    _check_base_size(config)
    counts = {"img_channels": 1, "channel_max": 1, "channel_base": 1, "c_dim": 0}
    check_counts(config, {**counts, "fp16_resolutions": 0})
    if not isinstance(config.architecture, str) or config.architecture not in ("skip", "resnet", "orig"):
        raise ValueError(f"architecture must be 'skip', 'resnet' or 'orig', not {describe(config.architecture)}")
    if not isinstance(taps, (tuple, list)) or not 1 <= len(taps) <= _MOST_TAPS:
        raise ValueError(f"resample_filter must have 1 to {_MOST_TAPS} taps, not {describe(taps)}")
    for tap in taps:
        check_real("resample_filter", tap, -math.inf)
    if sum(taps) == 0:
        raise ValueError(f"resample_filter must have taps that do not sum to zero, not {taps}")
    if config.channel_base < resolution:
        raise ValueError(f"channel_base must be the resolution, {resolution}, or more, not {config.channel_base}")
    if config.conv_clamp is not None:
        check_real("conv_clamp", config.conv_clamp)


def block_size(base_size: tuple[int, int], resolution: int) -> tuple[int, int]:
    """Return height and width of the feature maps of the block of `resolution`; see `GeneratorConfig.base_size`."""
    height, width = base_size
    return height * resolution // 4, width * resolution // 4


def shape_for(height: int, width: int) -> tuple[int, tuple[int, int]]:
    """Choose the `resolution` and the `base_size` of StyleGAN2 networks for images of a height and a width.

    As blocks double both, many constants lead to one size; this one has from 4 to 7 pixels on its shorter side, 4 where
    images are square.

    Raises
    ------
    ValueError
        A side is too short, or not a multiple of what such a constant is enlarged by; the message names a size that
        will do.
    """
    shorter = min(height, width)
    if shorter < 8:
        raise ValueError(f"no network makes images {width} pixels wide and {height} high: take 8 or more each way")
    scale = 1 << (shorter // 4).bit_length() - 1
    if height % scale or width % scale:
        near = f"{width - width % scale}x{height - height % scale}"
        raise ValueError(
            f"no network makes images {width} pixels wide and {height} high: sides of about this size are multiples of "
            f"{scale}; take {near} (width x height)"
        )
    return 4 * scale, (height // scale, width // scale)


def settings_of(config: Any) -> dict[str, Any]:
    """Return the fields of a configuration as files store them: without those of `added` that have their default."""
    defaults = {one.name: one.default for one in fields(config) if _ADDED in one.metadata}
    return {
        name: value
        for name, value in asdict(config).items()
        if name not in defaults or (tuple(value) if isinstance(value, list) else value) != defaults[name]
    }


def resolutions(resolution: int) -> list[int]:
    """List the block resolutions 4, 8, … up to `resolution`."""
    return [2**k for k in range(2, resolution.bit_length())]


@dataclass(frozen=True)
class GeneratorConfig:
    """The shape and settings of a generator.

    Attributes
    ----------
    resolution
        Height and width of a square image in pixels: a power of two from 8. Blocks are named and their widths chosen
        by it, whatever the `base_size`.
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
    base_size
        Height and width of the constant, and of the smallest feature maps of a discriminator; every block doubles
        both. With other than 4 × 4, images are not `resolution` pixels a side: see `image_size`.
    label_concat
        Whether a condition becomes a vector as wide as z that is normalised together with it, as in the first
        TensorFlow release; otherwise it becomes one as wide as w, and each is normalised by itself.
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
    base_size: tuple[int, int] = added(SQUARE)
    label_concat: bool = added(False)

    def __post_init__(self) -> None:
        _check_shape(self)
        check_switch("label_concat", self.label_concat)
        check_counts(self, {"z_dim": int(self.label_concat), "w_dim": 1, "mapping_layers": 1})
        check_multiplier(self.mapping_lr_multiplier)
        check_real("w_avg_beta", self.w_avg_beta, 0, 1)
        check_switch("use_noise", self.use_noise)
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
    def image_size(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        return block_size(self.base_size, self.resolution)

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
        Layers of the mapping network of the condition, after its embedding: none or more; unused without one.
    mbstd_group_size, mbstd_channels
        Group of the mini-batch standard deviation (None: the whole batch), and the feature maps it adds.
    label_switch
        Whether a conditional network has an output for each label, from which the condition chooses, as in the first
        TensorFlow release (Mescheder et al. 2018); otherwise it projects on an embedding of the condition.
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
    base_size: tuple[int, int] = added(SQUARE)
    label_switch: bool = added(False)

    def __post_init__(self) -> None:
        _check_shape(self)
        check_switch("label_switch", self.label_switch)
        group = {} if self.mbstd_group_size is None else {"mbstd_group_size": 1}
        check_counts(self, {"mapping_layers": 0, "mbstd_channels": 0, **group})

    def channels(self, resolution: int) -> int:
        """Feature maps of the block of `resolution`."""
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def block_resolutions(self) -> list[int]:
        """The resolutions of the blocks, the image's first and 4 last."""
        return resolutions(self.resolution)[::-1]

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        return block_size(self.base_size, self.resolution)
