"""What the networks are made of: layers with equalised learning rate, and small helpers.

Parameters and buffers carry the names of the PyTorch release. They are float32, whatever torch's default is.
Letters in shape comments: b batch, i and o channels in and out, r side of a feature map in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan2 import ops
from stylegan2.config import DiscriminatorConfig, GeneratorConfig
from stylegan2.memory import keep_freed_memory_by_default


def resample_buffer(taps: Sequence[float]) -> Tensor:
    """The low-pass filter with sum 1, as released networks store it: `(n, n)`, or `(n,)` from 8 taps."""
    # Computed on the CPU and then made anew on the default device: on the meta device, where `load` builds networks, a
    # quotient imports torch's compiler (2 s).
    f = torch.tensor(taps, dtype=torch.float32, device="cpu")
    f = f / f.sum()
    f = f if len(taps) >= 8 else torch.outer(f, f)
    return torch.tensor(f.tolist(), dtype=torch.float32)


def block_dtype(resolution: int, config: GeneratorConfig | DiscriminatorConfig, weight: Tensor) -> torch.dtype:
    """The type that the block of `resolution` computes in: that of its `weight`, or float16.

    float16 at the highest `fp16_resolutions`, 4x4 never among them, if the weight is on an accelerator.
    A CPU gains nothing from it, so there the setting is ignored.
    """
    high = resolution > 4 and resolution << config.fp16_resolutions > config.resolution
    return torch.float16 if high and weight.device.type in ("cuda", "mps") else weight.dtype


def asked_dtype(own: torch.dtype | None, device: torch.device) -> torch.dtype | None:
    """The type requested for features: `torch.autocast`'s within it, else a network's `own` choice."""
    kind = device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return own


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A context in which every operation keeps the type of what it is given.

    Autocast rounds whatever goes into a product. Here only the features are meant: w, styles and the norms of
    demodulation keep their digits, which cost nothing.
    """
    kind = device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()


def prepare_memory(device: torch.device, resolution: int) -> None:
    """Let large images on a CPU be rendered in memory that is kept; see `stylegan2.memory`."""
    if device.type == "cpu" and resolution >= 256 and not torch.compiler.is_compiling():
        keep_freed_memory_by_default()


def check_rows(name: str, x: Tensor | None, width: int, batch: int | None = None) -> Tensor:
    """Return `x` if it is a float tensor `(batch, width)`; raise ValueError if not."""
    rows = "batch" if batch is None else batch
    if not isinstance(x, Tensor):
        given = "none was given" if x is None else f"not {type(x).__name__}"
        raise ValueError(f"this network needs {name}, a float tensor of shape ({rows}, {width}); {given}")
    if x.dim() != 2 or x.shape[1] != width or batch not in (None, len(x)) or not x.is_floating_point():
        raise ValueError(f"{name} must be float of shape ({rows}, {width}), not {x.dtype} {tuple(x.shape)}")
    return x


def normalize_second_moment(x: Tensor) -> Tensor:
    """Scale each row of `x (b, dim)` to a root mean square of 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class FullyConnected(nn.Module):
    """A linear layer with equalised learning rate (Karras et al. 2018): weights are scaled when used."""

    def __init__(self, i: int, o: int, lrelu: bool = False, lr_multiplier: float = 1.0, bias_init: float = 0.0) -> None:
        super().__init__()
        # In place: on the meta device, where `load` builds networks, a plain quotient imports torch's compiler (2 s).
        self.weight = nn.Parameter(torch.randn(o, i, dtype=torch.float32).div_(lr_multiplier))
        self.bias = nn.Parameter(torch.full((o,), bias_init, dtype=torch.float32))
        self.lrelu = lrelu
        act_gain = ops.LRELU_GAIN if lrelu else 1.0  # passes through the leaky ReLU
        self.weight_gain = act_gain * lr_multiplier / math.sqrt(i)
        self.bias_gain = act_gain * lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """`(b, i)` to `(b, o)`."""
        # The gain goes into the product: a scaled copy of the weights would cost as much as the product.
        x = torch.addmm(self.bias * self.bias_gain, x, self.weight.T, alpha=self.weight_gain)  # (b, o)
        return F.leaky_relu(x, ops.LRELU_SLOPE) if self.lrelu else x

    if TYPE_CHECKING:
        __call__ = forward


class Conv2d(nn.Module):
    """A convolution with equalised learning rate, `kernel` odd; `up` or `down` resample with the filter.

    Bias and leaky ReLU follow, unless it is `linear`: the shortcut of a residual block.
    """

    resample_filter: Tensor

    def __init__(
        self,
        i: int,
        o: int,
        kernel: int,
        taps: Sequence[float],
        linear: bool = False,
        up: int = 1,
        down: int = 1,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, i, kernel, kernel, dtype=torch.float32))
        self.bias = None if linear else nn.Parameter(torch.zeros(o, dtype=torch.float32))
        self.register_buffer("resample_filter", resample_buffer(taps))
        self.weight_gain = 1 / math.sqrt(i * kernel * kernel)
        self.lrelu, self.up, self.down, self.conv_clamp = not linear, up, down, conv_clamp

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """`(b, i, r, r)` to `(b, o, r up / down, r up / down)`, times `gain`."""
        total = gain * (ops.LRELU_GAIN if self.lrelu else 1.0)  # passes through the leaky ReLU
        weight = (self.weight * (self.weight_gain * total)).to(x.dtype)  # (o, i, k, k)
        bias = None if self.bias is None else (self.bias * total).to(x.dtype)  # (o,)
        x = ops.conv2d_resample(x, weight, self.resample_filter, self.up, self.down, bias)
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        return ops.bias_act(x, lrelu=self.lrelu, clamp=clamp, inplace=True)

    if TYPE_CHECKING:
        __call__ = forward
