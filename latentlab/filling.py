"""Networks filled with the tensors of a file, after a check that takes no memory: a file may declare any size."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from latentlab.errors import UserError
from stylegan2.describing import describe

N = TypeVar("N", bound=nn.Module)

_SHOWN = 3  # differences in a message


def filled(build: Callable[[], N], tensors: Mapping[str, Tensor]) -> N:
    """Build a network and give it the weights of a file; it is built on no device until names and shapes agree.

    Parameters
    ----------
    build
        Function, or method, without arguments that builds the network with any weights.
    tensors
        Its state dict.

    Raises
    ------
    UserError
        The tensors are not those of the network. Names the first few that differ.
    """
    check_fits(tensors, state_of(build))
    network = build()
    network.load_state_dict(tensors)
    return network


def state_of(build: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """Return the state dict of the network that `build` makes, its tensors on the meta device: shapes alone."""
    with torch.device("meta"):
        state: dict[str, Tensor] = _undecorated(build)().state_dict()
    return state


def _undecorated(build: Callable[[], Any]) -> Callable[[], Any]:
    """The bare function behind `stylegan2.defaults.plain_defaults`, which would build on the CPU."""
    owner = getattr(build, "__self__", None)
    bare = inspect.unwrap(getattr(build, "__func__", build))
    return bare if owner is None else lambda: bare(owner)


def check_fits(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Refuse tensors that do not have the names, shapes and kinds of numbers of those that are `wanted`.

    Raises
    ------
    UserError
        Names the first few differences.
    """
    found = list(itertools.islice(_differences(tensors, wanted), _SHOWN + 1))
    if found:
        more = ", …" if len(found) > _SHOWN else ""
        raise UserError(f"its tensors are those of another network: {', '.join(found[:_SHOWN])}{more}")


def _differences(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Iterator[str]:
    for name, like in wanted.items():
        if name not in tensors:
            yield f"it lacks {name}"
        elif tensors[name].shape != like.shape:
            yield f"{name} has the shape {tuple(tensors[name].shape)}, not {tuple(like.shape)}"
        elif tensors[name].is_floating_point() != like.is_floating_point():
            yield f"{name} has numbers of type {tensors[name].dtype}"
    for name in tensors.keys() - wanted.keys():
        yield f"it has {describe(name)}, which is unknown"
