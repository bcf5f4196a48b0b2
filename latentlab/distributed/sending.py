"""Jobs as bytes: with the networks that they hold, whose tensors come out on the device of whoever reads them."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import PurePath
from types import SimpleNamespace
from typing import Any

import torch
from ray import cloudpickle

from latentlab.errors import UserError


@dataclass(frozen=True)
class Packed:
    """An object as bytes.

    Attributes
    ----------
    content
        The bytes.
    relative
        A relative path in the object, which only means something in the folder that it is read from; None without one.
    """

    content: bytes
    relative: PurePath | None


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Names devices by their kind: a worker has one, whichever number it had elsewhere."""

    relative: list[PurePath]  # those that it came across

    def reducer_override(self, obj: Any) -> Any:
        """Return how an object is made again."""
        if isinstance(obj, torch.device):
            return torch.device, (obj.type if obj.index is None else f"{obj.type}:0",)
        if isinstance(obj, PurePath) and not obj.is_absolute():
            self.relative.append(obj)
        return super().reducer_override(obj)


def pack(job: Any) -> Packed:
    """Return an object, such as a function with the networks that it works with, as bytes for `unpack`.

    Raises
    ------
    UserError
        If something in it cannot be sent, such as a network of a library that holds it outside of Python.
    """
    buffer = io.BytesIO()
    relative: list[PurePath] = []
    pickler = type("Pickler", (_Pickler,), {"relative": relative})
    try:
        torch.save(job, buffer, pickle_module=SimpleNamespace(Pickler=pickler, __name__="cloudpickle"))
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise UserError(f"this work cannot be sent to workers ({error}): do it without --workers") from error
    return Packed(buffer.getvalue(), next(iter(relative), None))


def unpack(packed: Packed) -> Any:
    """Return the object of some bytes; tensors that were on an accelerator come out on this process's own."""
    return torch.load(io.BytesIO(packed.content), map_location=_own_device, weights_only=False)


def _own_device(storage: Any, location: str) -> Any:
    kind = location.partition(":")[0]
    restore: Any = torch.serialization.default_restore_location
    return storage if kind == "cpu" else restore(storage, f"{kind}:0")
