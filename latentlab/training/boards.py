"""TensorBoard, for whoever has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latentlab.errors import missing_package


def open_tensorboard(folder: Path) -> Any:
    """Open a writer of `folder/tensorboard`.

    Raises
    ------
    UserError
        TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise missing_package("TensorBoard is not installed", "tensorboard") from error
    return SummaryWriter(folder / "tensorboard")
