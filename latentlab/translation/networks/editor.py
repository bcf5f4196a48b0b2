"""An editor of faces in one pass: what changes and where, for attributes that each have a strength.

After Viazovetskyi et al. 2020, "StyleGAN2 Distillation for Feed-forward Image Manipulation", whose network is that of
pix2pixHD; this one is small, outputs the change and a soft mask of where it applies, and takes the strength as input.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.reprs import ShortRepr
from latentlab.translation.networks.base import NetworkConfig, TranslationGenerator
from latentlab.translation.networks.layers import check_counts, check_size
from stylegan2.defaults import plain_defaults

_GROUPS, _PLANES = 4, 3
_MOST_HALVINGS = 12
_SHINING_THROUGH = 2.0  # logit of the share of the image that an untrained network keeps in what it draws


@dataclass(frozen=True, eq=False, repr=False)
class Layers(ShortRepr):
    """An edit as what is kept of an image and what is added: the result is `kept` · image + `added` in [-1, 1].

    Attributes
    ----------
    kept
        `(b, 1, h, w)` in 0 … 1.
    added
        `(b, 3, h, w)`.
    mask
        `(b, 1, h, w)` in 0 … 1: where the image is edited.
    """

    kept: Tensor
    added: Tensor
    mask: Tensor

    def on(self, images: Tensor) -> Tensor:
        """Return the edited images."""
        return (self.kept * images + self.added).clamp(-1, 1)


@dataclass(frozen=True)
class EditorConfig(NetworkConfig):
    """Shape of an editor.

    Attributes
    ----------
    attributes
        Names of what the editor edits; one input holds a strength for each.
    base_channels
        Channels at full resolution, a multiple of 4; they double with each halving, up to eight times.
    halvings
        How often the resolution is halved.
    blocks
        Residual blocks at the lowest resolution.
    """

    attributes: tuple[str, ...] = ("smile",)
    base_channels: int = 12
    halvings: int = 3
    blocks: int = 4

    kind: ClassVar[str] = "editor"

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", tuple(self.attributes))  # JSON has lists
        if not self.attributes or len(set(self.attributes)) < len(self.attributes):
            raise UserError(
                f"an editor has attributes of different names, not {len(self.attributes)} of "
                f"{len(set(self.attributes))} names"
            )
        check_counts(base_channels=self.base_channels, blocks=self.blocks)
        if self.base_channels % _GROUPS or not 1 <= self.halvings <= _MOST_HALVINGS or self.blocks < 1:
            raise UserError(
                f"an editor has channels in multiples of {_GROUPS}, 1 to {_MOST_HALVINGS} halvings and a block, "
                f"unlike {self}"
            )

    @plain_defaults()
    def build(self) -> Editor:
        """See `NetworkConfig`."""
        return Editor(self)

    def channels(self, level: int) -> int:
        """Return the number of channels after `level` halvings."""
        return self.base_channels * min(1 << level, 8)


class _Modulated(nn.Module):
    """Convolution whose normalised channels are scaled and shifted by the strengths `(b, n)`.

    Perez et al. 2018, "FiLM: Visual Reasoning with a General Conditioning Layer".
    """

    def __init__(self, channels: int, out_channels: int, attributes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.norm = nn.GroupNorm(_GROUPS, out_channels)
        self.modulation = nn.Linear(attributes, 2 * out_channels)

    def forward(self, x: Tensor, strengths: Tensor) -> Tensor:
        """See the class."""
        scale, shift = self.modulation(strengths)[:, :, None, None].chunk(2, dim=1)
        return F.silu(self.norm(self.conv(x)) * (1 + scale) + shift)


class _Block(nn.Module):
    """Residual block that the strengths `(b, n)` modulate."""

    def __init__(self, channels: int, attributes: int) -> None:
        super().__init__()
        self.inner = _Modulated(channels, channels, attributes)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, strengths: Tensor) -> Tensor:
        """Return `x` with what the block adds."""
        added: Tensor = self.conv(self.inner(x, strengths))
        return x + added


class Editor(TranslationGenerator):
    """Images `(b, 3, h, w)` in [-1, 1] and strengths `(b, n)` in [-1, 1] to edited images.

    The result is x + m · (y − x) within [-1, 1], with the mask m in 0 … 1, the input x, and y = k · x + 2 · tanh(d),
    where the network draws m, d, and the share k of the image that shines through what is drawn. Skin that becomes
    darker keeps its pores, with k near 1; teeth that disappear behind closed lips leave nothing, with k = 0. m is
    scaled by the largest absolute value of the strengths, so that an image edited with strengths of 0 stays the same,
    bit for bit. The network is told where in the image each pixel lies, because aligned faces have their parts at the
    same places.
    """

    config: EditorConfig

    def __init__(self, config: EditorConfig) -> None:
        super().__init__()
        self.config = config
        self.attributes = config.attributes
        self.size_multiple = self.least_size = 1 << config.halvings
        count, widths = len(config.attributes), [config.channels(level) for level in range(config.halvings + 1)]
        self.first = nn.Conv2d(3 + _PLANES, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(wide, wider, 4, 2, 1) for wide, wider in zip(widths, widths[1:], strict=False)
        )
        self.down_norm = nn.ModuleList(nn.GroupNorm(_GROUPS, wide) for wide in widths[1:])
        self.blocks = nn.ModuleList(_Block(widths[-1], count) for _ in range(config.blocks))
        self.up = nn.ModuleList(
            _Modulated(wider + wide, wide, count) for wide, wider in zip(widths, widths[1:], strict=False)
        )
        self.last = nn.Conv2d(widths[0], 5, 3, padding=1)

    @torch.no_grad()
    def draw_weights_(self, seed: int = 0) -> None:
        """Draw weights N(0, 1 / (3 · fan-in)), the last layer's a tenth of that.

        With the N(0, 0.02²) of pix2pix, the strengths would hardly matter. An untrained network hardly changes an
        image: random changes would first of all teach the mask to close, and it would not open again. So the image
        shines through at first.
        """
        rng = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                spread = 1 / math.sqrt(3 * module.weight[0].numel())
                module.weight.copy_(spread * torch.randn(module.weight.shape, generator=rng))
                assert module.bias is not None
                module.bias.zero_()
        self.last.weight.mul_(0.1)
        assert self.last.bias is not None
        self.last.bias[4] = _SHINING_THROUGH

    def translate(
        self, images: Tensor, masks: Tensor | None, settings: Mapping[str, Any], strengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """See `TranslationGenerator`."""
        if strengths is None:
            raise UserError(f"this editor takes a strength for each of {', '.join(self.attributes)}")
        return self(images, strengths)[0], None

    def forward(self, images: Tensor, strengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the edited images and the masks `(b, 1, h, w)` in 0 … 1 of where they are edited; see `layers`."""
        layers = self.layers(images, strengths)
        return layers.on(images), layers.mask

    def layers(self, images: Tensor, strengths: Tensor) -> Layers:
        """Return the edits of images with strengths `(b, n)`.

        Raises
        ------
        UserError
            Height or width is not a multiple of `size_multiple`, or there is not one strength for each attribute.
        """
        check_size(images, self.size_multiple, self.least_size, "this editor")
        if strengths.shape != (len(images), len(self.config.attributes)):
            wanted = (len(images), len(self.config.attributes))
            raise UserError(
                f"this editor takes strengths {wanted}, one for each attribute, not {tuple(strengths.shape)}"
            )
        x, skips = F.silu(self.first(torch.cat([images, _places(images)], dim=1))), []
        for down, norm in zip(self.down, self.down_norm, strict=True):
            skips.append(x)
            x = F.silu(norm(down(x)))
        for block in self.blocks:
            x = block(x, strengths)
        for up, skip in zip(reversed(self.up), reversed(skips), strict=True):
            # Resized and then convolved: transposed convolutions leave checkerboards (Odena et al. 2016).
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0), skip], dim=1), strengths)
        drawn = self.last(x)
        amount = strengths.abs().amax(dim=1).clamp(max=1)[:, None, None, None]
        mask, shining = amount * drawn[:, 3:4].sigmoid(), drawn[:, 4:].sigmoid()
        return Layers(1 - mask * (1 - shining), mask * 2 * drawn[:, :3].tanh(), mask)


def _places(like: Tensor) -> Tensor:
    """Return y, x and x² of each pixel, in -1 … 1, as planes `(b, 3, h, w)`: faces are roughly symmetric in x."""
    y, x = (torch.linspace(-1, 1, side, device=like.device, dtype=like.dtype) for side in like.shape[2:])
    height, width = like.shape[2:]
    planes = [y[:, None].expand(height, width), *(row.expand(height, width) for row in (x, x.square()))]
    return torch.stack(planes).expand(len(like), -1, -1, -1)
