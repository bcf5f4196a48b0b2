"""A generator with known factors: drawings whose every direction, style channel and score is known.

It draws a soft-edged disc, a face of sorts, on plain ground. Six factors describe the drawing; each is linear in w, and
each is driven by one style channel. So whatever claims to find directions, or to measure what an edit changes, can be
checked against the truth, on the CPU, in no time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.images import as_batch
from latentlab.scorers.threshold import HALF
from stylegan2.defaults import plain_defaults
from stylegan2.fingerprint import fingerprint
from stylegan2.noise import check_noise_mode
from stylegan2.protocol import NoiseMode
from stylegan2.sampling import one_psi, truncate

RESOLUTIONS = (32, 64)
W_DIM = 16
LAYERS = ("b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0")
CHANNELS = 12
"""Style channels of each layer."""


@dataclass(frozen=True)
class Factor:
    """A factor of the drawings.

    Attributes
    ----------
    name
        Its name.
    layer, index
        Style channel that drives it.
    offset
        Mean of its values over the population, whose standard deviation is 1; 0 where half of the images are positive.
    steepness
        The drawing changes with tanh(steepness · value): the larger, the rarer images in between are.
    """

    name: str
    layer: str
    index: int
    offset: float = 0.0
    steepness: float = 1 / 3


FACTORS = (
    Factor("position", "b4.conv1", 3),
    Factor("size", "b4.conv1", 8),
    Factor("ground", "b8.conv0", 5),
    Factor("warmth", "b8.conv1", 0),
    Factor("mouth", "b8.conv1", 7),
    Factor("stripe", "b16.conv0", 2, offset=-0.8, steepness=1.0),
)
"""Place of the disc from left to right, its size, the ground's brightness, the disc's red, the blue of its lower part,
and a blue stripe across its upper part, which one image in five has."""


# --- drawings and back --------------------------------------------------------------------------------------
# Coordinates go from -1 to 1. `amounts (b, 6)` say how much of each factor a drawing has, from -1 to 1.

_EDGE = 0.04  # softness: wide enough for 32 pixels to measure areas to four digits
_GREEN, _RED, _BLUE = 0.7, 0.0, -0.2  # colour of the disc where all amounts are 0; its green is always this
_MOUTH, _STRIPE = (0.25, 0.75), (-0.6, -0.2)  # from where to where, downwards, in radii


def draw(amounts: Tensor, resolution: int) -> Tensor:
    """Draw `amounts (b, 6)` of the factors, from -1 to 1, as images `(b, 3, resolution, resolution)` in [-1, 1]."""
    position, size, ground, warmth, mouth, stripe = amounts[:, :, None, None].unbind(1)  # (b, 1, 1) each
    x, y = _grid(resolution, amounts)
    place, radius, level = 0.15 * position, 0.4 + 0.1 * size, -0.5 + 0.3 * ground
    disc = torch.sigmoid((radius - torch.hypot(x - place, y)) / _EDGE)  # (b, r, r)
    blue = _BLUE + 0.4 * mouth * _band(y / radius, *_MOUTH) + 0.5 * (1 + stripe) * _band(y / radius, *_STRIPE)
    colours = (_RED + 0.6 * warmth, torch.full_like(radius, _GREEN), blue)
    return torch.stack([level + disc * (colour - level) for colour in colours], dim=1)


def measure(images: Tensor) -> Tensor:
    """Measure the amounts `(b, 6)` of the factors in drawings `(b, 3, r, r)`: the inverse of `draw`.

    The ground is measured in the corners. The disc's green is known, so green says how much of each pixel it covers;
    its place is the covered centroid, and its size follows from the covered area, which for a logistic edge of width e
    is :math:`\\pi (r^2 + \\pi^2 e^2 / 3)`. Colours are fitted by least squares.
    """
    resolution = images.shape[-1]
    x, y = _grid(resolution, images)
    ends = [*range(resolution // 8), *range(resolution - resolution // 8, resolution)]
    level = images[:, 1, ends][:, :, ends].mean((1, 2), keepdim=True)
    red, green, blue = images.unbind(1)  # (b, r, r) each
    disc = (green - level) / (_GREEN - level).clamp(min=0.1)
    covered = disc.sum((1, 2), keepdim=True).clamp(min=1.0)
    place = (disc * x).sum((1, 2), keepdim=True) / covered
    area = covered * (2 / resolution) ** 2
    radius = (area / torch.pi - (torch.pi * _EDGE) ** 2 / 3).clamp(min=1e-4).sqrt()
    bands = [_band(y / radius, *_MOUTH), _band(y / radius, *_STRIPE)]
    warmth = _fit(red - level - disc * (_RED - level), [disc])[:, 0] / 0.6
    mouth, stripe = _fit(blue - level - disc * (_BLUE - level), [disc * band for band in bands]).unbind(1)
    shape = [place / 0.15, (radius - 0.4) / 0.1, (level + 0.5) / 0.3]
    return torch.stack([*(one[:, 0, 0] for one in shape), warmth, mouth / 0.4, stripe / 0.5 - 1], dim=1)


def _grid(resolution: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates x `(1, 1, r)` and y `(1, r, 1)` of the pixels' centres."""
    line = (2 * torch.arange(resolution, dtype=like.dtype, device=like.device) + 1) / resolution - 1
    return line.reshape(1, 1, -1), line.reshape(1, -1, 1)


def _band(y: Tensor, top: float, bottom: float) -> Tensor:
    """1 between top and bottom, 0 elsewhere, with soft edges."""
    return torch.sigmoid((y - top) / _EDGE) * torch.sigmoid((bottom - y) / _EDGE)


def _fit(values: Tensor, shapes: list[Tensor]) -> Tensor:
    """Fit values `(b, r, r)` by least squares as a sum of shapes: their coefficients `(b, k)`."""
    x = torch.stack([shape.expand_as(values).flatten(1) for shape in shapes], dim=2)  # (b, r², k)
    gram = x.mT @ x + 1e-4 * torch.eye(len(shapes), dtype=x.dtype, device=x.device)  # solvable without a disc, too
    found: Tensor = torch.linalg.solve(gram, x.mT @ values.flatten(1).unsqueeze(2))
    return found.squeeze(2)


# --- the generator ------------------------------------------------------------------------------------------


class _Mapping(nn.Module):
    """w = w_avg + spread · z, without any normalisation."""

    w_avg: Tensor
    spread: Tensor

    def __init__(self, w_avg: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.register_buffer("w_avg", w_avg)
        self.register_buffer("spread", spread)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        psi: float | None = None,
        cutoff: int | None = None,
        truncation_psi: float | None = None,
    ) -> Tensor:
        """Map `z (b, 16)` to ws `(b, 4, 16)`."""
        if c is not None and c.shape[-1]:
            raise ValueError("this generator is not conditional (c_dim 0)")
        w = self.w_avg + z.to(self.spread.dtype) @ self.spread.T
        return truncate(w[:, None].repeat(1, len(LAYERS), 1), self.w_avg, one_psi(psi, truncation_psi), cutoff)

    if TYPE_CHECKING:
        __call__ = forward


class _Synthesis(nn.Module):
    """ws to styles, one affine layer a row; styles to drawings, each factor by its channel."""

    affine: Tensor
    bias: Tensor
    means: Tensor
    deviations: Tensor

    def __init__(self, affine: Tensor, bias: Tensor, means: Tensor, deviations: Tensor) -> None:
        super().__init__()
        self.register_buffer("affine", affine)  # (layers, channels, w_dim)
        self.register_buffer("bias", bias)  # (layers, channels)
        self.register_buffer("means", means)  # (factors,) of their channels over the population
        self.register_buffer("deviations", deviations)

    def styles(self, ws: Tensor) -> dict[str, Tensor]:
        """Styles `(b, 12)` by layer, of `ws (b, 4, 16)`."""
        if ws.ndim != 3 or ws.shape[1:] != (len(LAYERS), W_DIM):
            raise ValueError(f"ws must have shape (batch, {len(LAYERS)}, {W_DIM}), not {tuple(ws.shape)}")
        rows = torch.einsum("blw,lcw->blc", ws.to(self.affine.dtype), self.affine) + self.bias
        return dict(zip(LAYERS, rows.unbind(1), strict=True))

    def from_styles(
        self,
        styles: Mapping[str, Tensor],
        noise_mode: NoiseMode = "const",
        rng: torch.Generator | int | None = None,
        resolution: int | None = None,
    ) -> Tensor:
        """Draw styles, as `styles` returns them or edited; there is no noise, whatever the mode."""
        check_noise_mode(noise_mode)
        resolution = RESOLUTIONS[-1] if resolution is None else resolution
        if resolution not in RESOLUTIONS:
            raise ValueError(f"this generator renders at {RESOLUTIONS}, not at {resolution}")
        if set(styles) != set(LAYERS):
            raise ValueError(f"styles must name the layers {', '.join(LAYERS)}, not {', '.join(styles)}")
        driving = torch.stack([styles[factor.layer][:, factor.index] for factor in FACTORS], dim=1)
        values = (driving - self.means) / self.deviations + _row("offset", driving)
        return draw(torch.tanh(_row("steepness", driving) * values), resolution)

    def forward(
        self,
        ws: Tensor,
        noise_mode: NoiseMode = "const",
        rng: torch.Generator | int | None = None,
        resolution: int | None = None,
    ) -> Tensor:
        """Draw `ws (b, 4, 16)` as images `(b, 3, resolution, resolution)`, at 64 or, the preview, 32 pixels."""
        return self.from_styles(self.styles(ws), noise_mode, rng, resolution)

    if TYPE_CHECKING:
        __call__ = forward


def _row(field: str, like: Tensor) -> Tensor:
    """A number of each factor, `(factors,)`."""
    return torch.tensor([getattr(factor, field) for factor in FACTORS], dtype=like.dtype, device=like.device)


class KnownFactors(nn.Module):
    r"""A generator with known factors, which meets the protocol `stylegan2.protocol.Generator`.

    A factor with the unit vector n has the value :math:`n \cdot (w - \bar w) / \sigma + o`, with σ the standard
    deviation of :math:`n \cdot w` over the population and o the factor's offset. Its vector is the normal of its
    hyperplane, as a classifier's should be. The vectors of 'mouth' and 'stripe' lie at an angle of 60°, so that
    moving along one changes the other by a known amount; those of the others are orthogonal. The covariance of w is far
    from round (its deviations go from 1 to 0.1, along axes that belong to no factor): values of orthogonal factors are
    correlated, and the mean difference of two classes is not the normal. One style channel drives each factor
    (`channel`); all others do nothing, though they are correlated with the factors, since they come from the same w.

    Parameters
    ----------
    seed
        Random seed of vectors, covariance and styles.

    Attributes
    ----------
    factors
        Names of the six factors.
    slopes
        `(6, 16)`: a step d in W changes their values by slopes · d.

    Examples
    --------
    >>> from latentlab.datasets import KnownFactors
    >>> from stylegan2.sampling import z_from_seeds
    >>> generator, z = KnownFactors(), z_from_seeds(range(4), 16)
    >>> images, w = generator(z), generator.mapping(z)[:, 0]
    >>> images.shape, generator.values(w).shape, generator.channel("stripe")
    (torch.Size([4, 3, 64, 64]), (4, 6), ('b16.conv0', 2))
    """

    z_dim = w_dim = W_DIM
    c_dim, num_ws, img_channels = 0, len(LAYERS), 3
    resolution, resolutions = RESOLUTIONS[-1], RESOLUTIONS
    factors = tuple(factor.name for factor in FACTORS)

    @plain_defaults()
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        rng = np.random.default_rng(seed)
        axes, normals = (np.linalg.qr(rng.standard_normal((W_DIM, W_DIM)))[0] for _ in range(2))
        spread = axes * np.geomspace(1, 0.1, W_DIM)  # w - w_avg = spread · z
        self._normals = normals[: len(FACTORS)].copy()
        mouth, stripe = self.factors.index("mouth"), self.factors.index("stripe")
        self._normals[stripe] = self._normals[mouth] / 2 + np.sqrt(3 / 4) * self._normals[stripe]
        self._spread, w_avg = spread, rng.standard_normal(W_DIM)
        self.slopes = self._normals / np.linalg.norm(self._normals @ spread, axis=1, keepdims=True)
        affine = rng.standard_normal((len(LAYERS), CHANNELS, W_DIM))
        bias = rng.normal(1, 0.5, (len(LAYERS), CHANNELS))
        places = tuple(zip(*((LAYERS.index(factor.layer), factor.index) for factor in FACTORS), strict=True))
        deviations = rng.uniform(0.3, 3, len(FACTORS))  # channels are of different scales, as a network's
        affine[places] = deviations[:, None] * self.slopes
        means = affine[places] @ w_avg + bias[places]
        self.mapping = _Mapping(_tensor(w_avg), _tensor(spread))
        self.synthesis = _Synthesis(*map(_tensor, (affine, bias, means, deviations)))

    def __repr__(self) -> str:
        return f"KnownFactors(seed={self.seed})"

    @property
    def w_avg(self) -> Tensor:
        """Mean of w, `(16,)`."""
        return self.mapping.w_avg

    @property
    def fingerprint(self) -> str:
        """Hash of the seed, from which all else follows."""
        return fingerprint({"kind": "known factors", "version": 1, "seed": self.seed}, {})

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
        """Images `(b, 3, 64, 64)` in [-1, 1] of `z (b, 16)`."""
        return self.synthesis(self.mapping(z, c, psi, cutoff, truncation_psi), noise_mode, rng)

    if TYPE_CHECKING:
        __call__ = forward

    def direction(self, name: str, space: Literal["w", "z"] = "w") -> NDArray[np.float64]:
        """Unit vector `(16,)` along which a factor grows: the normal of its hyperplane in W, or in Z.

        Raises
        ------
        UserError
            If there is no such factor (lists them).
        """
        normal: NDArray[np.float64] = self._normals[self._row(name)]
        if space == "w":
            return normal
        normal = self._spread.T @ normal
        return normal / float(np.linalg.norm(normal))

    def channel(self, name: str) -> tuple[str, int]:
        """Layer and index of the style channel that alone drives a factor.

        Raises
        ------
        UserError
            If there is no such factor (lists them).
        """
        factor = FACTORS[self._row(name)]
        return factor.layer, factor.index

    def values(self, w: NDArray[Any] | Tensor) -> NDArray[np.float64]:
        """Values `(n, 6)` of the factors at `w (n, 16)`: normal over the population, with standard deviation 1."""
        offsets = [factor.offset for factor in FACTORS]
        centred = np.asarray(w, dtype=np.float64) - np.asarray(self.w_avg.cpu(), dtype=np.float64)
        return np.asarray(centred @ self.slopes.T + offsets)

    def scorer(self, *wanted: str) -> KnownFactorScorer:
        """Scorer of all factors, or of those that are named."""
        return KnownFactorScorer(wanted or self.factors)

    def _row(self, name: str) -> int:
        if name not in self.factors:
            raise UserError(f"no factor is called {name!r}; there are {', '.join(self.factors)}")
        return self.factors.index(name)


def _tensor(array: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(array).float()


class KnownFactorScorer:
    """Scores factors from the image alone, exactly: to three digits while values lie within ±3.

    Parameters
    ----------
    names
        Factors to score.

    Raises
    ------
    UserError
        If a factor is unknown.
    """

    img_channels, threshold = 3, HALF
    SHARPNESS = 2.0
    """Logits are the factors' values times this."""

    def __init__(self, names: tuple[str, ...] = KnownFactors.factors) -> None:
        unknown = [name for name in names if name not in KnownFactors.factors]
        if unknown:
            raise UserError(f"no factor is called {unknown[0]!r}; there are {', '.join(KnownFactors.factors)}")
        self.names = tuple(names)
        self.fingerprint = fingerprint({"kind": "known factors", "version": 1, "names": self.names}, {})

    def __repr__(self) -> str:
        return f"KnownFactorScorer({', '.join(self.names)})"

    def __call__(self, images: Tensor) -> Tensor:
        """Score drawings `(b, 3, r, r)`: probabilities `(b, len(names))`."""
        return torch.sigmoid(self.logits(images))

    def logits(self, images: Tensor) -> Tensor:
        """Compute the logits `(b, len(names))`, before the logistic function; differentiable in `images`."""
        amounts = measure(as_batch(images)).clamp(-0.9995, 0.9995)
        values = torch.atanh(amounts) / _row("steepness", amounts)
        return self.SHARPNESS * values[:, [KnownFactors.factors.index(name) for name in self.names]]

    def of(self, *wanted: str) -> KnownFactorScorer:
        """Choose some of the factors to score."""
        return KnownFactorScorer(wanted)
