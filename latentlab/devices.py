"""Devices by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentlab.errors import UserError
from stylegan2.errors import DeviceError

if TYPE_CHECKING:
    import torch


def find_device(name: str | torch.device = "auto") -> torch.device:
    """Return the device called `name`.

    Parameters
    ----------
    name
        'cpu', 'cuda', 'cuda:1', 'mps', or 'auto' for the best available one.

    Raises
    ------
    UserError
        If the device is not available; names those that are.
    """
    from stylegan2 import devices  # the command line imports this module before it needs torch

    try:
        return devices.find_device(name)
    except DeviceError as error:
        raise UserError(str(error)) from None
