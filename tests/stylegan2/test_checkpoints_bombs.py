"""No file can hurt who loads it: by the memory or the time it takes, or by the depth of what it nests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stylegan2 import trial
from tests.stylegan2.bombs import BOMBS

# Those that take most of either; what inspects a file reads it by the same rules.
INSPECTED = [
    "empty bytes",
    "deep tuple",
    "shared lists by name",
    "encoded texts",
    "tensors of one storage",
    "tuple as a clamp",
]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bombs")
    for name, make in BOMBS.items():
        (folder / name.replace(" ", "_")).write_bytes(make())
    return {name: folder / name.replace(" ", "_") for name in BOMBS}


@pytest.fixture(scope="module")
def loaded(paths) -> dict[str, dict[str, Any]]:
    return dict(zip(BOMBS, trial.outcomes("load", list(paths.values())), strict=True))


@pytest.fixture(scope="module")
def inspected(paths) -> dict[str, dict[str, Any]]:
    return dict(zip(INSPECTED, trial.outcomes("inspect", [paths[name] for name in INSPECTED]), strict=True))


def assert_little(outcome: dict[str, Any], size: int) -> None:
    assert outcome["said"].isprintable() and len(outcome["said"]) < 900
    assert outcome["bytes"] < 10 * size + (500 << 20), outcome
    assert outcome["seconds"] < trial.SECONDS / 2, outcome


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_one_line_and_little_memory(paths, loaded, name):
    assert loaded[name]["kind"] in ("CheckpointError", "ForbiddenGlobalError"), loaded[name]
    assert loaded[name]["said"].startswith(str(paths[name]))
    assert_little(loaded[name], paths[name].stat().st_size)


@pytest.mark.parametrize("name", INSPECTED)
def test_a_bomb_is_inspected_in_little_memory(paths, inspected, name):
    assert inspected[name]["kind"] == "" and inspected[name]["said"] != "None", inspected[name]
    assert_little(inspected[name], paths[name].stat().st_size)
