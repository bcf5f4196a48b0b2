"""What killed processes were writing is removed, and what living ones write is not."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import stylegan2
from latentlab.archives import unpack
from latentlab.files import write_json
from stylegan2.writing import _PREFIX, _remove_left, temporary_beside

# Writes the half of a file or folder of each kind, and waits.
HALF = """
import sys
from pathlib import Path
from latentlab.files import atomic_path
from stylegan2.writing import temporary_beside

place = Path(sys.argv[1])
with atomic_path(place / "a.json") as one, temporary_beside(place / "b", folder=True) as two:
    one.write_text("[1, 2")
    (two / "image.png").write_bytes(b"half")
    print("half", flush=True)
    sys.stdin.read()
"""


def begin_writing(folder: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HALF, str(folder)]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "half\n"
    return process


def left_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.startswith("."))


def test_what_a_killed_process_left_is_removed_by_the_next_and_a_living_ones_is_not(tmp_path, tiny):
    killed, living = begin_writing(tmp_path), begin_writing(tmp_path)
    everything = left_in(tmp_path)
    assert len(everything) == 4
    killed.send_signal(signal.SIGKILL)
    killed.wait(60)
    assert left_in(tmp_path) == everything
    stylegan2.save(tiny, tmp_path / "x.safetensors")
    kept = left_in(tmp_path)
    assert len(kept) == 2 and [path.read_text() for path in kept if path.is_file()] == ["[1, 2"]
    living.communicate("", timeout=60)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "x.safetensors"]
    assert (tmp_path / "a.json").read_text() == "[1, 2"


def test_what_other_machines_write_is_left_alone_for_a_day(tmp_path):
    day = 86_400
    ages = {"00000000-new.json": 0, "00000000-early.json": day - 3600, "00000000-old.json": day + 3600}
    for name, age in ages.items():
        (tmp_path / f"{_PREFIX}{name}").write_text("half")
        os.utime(tmp_path / f"{_PREFIX}{name}", (time.time() - age,) * 2)
    (tmp_path / ".hidden").write_text("the user's own")
    write_json(tmp_path / "a.json", [])
    assert [path.name for path in left_in(tmp_path)] == [
        ".hidden", f"{_PREFIX}00000000-early.json", f"{_PREFIX}00000000-new.json"
    ]  # fmt: skip


def test_a_name_that_another_process_took_for_a_left_one_is_replaced(tmp_path, monkeypatch):
    """Between the making of a file and its lock there is a moment."""
    from stylegan2 import writing

    taken = []
    lock = writing.fcntl.flock

    def take_away_first(handle, operation):
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].unlink()
        lock(handle, operation)

    monkeypatch.setattr(writing.fcntl, "flock", take_away_first)
    with temporary_beside(tmp_path / "a") as temporary:
        assert temporary.exists() and temporary not in taken


def test_of_a_killed_unpacking_nothing_stays(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("set/a.png", b"an image")
    process = begin_writing(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert unpack(tmp_path / "set.zip", tmp_path / "set") == tmp_path / "set" / "set"
    assert left_in(tmp_path) == []


@pytest.fixture(autouse=True)
def nothing_known():
    """As in a process of its own, each test looks into its folder for the first time."""
    _remove_left.cache_clear()
