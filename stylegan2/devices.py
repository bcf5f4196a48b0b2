"""Devices by name."""

from __future__ import annotations

import torch

from stylegan2.errors import DeviceError


def find_device(name: str | torch.device = "auto") -> torch.device:
    """Return the device called `name`, after checking that it works.

    Parameters
    ----------
    name
        'cpu', 'cuda', 'cuda:1', 'mps', or 'auto' for the best available one.

    Raises
    ------
    DeviceError
        If the device is not available; names those that are.
    """
    if name == "auto":
        return torch.device(_available()[0])
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        there = ", ".join(_available())
        raise DeviceError(f"device {str(name)!r} is not available ({reason}); there is {there}, or auto") from None
    return device


def _available() -> list[str]:
    """Names of the available devices, the best one first."""
    cuda = ["cuda", *(f"cuda:{k}" for k in range(torch.cuda.device_count()))] if torch.cuda.is_available() else []
    return [*cuda, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def has_amx() -> bool:
    """Whether the CPU has AMX's matrix units, which torch has no public name for."""
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())
