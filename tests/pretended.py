"""A CUDA device for machines without one: it says where tensors are as a real one does, and computes on the CPU."""

from __future__ import annotations

import copy
import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node, get_gradient_edge

from stylegan2.mobile import MobileConfig, MobileGenerator

T = TypeVar("T")
_CPU = torch.device("cpu")
_ASKS_FOR_DEVICE = torch.ops.prim.device.default
_LEAF = "torch::autograd::AccumulateGrad"
# Whose arguments may lie on two devices.
_COPIES = ("aten::copy_", "aten::_to_copy")
_INDEXING = ("aten::index.", "aten::index_put", "aten::_index_put_impl_", "aten::_unsafe_index")


class PretendedCuda(FakeTensorMode):
    """While it is entered, "cuda" works.

    Tensors there are torch's fake ones, which say that they are on another device. Each has its numbers beside it on
    the CPU, with which every operation is computed: whatever asks for a value gets it, loops with conditions run to
    their end, and results are those of the CPU. What a GPU refuses is refused: a tensor of the CPU among those of the
    device, unless it is a single number or indices, and drawing there by a generator of the CPU. Tensors on the CPU are
    plain ones.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is _ASKS_FOR_DEVICE:
            return args[0].fake_device
        kwargs = kwargs or {}
        leaves = list(_leaves((args, kwargs)))
        if not any(_is_on_cuda(leaf) for leaf in leaves):
            return func(*args, **kwargs)
        if _is_composite(func):  # of tensors that never take a gradient it arrives whole
            with self:
                return func.decompose(*args, **kwargs)
        device = _device_of(func, leaves, kwargs)
        some, named = _mapped(_on_cpu, (args, kwargs))
        values = func(*some, **named)
        given = {id(leaf.numbers): leaf for leaf in leaves if isinstance(leaf, FakeTensor)}

        def put(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            written = given.get(id(value))  # by operations in place
            return self._put(value, device) if written is None else written

        return _mapped(put, values)

    def _put(self, value: Tensor, device: torch.device) -> Tensor:
        """A tensor with these numbers on a device."""
        if device.type == "cpu":
            return value
        size = value.untyped_storage().nbytes() // value.element_size()
        with torch.inference_mode(value.is_inference()) if torch.is_inference_mode_enabled() else nullcontext():
            meta = torch.empty(size, dtype=value.dtype, device="meta")
            made = FakeTensor(self, meta.as_strided(value.shape, value.stride(), value.storage_offset()), device)
        made.numbers = value
        return made


@cache
def _is_composite(func: Any) -> bool:
    """Whether an operation is made of others."""
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")


def _leaves(value: Any) -> Iterator[Any]:
    """What the arguments or the results of an operation hold; as torch's pytrees, which take longer."""
    if isinstance(value, (list, tuple, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    else:
        yield value


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _mapped(function, part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [_mapped(function, part) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    return function(value)


def _is_on_cuda(leaf: object) -> bool:
    return isinstance(leaf, FakeTensor) or (isinstance(leaf, torch.device) and leaf.type == "cuda")


def _on_cpu(leaf: Any) -> Any:
    if isinstance(leaf, FakeTensor):
        return leaf.numbers
    return _CPU if isinstance(leaf, torch.device) else leaf


def _device_of(func: Any, leaves: list[Any], kwargs: dict[str, Any]) -> torch.device:
    """Device of what an operation makes; RuntimeError, in torch's words, where a GPU would refuse its arguments."""
    name, wanted = func.name(), kwargs.get("device")
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    found = tensors[0].device if tensors else wanted
    if name.startswith(_INDEXING):
        if found.type == "cpu":
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        if "index_put" in name and tensors[-1].dim() and tensors[-1].device != found:
            raise RuntimeError(f"Expected all tensors to be on the same device, but {name} writes {tensors[-1].device}")
    elif not name.startswith(_COPIES):
        devices = {tensor.device for tensor in tensors if tensor.dim() or tensor.device.type != "cpu"}
        if len(devices) > 1:
            there = ", ".join(sorted(map(str, devices)))
            raise RuntimeError(f"Expected all tensors to be on the same device, but {name} found {there}")
        found = devices.pop() if devices else found
    generator = kwargs.get("generator")
    made = torch.device(wanted or found)
    if generator is not None and generator.device.type != made.type:
        raise RuntimeError(f"Expected a '{made.type}' device type for generator but found '{generator.device.type}'")
    return torch.device("cuda", 0) if made.type == "cuda" else made


class _Backward:
    """A backward pass, from the last node to the first.

    It is torch's own in Python: that one asks the driver for streams as soon as a node is of "cuda".
    """

    def __init__(self) -> None:
        self.arrived: dict[Node, dict[int, Tensor]] = {}
        self._waiting: list[tuple[int, int, Node]] = []

    def add(self, node: Node, place: int, gradient: Tensor) -> None:
        """Add to the gradient of one of a node's results."""
        if node not in self.arrived:
            self.arrived[node] = {}
            if node.name() != _LEAF:
                heapq.heappush(self._waiting, (-node._sequence_nr(), id(node), node))
        gradient, own = _as_wanted(gradient, node._input_metadata[place]), self.arrived[node]
        own[place] = own[place] + gradient if place in own else gradient

    def run(self) -> None:
        """Pass on what has been added, until it has arrived at the leaves."""
        while self._waiting:
            node = heapq.heappop(self._waiting)[2]
            own = self.arrived[node]
            given = [own.get(place) for place in range(len(node._input_metadata))]
            made = node.apply(*given) if isinstance(node, BackwardCFunction) else node(*given)
            gradients = made if isinstance(made, tuple) else (made,)
            if isinstance(node, BackwardCFunction):  # whose last inputs may be no tensors
                gradients = gradients[: len(node.next_functions)]
            for gradient, (before, place) in zip(gradients, node.next_functions, strict=True):
                if gradient is not None and before is not None:
                    self.add(before, place, gradient)

    def leaves(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All leaves, with their gradients."""
        for node, own in self.arrived.items():
            if node.name() == _LEAF:
                yield node.variable, own[0]


def _as_wanted(gradient: Tensor, wanted: Any) -> Tensor:
    """A gradient as what it is the gradient of: summed over what was broadcast, in its type; on its device already."""
    if gradient.device.type != wanted.device.type:
        raise RuntimeError(f"expected a gradient on device {wanted.device} but got {gradient.device}")
    gradient = gradient if gradient.shape == wanted.shape else gradient.sum_to_size(wanted.shape)
    return gradient if gradient.dtype == wanted.dtype else gradient.to(wanted.dtype)


def _run_backward(
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor],
    keep_graph: bool,
    create_graph: bool,
    inputs: Sequence[Tensor],
    allow_unreachable: bool,
    accumulate_grad: bool,
) -> tuple[Tensor | None, ...]:
    """Stand in for the function of torch that starts a backward pass; arguments and results are its own."""
    backward, edges = _Backward(), [get_gradient_edge(tensor) for tensor in inputs]
    with torch.set_grad_enabled(create_graph):
        for tensor, gradient in zip(outputs, gradients, strict=True):
            edge = get_gradient_edge(tensor)
            backward.add(edge.node, edge.output_nr, gradient)
        backward.run()
    found = tuple(backward.arrived.get(edge.node, {}).get(edge.output_nr) for edge in edges)
    if not accumulate_grad:
        return found
    for leaf, gradient in zip(inputs, found, strict=True) if inputs else backward.leaves():
        if gradient is not None:
            if gradient.stride() != leaf.stride():  # torch gives a leaf's gradient the leaf's layout
                gradient = torch.empty_like(leaf, requires_grad=False).copy_(gradient)
            leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient
    return ()


CUDA = PretendedCuda()
"""The one device of the process."""


@contextmanager
def pretended_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Enter the device, with gradients, and with autocast, which torch turns off where it finds no GPU."""
    monkeypatch.setattr(torch.autograd, "_engine_run_backward", _run_backward)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (2**33, 2**34))
    for asked in ("memory_reserved", "memory_allocated"):
        monkeypatch.setattr(torch.cuda, asked, lambda device=None: 0)
    # Files are read as they are.
    for asked in ("active_fake_mode", "detect_fake_mode"):
        monkeypatch.setattr(torch._guards, asked, lambda *found: None)
    # Operations of cuDNN have no counterpart on the CPU.
    monkeypatch.setattr(torch.backends.cudnn, "enabled", False)
    with CUDA:
        yield


def on_cuda(value: T) -> T:
    """A copy of a network, a tensor, or a dictionary of tensors, on the device."""
    with CUDA:
        if isinstance(value, dict):
            return {name: on_cuda(part) for name, part in value.items()}
        return copy.deepcopy(value).to("cuda")


def check_alike(found: Any, expected: Any, tolerance: float = 1e-4) -> None:
    """Check that tensors are on the device, and what the CPU finds up to a share of the largest value.

    The order of summation differs, for code may take another way on a GPU.
    """
    for one, other in zip(_leaves(found), _leaves(expected), strict=True):
        assert one.device.type == "cuda"
        assert one.dtype == other.dtype
        largest = float(other.detach().abs().max()) if other.numel() else 0.0
        near = {"rtol": 0, "atol": tolerance * max(largest, 1e-6)}
        torch.testing.assert_close(one.detach().cpu().float(), other.detach().float(), **near)


MOBILE = MobileConfig(
    resolution=64, z_dim=16, w_dim=12, mapping_layers=2, channel_base=256, channel_max=16, preview_resolution=32
)


def make_mobile() -> MobileGenerator:
    """A mobile generator with a preview head, of images large enough for every network; nothing in it is trivial."""
    rng = torch.Generator().manual_seed(5)
    network = MobileGenerator(MOBILE).eval().requires_grad_(False)
    for value in network.state_dict().values():
        value.copy_(0.5 * torch.randn(value.shape, generator=rng))
    return network
