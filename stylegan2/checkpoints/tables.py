"""Two-way tables of the layouts of Progressive GAN and StyleGAN: tensors by their names in a file and by the project's.

A format reads and writes by the same table, so that what it writes is what it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from stylegan2.checkpoints.format import State
from stylegan2.describing import describe
from stylegan2.errors import CheckpointError
from stylegan2.growing import BLUR
from stylegan2.layers import resample_buffer


@dataclass(frozen=True)
class Conversion:
    """How the values of a tensor differ between a file and the project.

    Attributes
    ----------
    read, write
        From the file's shape, order and scale to the project's, and back.
    """

    read: Callable[[Tensor], Tensor]
    write: Callable[[Tensor], Tensor]


def scaled(factor: float) -> Conversion:
    """Values of the project that are those of the file times `factor`."""
    return Conversion(lambda value: value * factor, lambda value: value / factor)


SAME = Conversion(lambda value: value, lambda value: value)
FLIPPED = Conversion(lambda value: value.flip(2, 3), lambda value: value.flip(2, 3))
"""Weights `(o, i, k, k)` of an enlarging layer that is not fused: it correlates, and the project's convolve."""
SWAPPED = Conversion(lambda value: value.transpose(0, 1), lambda value: value.transpose(0, 1))
"""Weights `(i, o, k, k)` of a transposed convolution."""
WITH_BATCH = Conversion(lambda value: value[0], lambda value: value[None])
"""The constant `(1, o, 4, 4)`."""
WITH_BATCH_AND_CHANNEL = Conversion(
    lambda value: value.reshape(value.shape[-2:]), lambda value: value.reshape(1, 1, *value.shape)
)
"""A noise map `(1, 1, r, r)`."""


class Entry(NamedTuple):
    """The place of a tensor in a layout: its name there, the project's, and how the values differ."""

    theirs: str
    ours: str
    conversion: Conversion = SAME


@dataclass(frozen=True)
class Table:
    """The tensors of a network in a layout.

    Attributes
    ----------
    entries
        Parameters and buffers, each with one name there and one here, some of which a network may lack.
    blurs
        Names there of the fixed filters [1, 2, 1], which are stored once for each channel; and the project's name of a
        bias that has as many.
    unknown
        What is said about a name that the layout does not have, which stands at {}.
    """

    entries: tuple[Entry, ...]
    blurs: Mapping[str, str]
    unknown: str

    def read(self, values: State) -> State:
        """Return the tensors of a file by the project's names.

        Raises
        ------
        CheckpointError
            A name that the layout does not have, or another filter.
        """
        places = {entry.theirs: entry for entry in self.entries}
        state: State = {}
        for name, value in values.items():
            if name in self.blurs:
                _check_blur(value)
            elif name in places:
                state[places[name].ours] = places[name].conversion.read(value)
            else:
                raise CheckpointError(f"unsupported: {self.unknown.format(describe(name))}")
        return state

    def write(self, state: State) -> State:
        """Return tensors by the project's names, all of which the layout has to have, by the names of the layout."""
        found = {theirs: conversion.write(state[ours]) for theirs, ours, conversion in self.entries if ours in state}
        assert len(found) == len(state)
        blur = resample_buffer(BLUR)
        for name, bias in self.blurs.items():
            if bias in state:
                found[name] = blur.expand(len(state[bias]), 1, *blur.shape)
        return {name: value.contiguous() for name, value in found.items()}


def _check_blur(kernel: Tensor) -> None:
    """Refuse any filter other than the paper's."""
    wanted = resample_buffer(BLUR)
    if kernel.shape[-2:] != wanted.shape or not torch.allclose(kernel, wanted.expand_as(kernel), atol=1e-5):
        raise CheckpointError("unsupported: it blurs with another filter than [1, 2, 1]")
