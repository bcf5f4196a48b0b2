"""Perceptual distance: LPIPS v0.1 from the `lpips` library.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric". The `lpips`
library brings the learnt weights of the layers; the backbone's come from torchvision's own download or,
where that cannot be reached, from the package index (`lpips-backbones`), the same numbers in a smaller file.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

from latentlab import weights
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.files import read_bytes
from latentlab.filling import check_fits
from latentlab.images import CHANNELS, as_batch
from latentlab.reprs import ShortRepr
from stylegan2 import ops
from stylegan2.defaults import own_draws, plain_defaults
from stylegan2.describing import printable
from stylegan2.errors import MALFORMED
from stylegan2.safe_pickle import floats, read_pickled

if TYPE_CHECKING:  # they take seconds to import, and most of latentlab does without them
    import lpips

Backbone = Literal["vgg", "alex"]

# The smallest height and width whose last features are not empty.
MIN_RESOLUTION = {"vgg": 16, "alex": 31}
_INDEX_FILES = {"vgg": ("vgg16.ckpt", "VGG16_0"), "alex": ("alexnet.ckpt", "AlexNet_0")}


@dataclass(frozen=True, eq=False, repr=False)
class Pyramid(ShortRepr):
    """Features of images that LPIPS compares, normalised over channels: `(b, c, h, w)` a layer."""

    layers: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.layers[0])

    def __getitem__(self, rows: list[int]) -> Pyramid:
        """Some of the images."""
        return Pyramid(tuple(layer[rows] for layer in self.layers))


class PerceptualDistance(nn.Module):
    """LPIPS between images; differentiable in them, its own weights frozen.

    Parameters
    ----------
    model
        Network of the library, as `load_perceptual` makes it.
    dtype
        Type of the backbone's arithmetic; features are normalised and compared in float32. bfloat16 takes
        half the time where the hardware has it (GPUs, Zen 4, Sapphire Rapids); a distance then has an error of
        about one in a hundred, which an optimiser does not mind. Figures to publish need float32.
    """

    def __init__(self, model: lpips.LPIPS, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        _with_fast_convolutions(self.model.net)
        self.model.net.to(dtype=dtype, memory_format=torch.channels_last)
        self.dtype = dtype

    def pyramid(self, images: Tensor) -> Pyramid:
        """Compute the features of `images (b, 3, h, w)` in [-1, 1], once for many comparisons with a target.

        Grey images `(b, 1, h, w)` are taken as colour images with three equal channels.

        Raises
        ------
        UserError
            If they are too small for the backbone, or not images.
        """
        return Pyramid(tuple(_normalised(layer.float()) for layer in self._features(images)))

    def _features(self, images: Tensor) -> list[Tensor]:
        """The features of images `(b, 3, h, w)`, `(b, c, h, w)` a layer, as the backbone gives them."""
        images, least = as_batch(images, channels=CHANNELS), MIN_RESOLUTION[self.model.pnet_type]
        if min(images.shape[2:]) < least:
            raise UserError(
                f"LPIPS compares images (batch, 3, height, width) of at least {least}x{least}, "
                f"not {tuple(images.shape)}"
            )
        x = self.model.scaling_layer(images.float().expand(-1, 3, -1, -1)).to(self.dtype)
        return list(self.model.net(x.contiguous(memory_format=torch.channels_last)))

    def forward(self, images: Tensor, target: Tensor | Pyramid, mask: Tensor | None = None) -> Tensor:
        """Measure LPIPS between each image and its target.

        Parameters
        ----------
        images
            `(b, 3, h, w)` in [-1, 1].
        target
            Images of the same shape, or their pyramid.
        mask
            `(b or 1, 1, h, w)` in 0 … 1: how much each pixel counts; None for all alike. Each layer takes the
            mask averaged over its cells. The features of a cell see beyond it, so what lies just outside
            still counts a little.

        Returns
        -------
        Tensor
            `(b,)` float32, 0 for equal images.
        """
        target = target if isinstance(target, Pyramid) else self.pyramid(target)
        if any(layer.requires_grad for layer in target.layers):
            return self.between(self.pyramid(images), target, mask)
        layers = zip(self.model.lins, self._features(images), target.layers, strict=True)
        distances = [_LayerDistance.apply(x, y, lin.model[-1].weight[0])[0] for lin, x, y in layers]
        return torch.stack([masked_mean(distance, mask) for distance in distances]).sum(dim=0)

    def autocast(self) -> torch.autocast:
        """Return a context in which a generator, too, computes in this dtype: for an optimiser's steps."""
        device = next(self.model.parameters()).device
        return torch.autocast(device.type, self.dtype, enabled=self.dtype is not torch.float32)

    def between(self, one: Pyramid, other: Pyramid, mask: Tensor | None = None) -> Tensor:
        """Measure LPIPS `(b,)` between images whose pyramids are known; arguments as for `forward`."""
        layers = zip(self.model.lins, one.layers, other.layers, strict=True)
        return torch.stack([masked_mean(lin((x - y).square()), mask) for lin, x, y in layers]).sum(dim=0)

    def between_all(self, one: Pyramid, other: Pyramid) -> Tensor:
        """Measure LPIPS `(n, m)` between each of n images and each of m others, as one matrix product per layer.

        It differs from `between` by up to 1e-4 where images are nearly equal.
        """
        found = one.layers[0].new_zeros(len(one), len(other))
        for lin, x, y in zip(self.model.lins, one.layers, other.layers, strict=True):
            # The learnt weights of channels are not negative, so that LPIPS is a squared Euclidean distance.
            spread = (lin.model[-1].weight / math.prod(x.shape[2:])).sqrt()
            rows, columns = (spread * x).flatten(1), (spread * y).flatten(1)
            found += torch.cdist(rows, columns, compute_mode="use_mm_for_euclid_dist").square()
        return found


_KEEPS_SIZE = (3, 3), (1, 1), (1, 1)


class _Convolution(nn.Module):
    """A convolution of 3×3 taps that keeps the size, by the generators' fast ones: its weights are frozen."""

    def __init__(self, plain: nn.Conv2d):
        super().__init__()
        self.weight, self.bias = plain.weight, plain.bias

    def forward(self, x: Tensor) -> Tensor:
        """`(b, i, h, w)` to `(b, o, h, w)`."""
        return ops.conv2d(x, self.weight, self.bias)


def _with_fast_convolutions(network: nn.Module) -> None:
    """Put `_Convolution` in place of what it can stand for; names of weights stay."""
    for parent in network.modules():
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d) and (child.kernel_size, child.stride, child.padding) == _KEEPS_SIZE:
                setattr(parent, name, _Convolution(child))


def _normalised(features: Tensor) -> Tensor:
    """Features `(b, c, h, w)` of length 1 over c, as the library's; without its NaN gradient where all are 0."""
    length = features.square().sum(dim=1, keepdim=True).clamp_min(1e-20).sqrt()
    return features / (length + 1e-10)


class _LayerDistance(torch.autograd.Function):
    """Weighted squares `(b, 1, h, w)` of how features, normalised, differ from a target's.

    As `PerceptualDistance.between` has it, in fewer passes over the features, forward and backward. It can be
    differentiated once.
    """

    @staticmethod
    def forward(features: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features `(b, c, h, w)`, the target's normalised ones and the weights of channels `(c, 1, 1)`."""
        x = features.float()
        length = x.square().sum(dim=1, keepdim=True).clamp_min(1e-20).sqrt() + 1e-10
        unit = x / length
        difference = unit - target
        weighted = weight * difference
        return (weighted * difference).sum(dim=1, keepdim=True), unit, weighted, length

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*output[1:])
        ctx.dtype = inputs[0].dtype

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        unit, weighted, length = ctx.saved_tensors
        along = (weighted * unit).sum(dim=1, keepdim=True)  # what would change the length alone
        gradient = torch.addcmul(weighted, unit, along, value=-1) * (2 * gradients[0] / length)
        return gradient.to(ctx.dtype), None, None


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Average `values (b, c, h, w)` over each image, `(b,)`; pixels weighted by `mask (b or 1, 1, H, W)`."""
    if mask is None:
        return values.mean(dim=(1, 2, 3))
    mask = F.adaptive_avg_pool2d(mask.to(values), (values.shape[2], values.shape[3]))
    weighted = (values * mask).mean(dim=(1, 2, 3))
    return weighted / mask.mean(dim=(1, 2, 3)).clamp_min(1e-8)


@plain_defaults()
def load_perceptual(
    net: Backbone = "vgg", device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> PerceptualDistance:
    """Load LPIPS with the backbone `net` onto `device`; `dtype` as in `PerceptualDistance`.

    Raises
    ------
    UserError
        If the backbone is unknown, its weights are available from neither place, or the device is not available.
    """
    place = find_device(device)
    if net not in get_args(Backbone):
        raise UserError(f"LPIPS has the backbones {', '.join(get_args(Backbone))}, not {net!r}")
    model = _with_torchvision(net)
    if model is None:
        model = _bare(net)
        _fill_from_index(model.net, net)
    return PerceptualDistance(model.to(place), dtype)


def _with_torchvision(net: Backbone) -> lpips.LPIPS | None:
    """The model with torchvision's weights; None where they are not available, or the index's are here already."""
    from torchvision.models import AlexNet_Weights, VGG16_Weights

    url = (VGG16_Weights if net == "vgg" else AlexNet_Weights).IMAGENET1K_V1.url
    downloaded = Path(torch.hub.get_dir(), "checkpoints", os.path.basename(url)).exists()
    if not downloaded and any(row.cached for row in weights.known() if row.name == "lpips-backbones"):
        return None
    try:
        return _bare(net, random=False)
    except OSError:  # no network, or no permission: urllib's errors are of this kind
        return None


def _bare(net: Backbone, random: bool = True) -> lpips.LPIPS:
    """The library's model with its learnt layer weights; the backbone's random, or torchvision's."""
    import lpips

    with warnings.catch_warnings(), own_draws(), _Undrawn():
        warnings.simplefilter("ignore")  # lpips asks torchvision in the manner of its older versions
        return lpips.LPIPS(net=net, pnet_rand=random, verbose=False)


class _Undrawn(TorchFunctionMode):
    """Leaves out the draw of initial weights, which takes a second for VGG16: loaded ones take their place."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", "") == nn.init.__name__:
            return None
        return func(*args, **(kwargs or {}))


def _fill_from_index(backbone: nn.Module, net: Backbone) -> None:
    """Fill the backbone out of the package index's arrays; UserError names the file if these are not its own."""
    filename, scope = _INDEX_FILES[net]
    path = weights.get("lpips-backbones") / filename
    content, wanted = memoryview(read_bytes(path)), backbone.state_dict()
    try:
        found = dict(_from_layers(read_pickled(content)[scope], list(wanted)))
        check_fits(found, wanted)
    except MALFORMED as error:
        raise UserError(f"{path} does not hold the weights of {net}: {printable(str(error))[:200]}") from error
    backbone.load_state_dict(found)


def _from_layers(layers: Mapping[str, Any], names: list[str]) -> Iterator[tuple[str, Tensor]]:
    """The backbone's parameters, `names` in the order of use."""
    for k, name in enumerate(names):
        layer = layers[f"Conv_{k // 2}"]
        if name.endswith("weight"):
            yield name, floats(layer["kernel"], name).permute(3, 2, 0, 1)  # (h, w, in, out) to (out, in, h, w)
        else:
            yield name, floats(layer["bias"], name)
