"""Values that are computed from weights alone, kept for as long as the weights stay as they are.

Demodulation sums, weights in another type, weights transformed for Winograd's convolution: none of them depends on
what a network is given. They are kept beside the weights, not in the modules, so that nothing about a network changes:
its state, its copies and its files hold no trace of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

_SAMPLED = 64  # values of a weight that are compared: few enough to cost nothing


@dataclass
class _Kept:
    """What is known of some weights: the state that they were in, and what was computed from them then."""

    states: list[tuple[int, int]]
    samples: list[Tensor]
    value: Tensor

    @classmethod
    def of(cls, weights: tuple[Tensor, ...], value: Tensor) -> _Kept:
        """Note the state of weights and what was computed from them."""
        return cls([_state(w) for w in weights], [_sample(w).clone() for w in weights], value)

    def holds_for(self, weights: tuple[Tensor, ...]) -> bool:
        """Whether the weights are as they were.

        Every change that autograd knows of counts the version up. A change through `weight.data`, as older code
        averages its weights, does not: the sample shows it, unless it is of few values.
        """
        return self.states == [_state(w) for w in weights] and all(
            torch.equal(sample, _sample(w)) for sample, w in zip(self.samples, weights, strict=True)
        )


_kept = WeakIdKeyDictionary()
_lock = RLock()  # what is derived may be derived from what is derived


def derived(name: str, compute: Callable[..., Tensor], *weights: Tensor) -> Tensor:
    """Return `compute(*weights)`: the value kept under `name`, or a new one if a weight has changed since.

    Parameters
    ----------
    name
        What is computed; for the same first weight, a name stands for one function of weights.
    compute
        Function of the weights alone.
    weights
        Any. The value is kept, until the first is freed, if they are on a CPU and no gradient passes through them; on
        another device, where looking at a weight would wait for all work queued before, it is computed each time.
    """
    if not all(map(_can_be_kept, weights)):
        return compute(*weights)
    with _lock:
        if weights[0] not in _kept:
            _kept[weights[0]] = {}
        by_name: dict[str, _Kept] = _kept[weights[0]]
        kept = by_name.get(name)
        if kept is None or not kept.holds_for(weights):
            # Not an inference tensor, even in inference mode: a later call may record gradients of what it meets.
            with torch.inference_mode(False), torch.no_grad():
                kept = by_name[name] = _Kept.of(weights, compute(*(w.detach() for w in weights)))
        value: Tensor = kept.value
    return value


def _can_be_kept(weight: Tensor) -> bool:
    if torch.compiler.is_compiling() or type(weight) not in (Tensor, torch.nn.Parameter):
        return False
    if weight.device.type != "cpu" or weight.is_inference():  # an inference tensor counts no versions
        return False
    if not weight.is_contiguous() and not (
        weight.dim() == 4 and weight.is_contiguous(memory_format=torch.channels_last)
    ):
        return False  # a view of others' values, which may lie anywhere
    return not (weight.requires_grad and torch.is_grad_enabled())


def _sample(weight: Tensor) -> Tensor:
    """Some values `(n,)` from all over a weight, as a view."""
    count = min(weight.numel(), _SAMPLED)
    return weight.detach().as_strided((count,), (weight.numel() // count if count else 1,))


def _state(weight: Tensor) -> tuple[int, int]:
    """Where a weight lies, and how often it was changed."""
    return weight.data_ptr(), weight._version
