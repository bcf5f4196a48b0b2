"""Files that are written in the background: all of them, or an error that says which is not."""

from __future__ import annotations

import threading
import time

import pytest

from latentlab.background import in_background
from latentlab.errors import UserError
from latentlab.files import write_text


def test_all_is_written_at_the_end(tmp_path):
    def slow(path):
        time.sleep(0.1)
        write_text(path, "done")

    with in_background() as later:
        begun = time.perf_counter()
        for name in "ab":
            later(slow, tmp_path / name)
        assert time.perf_counter() - begun < 0.1
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["done", "done"]


def test_few_calls_wait_and_an_error_stops_the_work(tmp_path):
    gate, begun = threading.Event(), []

    def held(number):
        begun.append(number)
        gate.wait()

    with in_background() as later:
        for number in range(4):
            later(held, number)
        threading.Timer(0.2, gate.set).start()
        later(held, 4)  # waits for the first
        assert gate.is_set()
    assert begun == [0, 1, 2, 3, 4]
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"), in_background() as later:
        for _ in range(9):
            later(write_text, tmp_path / "file" / "a.txt", "text")
        raise AssertionError("nobody learnt of the error")


def test_an_error_is_raised_and_names_the_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"), in_background() as later:
        later(write_text, tmp_path / "file" / "a.txt", "text")
        later(write_text, tmp_path / "b.txt", "text")
    assert (tmp_path / "b.txt").read_text() == "text"


def test_an_error_of_the_work_comes_first(tmp_path):
    with pytest.raises(ZeroDivisionError), in_background() as later:
        later(write_text, tmp_path / "none" / "a.txt", "text")
        raise ZeroDivisionError
