"""The stand-ins for the names in checkpoints: tensors, arrays and records, checked, and nothing that runs.

Every size that a file declares is compared with the bytes that it really has, before any memory is taken.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylegan2.describing import describe, printable
from stylegan2.errors import CheckpointError
from stylegan2.safe_pickle.archive import check_crc
from stylegan2.safe_pickle.machine import is_key
from stylegan2.safe_pickle.rules import Allowed, Global, Record

# Types of torch storages by the names that files call them.
STORAGE_DTYPES = {
    "torch.FloatStorage": torch.float32,
    "torch.DoubleStorage": torch.float64,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
    "torch.storage.UntypedStorage": torch.uint8,
}


# More axes than any tensor has, and more values than any file: products of them stay small numbers.
_MOST_AXES, _LARGEST = 16, 1 << 62


def _is_size(values: Any) -> bool:
    return (
        isinstance(values, (tuple, list))
        and len(values) <= _MOST_AXES
        and all(type(v) is int and 0 <= v <= _LARGEST for v in values)
    )


@dataclass(eq=False)
class Storage:
    """The flat values that tensors are views of; `data` and its CRC-32 follow where they are kept apart."""

    dtype: torch.dtype
    count: int
    data: memoryview | None = None
    crc: int = 0

    def fill(self, data: memoryview, crc: int = 0) -> None:
        """Attach the bytes; there must be as many as the storage declares."""
        if len(data) < self.count * self.dtype.itemsize:
            raise CheckpointError(
                f"it is truncated or damaged: a tensor storage declares {self.count} values of {self.dtype}, "
                f"the file has {len(data)} bytes of it"
            )
        self.data, self.crc = data, crc

    def read(self) -> memoryview:
        """Return the bytes, checked at their first use: files hold networks that nobody asks for."""
        if self.data is None:
            raise CheckpointError("it is damaged: a tensor has no data")
        check_crc(self.data, self.crc)
        self.crc = 0
        return self.data


# Integers that carry the bits of a value: numpy does not know all types of torch.
_CARRIERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, eq=False)
class TensorView:
    """A tensor that is not read yet."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self) -> Tensor:
        """Copy the values out of the file: those of the tensor alone, however far apart they lie."""
        data, dtype = self.storage.read(), self.storage.dtype
        try:
            tensor = torch.empty(self.shape, dtype=dtype, device="cpu")
        except RuntimeError as error:  # an empty tensor whose other sizes are beyond all numbers
            raise CheckpointError(f"it is damaged: a tensor of shape {self.shape}") from error
        if tensor.numel():
            target = tensor.view(_CARRIERS[dtype.itemsize]).numpy()
            steps = [step * dtype.itemsize for step in self.stride]
            target[...] = np.ndarray(self.shape, target.dtype, data, self.offset * dtype.itemsize, steps)
        return tensor


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_flags: Any) -> TensorView:
    """Stand in for torch's _rebuild_tensor_v2; the flags say what autograd should do."""
    if not (isinstance(storage, Storage) and _is_size([offset]) and _is_size(shape) and _is_size(stride)):
        raise CheckpointError("it is damaged: a tensor without storage or with an invalid shape")
    if len(shape) != len(stride):
        raise CheckpointError(f"it is damaged: a tensor with {len(shape)} sizes and {len(stride)} strides")
    end = offset + 1 + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    # A stride of 0 would make a small storage look like a tensor of any size.
    if 0 not in shape and (end > storage.count or math.prod(shape) > storage.count):
        raise CheckpointError(
            f"it is damaged: a tensor of shape {tuple(shape)}, strides {tuple(stride)} and offset {offset} "
            f"reaches beyond its storage of {storage.count} values"
        )
    return TensorView(storage, offset, tuple(shape), tuple(stride))


def _parameter(data: Any, *_flags: Any) -> Any:
    return data


def storage_of(identifier: Any) -> tuple[str, Storage]:
    """Read the persistent id of a torch storage: its key, and the storage, still without data.

    Raises
    ------
    CheckpointError
        It is not the id of a storage, its type is unknown, or it is a view of another storage.
    """
    if not (isinstance(identifier, tuple) and len(identifier) in (5, 6) and identifier[0] == "storage"):
        raise CheckpointError("it is damaged: a persistent id that is not a torch storage")
    _, kind, key, _device, count, *view = identifier
    if not (isinstance(kind, Global) and kind.name in STORAGE_DTYPES and isinstance(key, str) and len(key) < 100):
        raise CheckpointError("it is damaged: a torch storage without a type or key")
    if not _is_size([count]) or any(part is not None for part in view):
        raise CheckpointError(f"it is damaged: a torch storage that is a view, or of {describe(count)} values")
    return key, Storage(STORAGE_DTYPES[kind.name], count)


class ArrayType(Record):
    """A numpy dtype; only numbers are allowed."""

    def __init__(self, code: Any, *_flags: Any) -> None:
        if not (isinstance(code, str) and re.fullmatch(r"[<>|=]?[bfiu][1248]", code)):
            raise CheckpointError(f"refused: a numpy array of type {describe(code)}; weights are numbers")
        super().__init__("numpy.dtype", code)

    def set_state(self, state: Any) -> None:
        """Take the byte order."""
        if not (isinstance(state, tuple) and isinstance(state[1], str) and state[1] in ("<", ">", "|", "=")):
            raise CheckpointError("it is damaged: a numpy dtype without a byte order")
        self.state = state[1] + self.state[-2:]

    def array(self, data: Any, shape: Any, fortran: Any = False) -> NDArray[Any]:
        """Return the bytes as an array of this type."""
        if isinstance(data, str):  # bytes, as Python 2 wrote them
            data = data.encode("latin1")
        if not (isinstance(data, (bytes, memoryview)) and _is_size(shape)):
            raise CheckpointError("it is damaged: a numpy array without bytes or shape")
        dtype = np.dtype(self.state)
        if math.prod(shape) * dtype.itemsize != len(data):
            raise CheckpointError(
                f"it is damaged: a numpy array declares the shape {tuple(shape)} of {dtype}, "
                f"the file has {len(data)} bytes of it"
            )
        array: NDArray[Any] = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
        return array


class Array(Record):
    """A numpy array; `state` holds it once the file has set it."""

    def __init__(self, *_arguments: Any) -> None:
        super().__init__("numpy.ndarray")

    def set_state(self, state: Any) -> None:
        """Take shape, type, order and bytes."""
        if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[2], ArrayType)):
            raise CheckpointError("it is damaged: a numpy array without a type")
        self.state = state[2].array(state[4], state[1], state[3])


def _scalar(dtype: Any, data: Any) -> Any:
    if not isinstance(dtype, ArrayType):
        raise CheckpointError("it is damaged: a numpy scalar without a type")
    return dtype.array(data, ()).item()


def _array_from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
    array = Array()
    array.set_state((1, shape, dtype, order == "F", data))
    return array


def _dictionary(*items: Any) -> dict[Any, Any]:
    pairs = items[0] if items else []
    if not all(is_key(pair[0]) for pair in pairs):
        raise CheckpointError("it is damaged: a dictionary with keys that are neither text nor numbers")
    return dict(pairs)


def _encode(text: Any, encoding: Any) -> bytes:
    if not (isinstance(text, str) and isinstance(encoding, str) and encoding == "latin1"):
        raise CheckpointError(f"it is damaged: bytes written as text in {describe(encoding)}")
    return text.encode("latin1")


_PARTS = ("_parameters", "_buffers", "_modules")


class Module(Record):
    """A network as inert data: the name of its class and its attributes; its code is neither kept nor looked for.

    `state` holds the attributes, tensors among them as `_parameters` and `_buffers`, and the modules within as
    `_modules`.
    """

    def set_state(self, state: Any) -> None:
        """Take the attributes, if they are those of a torch module."""
        if isinstance(state, dict) and all(isinstance(state.get(part), dict) for part in _PARTS):
            self.state = state


class ReleasedModule(Module):
    """A network of NVIDIA's PyTorch releases, whose attributes hold all settings."""


def _released(meta: Any, *_rest: Any) -> ReleasedModule:
    if not (isinstance(meta, dict) and isinstance(meta.get("state"), dict)):
        raise CheckpointError("it is damaged: a module without state")
    name = meta.get("class_name")
    if not isinstance(name, str):
        raise CheckpointError(f"it is damaged: a module whose class is {describe(name)}")
    return ReleasedModule(name[:100], meta["state"])


def _path(*parts: Any) -> str:
    if not all(isinstance(part, str) for part in parts):
        raise CheckpointError("it is damaged: a path that is not text")
    return "/".join(parts)


def _record(name: str) -> Callable[..., Record]:
    return lambda *_arguments: Record(name)


_NUMPY: Allowed = {
    "multiarray.scalar": _scalar,
    "multiarray._reconstruct": Array,
    "numeric._frombuffer": _array_from_buffer,
}

# Configurations of this project's networks, by the kinds of `stylegan2.checkpoints.kinds`.
OWN_CONFIGS = {
    "stylegan2.config.GeneratorConfig": "generator",
    "stylegan2.config.DiscriminatorConfig": "discriminator",
    "stylegan2.mobile.MobileConfig": "mobile-generator",
    "stylegan2.stylegan1.StyleGANConfig": "stylegan-generator",
    "stylegan2.progressive.ProgressiveConfig": "progressive-generator",
    "stylegan2.growing.GrowingDiscriminatorConfig": "growing-discriminator",
}
_PATHS = ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")

# Every name that a file may mention; None: it may be passed on, not called.
ALLOWED: Allowed = {
    **dict.fromkeys(STORAGE_DTYPES),
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": _parameter,
    "torch.device": _record("torch.device"),
    "torch_utils.persistence._reconstruct_persistent_obj": _released,
    "dnnlib.util.EasyDict": _dictionary,
    "dnnlib.EasyDict": _dictionary,
    "dnnlib.tflib.network.Network": _record("dnnlib.tflib.network.Network"),
    "tfutil.Network": _record("tfutil.Network"),
    "collections.OrderedDict": _dictionary,
    "argparse.Namespace": _record("argparse.Namespace"),
    # Networks of this project, which are saved whole by those who do not know `stylegan2.save`.
    **{name: _record(name) for name in OWN_CONFIGS},
    # What attributes of networks mention.
    **dict.fromkeys(f"torch.{dtype}" for dtype in ("float16", "bfloat16", "float32", "float64")),
    # What arguments of a training hold; newer versions of Python keep paths in another module.
    **{f"pathlib{inner}.{kind}": _path for inner in ("", "._local") for kind in _PATHS},
    "builtins.set": lambda items=(): list(items),
    "__builtin__.set": lambda items=(): list(items),
    "_codecs.encode": _encode,
    "numpy.dtype": ArrayType,
    "numpy.ndarray": None,
    **{f"numpy.{core}.{name}": build for core in ("core", "_core") for name, build in _NUMPY.items()},
}


def floats(value: Any, name: str) -> Tensor:
    """Convert a tensor, array or number of a file to a float32 tensor with memory of its own.

    Parameters
    ----------
    value
        As `read_pickled` gives it; a torch tensor is taken as it is.
    name
        What it is, for errors.

    Raises
    ------
    CheckpointError
        It is something else, or does not hold floating point numbers.
    """
    if isinstance(value, Tensor):
        tensor = value
    elif isinstance(value, TensorView):
        tensor = value.read()
    elif isinstance(value, Array) and value.state is not None:
        with np.errstate(all="ignore"):  # what is beyond float32 becomes infinite, which nobody takes for weights
            tensor = torch.from_numpy(value.state.astype(np.float32))
    elif type(value) is float or (type(value) is int and value.bit_length() <= 64):
        tensor = torch.tensor(float(value), dtype=torch.float32)
    else:
        raise CheckpointError(f"it is damaged: {printable(name[:80])} is not a tensor, but {describe(value)}")
    if not tensor.is_floating_point():
        raise CheckpointError(f"it is damaged: {printable(name[:80])} holds {tensor.dtype}, not floating point numbers")
    return tensor.to(torch.float32)
