"""A hash that identifies a network by what it computes, its settings and weights, not by its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def fingerprint(config_dict: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> str:
    """Hash settings and weights.

    Parameters
    ----------
    config_dict
        Settings that change the output, for JSON. Leave out those that do not (precision, training).
    state_dict
        Tensors by name. Their device and memory layout do not matter; name, dtype, shape and values do.

    Returns
    -------
    str
        64 hexadecimal digits: SHA-256 over the settings as canonical JSON and, in the order of names,
        each tensor's name, dtype, shape and bytes (little-endian hosts give the same hash everywhere).
    """
    digest = hashlib.sha256()
    settings = json.dumps(dict(config_dict), sort_keys=True, separators=(",", ":"), allow_nan=False)
    digest.update(settings.encode())
    for name in sorted(state_dict):
        tensor = state_dict[name].detach().cpu().contiguous()
        dtype = str(tensor.dtype).removeprefix("torch.")
        # Sizes come before the bytes, so no two dicts give the same stream.
        digest.update(f"\n{name} {dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
