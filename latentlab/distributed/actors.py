"""A worker: a process that holds the networks of a job, and works on one item after another."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray
import torch

from latentlab.distributed.sending import Packed, pack, unpack
from latentlab.errors import UserError
from latentlab.mirroring import Mirrored, mirrored, send_all, take_over


@dataclass(frozen=True)
class Place:
    """What a worker takes over from the process that the work is for.

    Attributes
    ----------
    folder
        Working folder, from which paths are read.
    threads
        Threads of torch: sums in another order differ in their last bits.
    mirrored
        Folders that are kept in an object store.
    """

    folder: str
    threads: int
    mirrored: tuple[Mirrored, ...] = ()

    @classmethod
    def here(cls) -> Place:
        """The place of this process."""
        return cls(os.getcwd(), torch.get_num_threads(), tuple(mirrored()))

    def take(self) -> bool:
        """Take it over, and return whether there is such a folder here."""
        torch.set_num_threads(self.threads)
        take_over(self.mirrored)
        try:
            os.chdir(self.folder)
        except OSError:
            return False
        return True

    def check_unneeded(self, packed: Packed) -> None:
        """Make sure that something needs no folder to work on; UserError if there is a relative path in it."""
        if packed.relative is not None:
            raise UserError(
                f"{str(packed.relative)!r} is a path from {self.folder}, and a worker's machine has no such folder: "
                "the machines of a cluster share the folders that commands read and write, under the same names"
            )


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
        self._check: Callable[[Packed], None] | None

    def prepare(self, job: Packed, place: Place) -> str:
        """Get ready for a job; return what Ray calls this machine."""
        self._check = None if place.take() else place.check_unneeded
        if self._check is not None:
            self._check(job)
        self._work = unpack(job)(None)
        return str(ray.get_runtime_context().get_node_id())

    def do(self, item: Any) -> Answer:
        """Work on an item."""
        if self._check is not None:
            self._check(pack(item))
        begun = time.perf_counter()
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("default")
            found = self._work(item)
            send_all()
        told = tuple(str(one.message) for one in noted if one.category is UserWarning)
        return Answer(found, time.perf_counter() - begun, told)
