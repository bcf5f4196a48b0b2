"""What StyleGAN2 adds to torch: upfirdn2d, convolution with resampling, modulated convolution, bias_act.

Each is here twice: NAME_plain is the definition, to be read and to test against; NAME is what the
networks call, and gives the same values and the same gradients of any order. What makes it fast on a CPU:
no convolution has groups of samples, tensors in channels_last stay so (the depthwise filter is several times
faster there, in one pass faster than as two separable ones), and without gradients modulation goes into the
smaller of weights and pixels. The pointwise steps run in place where nobody needs what they overwrite.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan2 import phases, winograd
from stylegan2.derived import derived

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2)  # keeps the second moment of a normal variable through the leaky ReLU, nearly

_LARGE_WEIGHT = 2**20  # values

Padding = tuple[int, int, int, int]


def needs_grad(*tensors: Tensor | None) -> bool:
    """Whether autograd records what is done with any of the tensors."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def as_type(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A weight in the type of the pixels that it meets, converted once."""
    return weight if weight.dtype == dtype else derived(f"as {dtype}", lambda weight: weight.to(dtype), weight)


def to_fast_layout(x: Tensor) -> Tensor:
    """`x (b, c, h, w)` in the layout that suits what follows: channels last, on a CPU and in compiled code.

    On a GPU it suits tensor cores, too, but not filters of single channels. Compiled code has no such filters.
    """
    last = x.device.type == "cpu" or torch.compiler.is_compiling()
    return x.contiguous(memory_format=torch.channels_last) if last else x.contiguous()


# --- upfirdn2d: up-sample, filter, down-sample --------------------------------------------------------------


def _kernel(f: Tensor) -> Tensor:
    """The filter as a matrix: taps `(n,)` stand for their outer product."""
    return torch.outer(f, f) if f.dim() == 1 else f


def upfirdn2d_plain(
    x: Tensor, f: Tensor, up: int = 1, down: int = 1, padding: Padding = (0, 0, 0, 0), gain: float = 1.0
) -> Tensor:
    """Define `upfirdn2d`, step by step."""
    (b, c, h, w), f = x.shape, _kernel(f).to(x.dtype)
    x = x.reshape(b, c, h, 1, w, 1)
    x = F.pad(x, (0, up - 1, 0, 0, 0, up - 1)).reshape(b, c, h * up, w * up)
    x = F.pad(x, padding)  # a negative padding crops
    rows, columns = f.shape
    h, w = x.shape[2] - rows + 1, x.shape[3] - columns + 1
    y = x.new_zeros(b, c, h, w)
    for k in range(rows):
        for j in range(columns):
            y = y + f[k, j] * x[:, :, rows - 1 - k :, columns - 1 - j :][:, :, :h, :w]
    return y[:, :, ::down, ::down] * gain


def upfirdn2d(
    x: Tensor,
    f: Tensor,
    up: int = 1,
    down: int = 1,
    padding: Padding = (0, 0, 0, 0),
    gain: float = 1.0,
    bias: Tensor | None = None,
) -> Tensor:
    """Insert zeros, pad, convolve every channel with a filter, keep one sample in `down`.

    Parameters
    ----------
    x
        `(batch, channels, height, width)`.
    f
        Filter `(rows, columns)`, or taps `(n,)` of a separable one. It is convolved, not correlated.
    up, down
        Each pixel is followed by `up - 1` zeros; every `down`-th of the filtered ones is kept.
    padding
        Zeros at the left, right, top and bottom of the up-sampled image; negative numbers crop.
    gain
        Factor of the output: `up**2` keeps the brightness while up-sampling.
    bias
        `(channels,)`, added last.

    Returns
    -------
    Tensor
        `(batch, channels, (height up + top + bottom - rows) // down + 1, …)`.
    """
    c = x.shape[1]
    kernel = (_kernel(f) * gain).to(x.dtype)  # (rows, columns)
    rows, columns = kernel.shape
    if up == down == 1 and x.device.type != "cpu" and torch.compiler.is_compiling():
        return _filtered(x, kernel, padding, bias)
    if up == 1:
        weight = kernel.flip(0, 1).expand(c, 1, rows, columns)
        x, amount = _pad(x, padding)
        return F.conv2d(x, weight, bias, stride=down, padding=amount, groups=c)
    # A transposed convolution never meets the zeros. It gives the full convolution, which is to be cropped to
    # what `padding` leaves; at the far side it ends at the last pixel, without the zeros that follow it.
    weight = kernel.expand(c, 1, rows, columns)
    left, right, top, bottom = padding
    crop = (columns - 1 - left, columns - up - right, rows - 1 - top, rows - up - bottom)
    if down == 1 and len(set(crop)) == 1 and crop[0] >= 0:
        return F.conv_transpose2d(x, weight, bias, stride=up, padding=crop[0], groups=c)
    x = F.conv_transpose2d(x, weight, stride=up, groups=c)
    x = F.pad(x, [-side for side in crop])[:, :, ::down, ::down]
    return x if bias is None else x + bias[:, None, None]


def _filtered(x: Tensor, kernel: Tensor, padding: Padding, bias: Tensor | None) -> Tensor:
    """Convolve every channel with `kernel` as a sum of shifted images, which a compiler fuses with what follows."""
    x, taps = F.pad(x, padding), kernel.flip(0, 1)
    h, w = x.shape[2] - kernel.shape[0] + 1, x.shape[3] - kernel.shape[1] + 1
    y = x.new_zeros(()) if bias is None else bias[:, None, None]
    for k in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            y = y + taps[k, j] * x[:, :, k : k + h, j : j + w]
    return y


def _pad(x: Tensor, padding: Padding) -> tuple[Tensor, int]:
    """Leave a padding that is the same on all sides to the convolution, which makes no copy for it."""
    if len(set(padding)) == 1 and padding[0] >= 0:
        return x, padding[0]
    return F.pad(x, padding), 0


def up_padding(taps: int, up: int) -> tuple[int, int]:
    """Padding before and after for which up-sampling with a filter of `taps` keeps pixels in place."""
    return (taps + up - 1) // 2, (taps - up) // 2


def down_padding(taps: int, down: int) -> tuple[int, int]:
    """Padding before and after for which down-sampling with a filter of `taps` keeps pixels in place."""
    return (taps - down + 1) // 2, (taps - down) // 2


def upsample2d(x: Tensor, f: Tensor, up: int = 2) -> Tensor:
    """Enlarge `x (b, c, h, w)` to `(b, c, up h, up w)` with filter `f`."""
    before, after = up_padding(f.shape[-1], up)
    return upfirdn2d(x, f, up=up, padding=(before, after, before, after), gain=up**2)


def downsample2d(x: Tensor, f: Tensor, down: int = 2) -> Tensor:
    """Reduce `x (b, c, h, w)` to `(b, c, h / down, w / down)` with filter `f`."""
    before, after = down_padding(f.shape[-1], down)
    return upfirdn2d(x, f, down=down, padding=(before, after, before, after))


# --- convolution with resampling ----------------------------------------------------------------------------


def conv2d_resample_plain(
    x: Tensor,
    weight: Tensor,
    f: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    bias: Tensor | None = None,
) -> Tensor:
    """Define `conv2d_resample`, step by step."""
    k = weight.shape[-1]
    if f is None or up == down == 1:
        x = F.conv2d(x, weight, padding=k // 2)
    elif up > 1:
        before, after = (p + k // 2 for p in up_padding(f.shape[-1], up))
        x = upfirdn2d_plain(x, f, up=up, padding=(before, after, before, after), gain=up**2)
        x = F.conv2d(x, weight.flip(2, 3))
    else:
        before, after = (p + k // 2 for p in down_padding(f.shape[-1], down))
        x = F.conv2d(F.pad(x, (before, after, before, after)), weight)
        x = upfirdn2d_plain(x, f, down=down)
    return x if bias is None else x + bias[:, None, None]


def conv2d_resample(
    x: Tensor,
    weight: Tensor,
    f: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    bias: Tensor | None = None,
) -> Tensor:
    """Convolve at the larger of two resolutions: after up-sampling, or before down-sampling.

    Parameters
    ----------
    x
        `(batch, i, height, width)`.
    weight
        `(o, i, k, k)`, k odd. Correlated as in torch, but convolved (flipped) when up-sampling: this is how
        the weights of the PyTorch release are to be read.
    f
        Resampling filter as in `upfirdn2d`; unused, and may be None, without resampling.
    up, down
        Factors; at most one of them above 1.
    bias
        `(o,)`, added last.

    Returns
    -------
    Tensor
        `(batch, o, height up / down, width up / down)`.
    """
    k = weight.shape[-1]
    if up == down == 1:
        return conv2d(x, weight, bias)
    if f is None:
        raise ValueError("to resample takes a filter: give f")
    taps = f.shape[-1]
    if up > 1:
        before, after = up_padding(taps, up)
        if k == 1:  # commutes with the filter, and has fewer pixels before it
            x = F.conv2d(x, weight)
            return upfirdn2d(x, f, up=up, padding=(before, after, before, after), gain=up**2, bias=bias)
        x = _conv_transpose2d(x, weight, up)
        before, after = before + k // 2 - (k - 1), after + k // 2 - (k - up)
        return upfirdn2d(x, f, padding=(before, after, before, after), gain=up**2, bias=bias)
    # The filter goes first: it commutes, and the convolution then computes only what is kept.
    before, after = (p + k // 2 for p in down_padding(taps, down))
    stride = down if k == 1 else 1
    x = upfirdn2d(x, f, down=stride, padding=(before, after, before, after))
    return F.conv2d(x, weight, bias, stride=down // stride)


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve `x (b, i, h, w)` with `weight (o, i, k, k)`, k odd, padded so that `(b, o, h, w)` comes out."""
    if winograd.pays(x, weight):
        return winograd.convolve(x, weight, bias)
    if weight.shape[-1] > 1 and _is_slow_to_copy(x, weight):
        weight = derived("channels last", _channels_last, weight)
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


def _conv_transpose2d(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """`x (b, i, h, w)` with zeros between its pixels, convolved in full with `weight (o, i, k, k)`."""
    if stride == 2 and phases.pays(x, weight):
        return phases.convolve_transposed(x, weight)
    turned = derived("transposed", _transposed, weight) if _is_slow_to_copy(x, weight) else weight.transpose(0, 1)
    return F.conv_transpose2d(x, turned, stride=stride)


def _is_slow_to_copy(x: Tensor, weight: Tensor) -> bool:
    """Whether torch would copy a weight into the layout of its pixels, at a cost that counts, each time on a CPU."""
    last = x.device.type == "cpu" and x.is_contiguous(memory_format=torch.channels_last)
    return last and weight.numel() >= _LARGE_WEIGHT and not needs_grad(weight)


def _channels_last(weight: Tensor) -> Tensor:
    return weight.contiguous(memory_format=torch.channels_last)


def _transposed(weight: Tensor) -> Tensor:
    """The weight `(o, i, k, k)` as a transposed convolution takes it, `(i, o, k, k)`."""
    return _channels_last(weight.transpose(0, 1))


# --- modulated convolution ----------------------------------------------------------------------------------


def modulated_conv2d_plain(
    x: Tensor,
    weight: Tensor,
    style: Tensor,
    f: Tensor | None = None,
    up: int = 1,
    demodulate: bool = True,
    gain: float = 1.0,
    bias: Tensor | None = None,
) -> Tensor:
    """Define `modulated_conv2d`: every sample has weights of its own."""
    outputs = []
    for sample, s in zip(x, style, strict=True):
        w = weight * s[None, :, None, None]  # (o, i, k, k), equation 1
        if demodulate:
            w = w * (w.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).rsqrt()  # equation 3
        outputs.append(conv2d_resample_plain(sample[None], w * gain, f, up, bias=bias))
    return torch.cat(outputs)


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    style: Tensor,
    f: Tensor | None = None,
    up: int = 1,
    demodulate: bool = True,
    gain: float = 1.0,
    bias: Tensor | None = None,
) -> Tensor:
    r"""Convolve with weights whose input channels are scaled by a style (StyleGAN2, section 2.2).

    With the style s, the weights and, if they are demodulated, their norms are (the paper's equations 1 and 3)

    .. math:: w'_{oik} = s_i\,w_{oik}, \qquad
              w''_{oik} = \frac{w'_{oik}}{\sqrt{\sum_{i,k} {w'_{oik}}^2 + \epsilon}}

    Parameters
    ----------
    x
        `(batch, i, height, width)`, of any float type; that type is the output's.
    weight
        `(o, i, k, k)`, convolved as in `conv2d_resample`.
    style
        `(batch, i)`.
    f
        Resampling filter, for `up` above 1.
    up
        Up-sampling factor.
    demodulate
        Scale the weights of each sample and output channel to unit norm.
    gain
        Factor of the convolution's output, before the bias.
    bias
        `(o,)`, added last.

    Returns
    -------
    Tensor
        `(batch, o, height up, width up)`.
    """
    if demodulate:
        if x.dtype == torch.float16:  # demodulation cancels any factor: take the one that cannot overflow
            weight = weight / (weight[0].numel() ** 0.5 * weight.abs().amax(dim=(1, 2, 3), keepdim=True))
            style = style / style.abs().amax(dim=1, keepdim=True)
        # Σ_ik (w s)² = Σ_i s² Σ_k w²: the norms of all samples, without weights for each of them.
        norm = style.square() @ derived("squares", _squares, weight).T  # (b, o)
        scale = gain * (norm + 1e-8).rsqrt()
    else:
        scale = style.new_ones(len(style), len(weight))
        style = style * gain
    bias = None if bias is None else bias.to(x.dtype)
    pixels_prevail = x.device.type == "cpu" and x.shape[1:].numel() > 4 * weight.numel()
    if pixels_prevail and len(x) and not needs_grad(x, weight, style, bias):
        weights = weight * style[:, None, :, None, None] * scale[:, :, None, None, None]  # (b, o, i, k, k)
        samples = zip(x.chunk(len(x)), weights.to(x.dtype), strict=True)
        outputs = [conv2d_resample(sample, w, f, up, bias=bias) for sample, w in samples]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)
    # Pixels are few, or gradients would pass through weights for each sample: scale input and output.
    x = x * style.to(x.dtype)[:, :, None, None]  # (b, i, h, w)
    x = conv2d_resample(x, as_type(weight, x.dtype), f, up)  # (b, o, h up, w up)
    if demodulate:
        factor = scale.to(x.dtype)[:, :, None, None]
        return x * factor if bias is None else torch.addcmul(bias[:, None, None], x, factor)
    return x if bias is None else x + bias[:, None, None]


def _squares(weight: Tensor) -> Tensor:
    """Σ_k w², `(o, i)`."""
    return weight.square().sum(dim=(2, 3))


# --- bias, noise, activation --------------------------------------------------------------------------------


def bias_act_plain(
    x: Tensor,
    bias: Tensor | None = None,
    noise: Tensor | None = None,
    lrelu: bool = True,
    gain: float = 1.0,
    clamp: float | None = None,
) -> Tensor:
    """Define `bias_act`, step by step."""
    if bias is not None:
        x = x + bias.reshape(-1, *[1] * (x.dim() - 2))
    if noise is not None:
        x = x + noise
    if lrelu:
        x = torch.where(x > 0, x, x * LRELU_SLOPE)
    x = x * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


def add_noise_(x: Tensor, noise: Tensor) -> Tensor:
    """Add `noise`, which has no channels, to `x (b, c, h, w)` in place.

    In bfloat16 on a CPU this is a product with ones, which is exact and, with few channels, up to nine times as fast: a
    sum of two tensors runs a separate loop over each pixel's channels there.
    """
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    if not last or x.device.type != "cpu" or x.dtype != torch.bfloat16 or needs_grad(x, noise):
        return x.add_(noise)
    b, c, h, w = x.shape
    pixels = x.permute(0, 2, 3, 1).view(b, h * w, c)
    pixels.baddbmm_(noise.expand(b, 1, h, w).reshape(b, h * w, 1), x.new_ones(1).expand(b, 1, c))
    return x


def bias_act(
    x: Tensor,
    bias: Tensor | None = None,
    noise: Tensor | None = None,
    lrelu: bool = True,
    gain: float = 1.0,
    clamp: float | None = None,
    inplace: bool = False,
) -> Tensor:
    """Add bias and noise, activate, scale, clamp: all that happens to one value after a convolution.

    Parameters
    ----------
    x
        `(batch, channels, …)`.
    bias
        `(channels,)`.
    noise
        Anything that broadcasts against `x`.
    lrelu
        Apply a leaky ReLU of slope 0.2. It has no gain of its own: StyleGAN2's is `LRELU_GAIN`.
    gain
        Factor after the activation.
    clamp
        Bound of the result, to ±clamp; None for none.
    inplace
        `x` may be overwritten: nobody else reads it, autograd included. With gradients, sum and leaky ReLU alone
        are in place, since they need nothing of what they overwrite.

    Returns
    -------
    Tensor
        Shape and type of `x`.
    """
    recorded = needs_grad(x, bias, noise)
    if bias is not None:
        bias = bias.reshape(-1, *[1] * (x.dim() - 2))
        x = x.add_(bias) if inplace else x + bias
    if noise is not None:
        x = add_noise_(x, noise) if inplace else x + noise
    if lrelu:
        x = F.leaky_relu(x, LRELU_SLOPE, inplace=inplace)
    inplace = inplace and not recorded  # the leaky ReLU's gradient needs its result, the clamp's its input
    if gain != 1:
        x = x.mul_(gain) if inplace else x * gain
    if clamp is not None:
        x = x.clamp_(-clamp, clamp) if inplace else x.clamp(-clamp, clamp)
    return x
