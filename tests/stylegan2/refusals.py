"""How loading refuses a checkpoint: in one line that starts with the path."""

from __future__ import annotations

from pathlib import Path

import pytest

import stylegan2
from stylegan2 import CheckpointError


def refusal(path: Path | str, network: str | None = "G_ema") -> str:
    with pytest.raises(CheckpointError) as caught:
        stylegan2.load(path, network)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message
