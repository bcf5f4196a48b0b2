"""A worker: a process that holds the networks of a job, and works on one item after the other."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray
import torch

from latentlab.distributed.sending import unpack
from latentlab.errors import UserError


@dataclass(frozen=True)
class Place:
    """What a worker takes over from the process that the work is for.

    Attributes
    ----------
    folder
        Working folder, from which paths are read.
    threads
        Threads of torch: sums in another order differ in their last bits.
    """

    folder: str
    threads: int

    @classmethod
    def here(cls) -> Place:
        """The place of this process."""
        return cls(os.getcwd(), torch.get_num_threads())

    def take(self) -> None:
        """Take it over; UserError if there is no such folder."""
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise UserError(
                f"a worker's machine has no folder {self.folder} ({error.strerror}): the machines of a cluster share "
                "the folders that commands read and write, under the same names"
            ) from error
        torch.set_num_threads(self.threads)


@dataclass(frozen=True)
class Answer:
    """What a worker made of an item.

    Attributes
    ----------
    result
        The result.
    seconds
        How long it took.
    warnings
        Warnings for the user.
    """

    result: Any
    seconds: float
    warnings: tuple[str, ...]


class Worker:
    """One process; Ray makes an actor of it."""

    def __init__(self) -> None:
        self._work: Callable[[Any], Any]

    def prepare(self, job: bytes, place: Place) -> str:
        """Get ready for a job; return what Ray calls this machine."""
        place.take()
        self._work = unpack(job)(None)
        return str(ray.get_runtime_context().get_node_id())

    def do(self, item: Any) -> Answer:
        """Work on an item."""
        begun = time.perf_counter()
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("default")
            found = self._work(item)
        told = tuple(str(one.message) for one in noted if one.category is UserWarning)
        return Answer(found, time.perf_counter() - begun, told)
