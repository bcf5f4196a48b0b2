"""Safetensors with the same bytes for the same content."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping

from safetensors.torch import save
from torch import Tensor

_ALIGNMENT = 8  # of the tensors behind the header, which is filled up with spaces


def to_safetensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return the content of a safetensors file.

    The library writes the entries of the metadata in an order that changes from call to call; here they are sorted.

    Parameters
    ----------
    tensors
        Tensors by name, of any device.
    metadata
        Text by name.
    """
    written = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, dict(metadata))
    (length,) = struct.unpack_from("<Q", written)
    entries = json.loads(written[8 : 8 + length])
    entries["__metadata__"] = dict(sorted(entries["__metadata__"].items()))
    header = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % _ALIGNMENT)
    return b"".join([struct.pack("<Q", len(header)), header, memoryview(written)[8 + length :]])
