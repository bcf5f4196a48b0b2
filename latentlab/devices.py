"""Devices by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentlab.errors import UserError

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
        If the device is not available.
    """
    import torch  # the command line imports this module before it needs torch

    if name == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device {str(name)!r} is not available ({reason}); use cpu or auto") from None
    return device
