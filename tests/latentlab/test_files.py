"""Atomic files: whole or absent, and one clear line where the place cannot be written."""

import json
import os
import resource
import subprocess
import sys
import textwrap

import pytest

from latentlab.errors import UserError
from latentlab.files import atomic_path, read_json, write_json


def test_the_file_appears_only_when_the_block_ends(tmp_path):
    target = tmp_path / "new" / "table.parquet"
    with atomic_path(target) as temporary:
        assert (temporary.parent, temporary.suffix) == (target.parent, ".parquet")
        temporary.write_bytes(b"content")
        assert not target.exists()
    assert target.read_bytes() == b"content"
    assert os.listdir(target.parent) == ["table.parquet"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, ConnectionResetError])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(error), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_two_writers_do_not_meet(tmp_path):
    with atomic_path(tmp_path / "a") as first, atomic_path(tmp_path / "a") as second:
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a").read_text() == "first"  # the outer block ends last


def test_permissions_follow_the_umask(tmp_path):
    with atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("")
    (tmp_path / "b").write_text("")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize("name", ["file/deep/a.json", "file/a.json", "folder", "x" * 300])
def test_places_that_cannot_be_written_are_named(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    target = tmp_path / name
    with pytest.raises(UserError, match=str(target)):
        write_json(target, {})
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_full_disk_is_one_line(tmp_path):
    # A limit on the size of files is the nearest to a full disk that needs no mount: the write itself fails.
    script = f"""
        from latentlab.errors import UserError
        from latentlab.files import write_json
        try:
            write_json({str(tmp_path / "a.json")!r}, list(range(10000)))
        except UserError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        check=True,
    )
    assert done.stdout.startswith(f"cannot write {tmp_path / 'a.json'}: File too large")
    assert os.listdir(tmp_path) == []


def test_json_comes_back(tmp_path):
    data = {"b": [1, 2.5, None], "a": "größer"}
    write_json(tmp_path / "a.json", data)
    assert read_json(tmp_path / "a.json") == data
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["b", "a"]


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe", b"[" * 100_000])
def test_broken_json_is_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match="a.json"):
        read_json(tmp_path / "a.json")


def test_missing_json_is_named(tmp_path):
    with pytest.raises(UserError, match="a.json: No such file"):
        read_json(tmp_path / "a.json")
