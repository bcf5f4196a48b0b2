"""The 3×3 convolution on a CPU by Winograd's minimal filtering, F(4×4, 3×3): 36 products where the definition has 144.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. Each tile of 4×4 outputs comes from 6×6
inputs. Input tiles, weights and outputs are transformed by small constant matrices, and between the transforms are 36
products of matrices, which a CPU is good at. In float32 the result has about three times the rounding error of the
direct convolution (3e-6 of the rms against 1e-6); in half precision it would lose most of its digits, and is not used.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan2.derived import derived

# Lavin and Gray, section 4.1 and the appendix of their code: interpolation at 0, ±1, ±2 and infinity.
_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_WEIGHT = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_OUTPUT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)

# Below these the transforms cost more than the products save (benchmarks/convolutions.py), or save a little only where
# no other program uses the caches: weights of one tap, pixels.
_LEAST_WEIGHTS, _LEAST_PIXELS = 128 * 256, 256
# Tiles that are transformed at a time: few enough for the transforms to stay in the caches, and enough to read the
# weights seldom.
_AT_A_TIME = 256


def pays(x: Tensor, weight: Tensor) -> bool:
    """Whether `convolve` is the faster way to convolve `x (b, i, h, w)` with `weight (o, i, k, k)`, padded by k // 2.

    It needs float32 on a CPU, 3×3, many channels, sides that are multiples of 4, and weights without gradients.
    """
    (b, i, h, w), o = x.shape, weight.shape[0]
    fits = weight.shape[2:] == (3, 3) and h % 4 == 0 and w % 4 == 0
    large = i * o >= _LEAST_WEIGHTS and b * h * w >= _LEAST_PIXELS
    plain = x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32 and not torch.compiler.is_compiling()
    return fits and large and plain and not (weight.requires_grad and torch.is_grad_enabled())


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute `F.conv2d(x, weight, bias, padding=1)`, differentiable in x any number of times.

    Parameters
    ----------
    x
        `(b, i, h, w)`, h and w multiples of 4, on a CPU.
    weight
        `(o, i, 3, 3)`. No gradient passes to it, nor to the bias.
    bias
        `(o,)`.

    Returns
    -------
    Tensor
        `(b, o, h, w)` in the channels_last layout.
    """
    y: Tensor = _Convolution.apply(x, weight, bias)
    return y


class _Convolution(torch.autograd.Function):
    """`_convolved`, whose gradient is a convolution again."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _convolved(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.weight = inputs[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        turned = derived("turned", _turned, ctx.weight)
        return _Convolution.apply(gradient, turned, None), None, None


def _turned(weight: Tensor) -> Tensor:
    """The weight `(i, o, 3, 3)` of the gradient: channels exchanged, turned by half a turn."""
    return weight.transpose(0, 1).flip(2, 3).contiguous()


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    (b, i, h, w), o = x.shape, len(weight)
    of_input, of_output = _square(_INPUT, x.dtype), _square(_OUTPUT, x.dtype)
    products = derived("winograd", _transformed, weight).transpose(1, 2)  # (36, i, o)
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))  # (b, h + 2, w + 2, i)
    y = torch.empty((b, o, h, w), dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    rows = max(1, _AT_A_TIME // (w // 4))  # of tiles
    for image, out in zip(padded, y.permute(0, 2, 3, 1), strict=True):
        for first in range(0, h // 4, rows):
            strip = image[4 * first : 4 * (first + rows) + 2]
            tiles = strip.unfold(0, 6, 4).unfold(1, 6, 4).permute(3, 4, 0, 1, 2)  # (6, 6, rows, w / 4, i)
            transformed = of_input @ tiles.reshape(36, -1)  # (36, rows · w / 4 · i)
            multiplied = transformed.view(36, -1, i) @ products  # (36, rows · w / 4, o)
            pixels = (of_output @ multiplied.view(36, -1)).view(4, 4, -1, w // 4, o)
            place = out[4 * first : 4 * (first + rows)].view(-1, 4, w // 4, 4, o).permute(1, 3, 0, 2, 4)
            if bias is None:
                place.copy_(pixels)
            else:
                torch.add(pixels, bias, out=place)
    return y


def _transformed(weight: Tensor) -> Tensor:
    """The weight `(o, i, 3, 3)`, transformed: `(36, o, i)`."""
    o, i = weight.shape[:2]
    matrix = _square(_WEIGHT, torch.float64)  # float64: these values enter every product
    flat = weight.reshape(o * i, 9)
    parts = [(matrix @ part.double().T).to(weight.dtype) for part in torch.split(flat, 2**18)]
    return torch.cat(parts, dim=1).view(36, o, i)


@cache
def _square(matrix: tuple[tuple[float, ...], ...], dtype: torch.dtype) -> Tensor:
    """A transform of rows as that of rows and columns: the Kronecker product of the matrix with itself."""
    with torch.inference_mode(False):
        one = torch.tensor(matrix, dtype=torch.float64, device="cpu")
        return torch.kron(one, one).to(dtype)
