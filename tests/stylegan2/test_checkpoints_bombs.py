"""No file can hurt who loads it: by the memory or the time it takes, or by the depth of what it nests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stylegan2 import trial
from tests.stylegan2.bombs import BOMBS


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, dict[str, Any]]:
    """What became of each file: it is loaded by a process of its own, which it may end."""
    folder = tmp_path_factory.mktemp("bombs")
    paths = []
    for name, make in BOMBS.items():
        paths.append(folder / name.replace(" ", "_"))
        paths[-1].write_bytes(make())
    command = [sys.executable, trial.__file__, *map(str, paths)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    sizes = [path.stat().st_size for path in paths]
    return {name: {**line, "size": size} for name, line, size in zip(BOMBS, lines, sizes, strict=True)}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_one_line_and_little_memory(outcomes, name):
    found = outcomes[name]
    assert found["kind"] in ("CheckpointError", "ForbiddenGlobalError"), found
    assert name.replace(" ", "_") in found["said"] and found["said"].isprintable() and len(found["said"]) < 900
    assert found["bytes"] < 10 * found["size"] + (500 << 20), found
    assert found["seconds"] < trial.SECONDS / 2, found
