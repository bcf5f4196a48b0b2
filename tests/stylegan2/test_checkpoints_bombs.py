"""No file can hurt who loads it: by the memory or the time it takes, or by the depth of what it nests."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.stylegan2 import trial
from tests.stylegan2.bombs import BOMBS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are set and memory is read as on Linux")

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
def outcomes(paths) -> dict[tuple[str, str], dict[str, Any]]:
    """What became of each trial, by its action and the bomb."""
    trials = [*(("load", name) for name in BOMBS), *(("inspect", name) for name in INSPECTED)]
    return dict(zip(trials, trial.outcomes([(action, paths[name]) for action, name in trials]), strict=True))


def assert_little(outcome: dict[str, Any], size: int) -> None:
    assert outcome["said"].isprintable() and len(outcome["said"]) < 900
    assert outcome["bytes"] < 10 * size + (500 << 20), outcome
    assert outcome["seconds"] < trial.SECONDS / 2, outcome


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_one_line_and_little_memory(paths, outcomes, name):
    outcome = outcomes["load", name]
    assert outcome["kind"] in ("CheckpointError", "ForbiddenGlobalError"), outcome
    assert outcome["said"].startswith(str(paths[name]))
    assert_little(outcome, paths[name].stat().st_size)


@pytest.mark.parametrize("name", INSPECTED)
def test_a_bomb_is_inspected_in_little_memory(paths, outcomes, name):
    outcome = outcomes["inspect", name]
    assert outcome["kind"] == "" and outcome["said"] != "None", outcome
    assert_little(outcome, paths[name].stat().st_size)
