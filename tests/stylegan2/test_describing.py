"""Words for values of unknown origin: never long, never unprintable, never without end."""

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentlab.errors import UserError
from latentlab.files import check_regular
from stylegan2.describing import describe, printable
from stylegan2.regular import irregular


def nested(depth):
    value = ()
    for _ in range(depth):
        value = (value,)
    return value


def doubling():
    value = []
    for _ in range(60):
        value = [value, value]
    return value


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(), st.lists))
def test_descriptions_are_short_and_printable(value):
    words = describe(value)
    assert 0 < len(words) <= 70
    assert words.isprintable()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (True, "True"),
        (12, "12"),
        (2.5, "2.5"),
        ("lrelu", "'lrelu'"),
        ("\x1b[31mred\n", r"'\x1b[31mred\n'"),
        ([1, 2], "a list"),
        (b"bytes", "a bytes"),
        ("a" * 100, "'" + "a" * 59 + "…'"),
    ],
)
def test_values_in_words(value, words):
    assert describe(value) == words


def test_long_integers_are_named_by_their_size():
    assert describe(10**5000) == "an integer of 16610 bits"  # Python refuses to write them


@pytest.mark.parametrize("make", [lambda: nested(10**6), doubling], ids=["deep", "shared"])
def test_what_cannot_be_written_is_named_by_its_type(make):
    assert describe(make()) in ("a tuple", "a list")


def test_printable_keeps_letters_of_any_language():
    assert printable("Zürich 東京") == "Zürich 東京"


def test_what_is_no_regular_file_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(str(tmp_path / "socket"))
    kinds = {name: irregular(tmp_path / name) for name in ("file", "missing", "pipe", "socket", "")}
    assert kinds == {"file": None, "missing": None, "pipe": "a named pipe", "socket": "a socket", "": "a folder"}
    assert irregular("/dev/zero") == "a device"
    assert irregular("x" * 5000) is None
    with pytest.raises(UserError, match="pipe is a named pipe; give a file$"):
        check_regular(tmp_path / "pipe")
