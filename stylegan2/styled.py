"""The base of generators with styles: W, the styles that it gives each layer, and images of these.

The networks of StyleGAN2 (`networks`) and StyleGAN (`stylegan1`) build on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from stylegan2.config import resolutions
from stylegan2.layers import FullyConnected, asked_dtype, check_rows, prepare_memory, without_autocast
from stylegan2.noise import NoiseSource, check_noise_mode, random_source
from stylegan2.protocol import NoiseMode
from stylegan2.sampling import one_psi

if TYPE_CHECKING:
    from stylegan2.networks import MappingNetwork


class StyledBlock(nn.Module):
    """The layers of one resolution, some of which have styles."""

    resolution: int

    def affines(self) -> dict[str, FullyConnected]:
        """The layers that turn a w into a style, by name, in the order of use."""
        children = self.named_children()
        found = {name: getattr(child, "affine", None) for name, child in children}
        return {name: affine for name, affine in found.items() if isinstance(affine, FullyConnected)}


class StyledSynthesis(nn.Module):
    """ws to images by way of the styles: one vector per layer, the space S. The base of networks made of styled blocks.

    Attributes
    ----------
    compute_dtype
        Type of all features, for instance bfloat16; None for that of the weights (and float16 where the configuration
        says so). Styles, demodulation and the image that the toRGBs add up to keep the weights' type. Within
        `torch.autocast` its type is used.
    """

    compute_dtype: torch.dtype | None = None

    def __init__(self, num_ws: int, w_dim: int, resolution: int, blocks: Iterable[StyledBlock]) -> None:
        super().__init__()
        self.num_ws, self.w_dim, self.resolution = num_ws, w_dim, resolution
        for block in blocks:
            self.add_module(f"b{block.resolution}", block)

    def _blocks(self) -> list[Any]:
        return [getattr(self, f"b{r}") for r in resolutions(self.resolution)]

    def _affines(self) -> dict[str, FullyConnected]:
        """The layers that turn a w into a style, by the style's name, in the order of use."""
        blocks: list[StyledBlock] = self._blocks()
        return {f"b{block.resolution}.{name}": affine for block in blocks for name, affine in block.affines().items()}

    def styles(self, ws: Tensor) -> dict[str, Tensor]:
        """Per-layer styles: the coordinates of the space S (Wu et al. 2021, StyleSpace).

        Parameters
        ----------
        ws
            `(batch, num_ws, w_dim)`, float. Each convolution takes the next row; a toRGB shares its row with
            the convolution after it, and the last one has the last row.

        Returns
        -------
        dict
            `(batch, channels)` by layer, in order of use: "b4.conv1", "b4.torgb", "b8.conv0", …

        Raises
        ------
        ValueError
            ws of another shape or type.
        """
        num_ws, w_dim = self.num_ws, self.w_dim
        if ws.dim() != 3 or tuple(ws.shape[1:]) != (num_ws, w_dim) or not ws.is_floating_point():
            raise ValueError(f"ws must be float of shape (batch, {num_ws}, {w_dim}), not {ws.dtype} {tuple(ws.shape)}")
        with without_autocast(ws.device):
            return self._styles(ws)

    def _styles(self, ws: Tensor) -> dict[str, Tensor]:
        styles, row = {}, 0
        for name, affine in self._affines().items():
            styles[name] = affine(ws[:, row].to(affine.weight.dtype))
            row += not name.endswith("torgb")
        return styles

    def _check_styles(self, styles: Mapping[str, Tensor]) -> None:
        expected = {name: len(affine.bias) for name, affine in self._affines().items()}
        if set(styles) != set(expected):
            wrong = ", ".join(sorted(set(styles) ^ set(expected)))
            names = ", ".join(expected)
            raise ValueError(f"styles must name the layers {names}; missing or unknown: {wrong}")
        batch = len(next(iter(styles.values())))
        for name, width in expected.items():
            check_rows(f"style {name}", styles[name], width, batch)

    def from_styles(
        self,
        styles: Mapping[str, Tensor],
        noise_mode: NoiseMode = "const",
        rng: NoiseSource | int = None,
        resolution: int | None = None,
    ) -> Tensor:
        """Render styles, as `styles` returns them or edited.

        Parameters
        ----------
        styles
            `(batch, channels)` by layer: every layer, and no other.
        noise_mode
            'const': the stored maps; 'random': new ones; 'none': no noise.
        rng
            Where random noise comes from: a generator on any device (drawn there, then moved), or a seed
            (drawn on the CPU, so the same noise on every device); None for torch's global generator. The
            noise of a layer is drawn for the whole batch at once, so it depends on the size of the batch, except where
            each image has a generator of its own, in a list.
        resolution
            Part of the protocol; this network renders only at its own, which None stands for.

        Returns
        -------
        Tensor
            Images `(batch, img_channels, height, width)`, about [-1, 1], in the parameters' type.

        Raises
        ------
        ValueError
            A layer is missing, unknown or of the wrong width, noise_mode is unknown, or the resolution is not its own.
        """
        if resolution not in (None, self.resolution):
            raise ValueError(f"this generator renders at {self.resolution}, not at {resolution}")
        check_noise_mode(noise_mode)
        self._check_styles(styles)
        source, device = random_source(rng), next(iter(styles.values())).device
        prepare_memory(device, self.resolution)
        dtype = asked_dtype(self.compute_dtype, device)
        with without_autocast(device):
            return self._images(styles, noise_mode, source, dtype)

    def bare_forward(
        self, ws: Tensor, noise_mode: NoiseMode, resolution: int | None, dtype: torch.dtype | None
    ) -> Tensor:
        """Render ws in features of `dtype`, without checks, random noise or autocast: what a compiler takes whole."""
        return self._images(self._styles(ws), noise_mode, None, dtype)

    def forward(
        self,
        ws: Tensor,
        noise_mode: NoiseMode = "const",
        rng: NoiseSource | int = None,
        resolution: int | None = None,
    ) -> Tensor:
        """Render `ws (batch, num_ws, w_dim)`: `styles`, then `from_styles`.

        `resolution` is part of the protocol; this network renders only at its own.
        """
        return self.from_styles(self.styles(ws), noise_mode, rng, resolution)

    if TYPE_CHECKING:
        __call__ = forward

    def _images(
        self,
        styles: Mapping[str, Tensor],
        noise_mode: NoiseMode,
        source: NoiseSource,
        dtype: torch.dtype | None,
    ) -> Tensor:
        """Render styles that were checked, with features of `dtype`; None for that of the weights."""
        raise NotImplementedError


class StyledGenerator(nn.Module):
    """Mapping and synthesis as one: the attributes of `stylegan2.protocol.Generator`, which subclasses set."""

    z_dim: int
    c_dim: int
    w_dim: int
    num_ws: int
    resolution: int
    img_channels: int
    mapping: MappingNetwork
    synthesis: StyledSynthesis

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Resolutions it can render at: only its own."""
        return (self.resolution,)

    @property
    def w_avg(self) -> Tensor:
        """Mean of w, `(w_dim,)`."""
        return self.mapping.w_avg

    @property
    def fingerprint(self) -> str:
        """Hash of weights and of the settings that change images."""
        raise NotImplementedError

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
        """Map `z (batch, z_dim)`, then render: images `(batch, img_channels, height, width)`."""
        return self.synthesis(self.mapping(z, c, one_psi(psi, truncation_psi), cutoff), noise_mode, rng)

    if TYPE_CHECKING:
        __call__ = forward
