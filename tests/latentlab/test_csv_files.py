"""CSV files of others: their line is named, and their names do not lead out of a folder."""

import json
import os
import re

import pytest

from latentlab.csv_files import path_in, read_records, read_rows
from latentlab.errors import UserError
from latentlab.faces.given import GivenFaces
from latentlab.scorers.attributes.data import load_labels
from latentlab.training import History

HEADING = "image,identity,young\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    for name in ("in/a.png", "in/deeper/b.png", "secret.png"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path / "in"


def labels(folder, content):
    (folder / "labels.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_labels(folder / "labels.csv", folder)


def test_labels_with_a_byte_order_mark_and_any_line_breaks(folder):
    for content in (
        HEADING + "a.png,7,1\n\ndeeper/b.png,8,0",
        HEADING.replace("\n", "\r\n") + "a.png,7,1\r\ndeeper/b.png,8,0",
    ):
        for mark in (b"", b"\xef\xbb\xbf"):
            found = labels(folder, mark + content.encode())
            assert found.files == ("a.png", "deeper/b.png") and found.values.tolist() == [[True], [False]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "needs the columns image and identity"),
        ("\n\n", "needs the columns image and identity"),
        (HEADING, "has no images"),
        ("image,young\na.png,1\n", "needs the columns identity in"),
        ("image,identity\na.png,1\n", "needs a column for an attribute"),
        ("image,identity,young,young\na.png,1,1,1\n", "two columns 'young'"),
        (HEADING + "a.png,7,1\na.png,7\n", "line 3: 2 cells, and the first line has 3"),
        (HEADING + "a.png,7,1,1\n", "line 2: 4 cells"),
        (HEADING + "a.png,7,yes\n", "line 2: young is not 0 or 1"),
        (HEADING + "a.png,7,1\n\n\na.png,\0,1\n", "line 5: a NUL"),
        (HEADING + "a.png,7,1\n" + "a" * 200_000 + ",7,1\n", "line 3: field larger"),
        (HEADING + 'a.png,"7,1\n', "line 2: unexpected end"),
        (b"\xff\xfe" + HEADING.encode("utf-16-le"), "is no text in UTF-8"),
        (HEADING + "../secret.png,7,1\n", "line 2: '../secret.png' is no file in the folder"),
        (HEADING + "deeper/../../secret.png,7,1\n", "is no file in the folder"),
        (HEADING + "/etc/hostname,7,1\n", "line 2: '/etc/hostname' is no file in the folder"),
        (HEADING + ",7,1\n", "line 2: '' is no file in the folder"),
        (HEADING + "deeper,7,1\n", "line 2: .*deeper is a folder"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_labels(folder, content, told):
    with pytest.raises(UserError, match=rf"labels\.csv.*{told}") as raised:
        labels(folder, content)
    assert len(str(raised.value)) < 400 + len(str(folder)) * 3


def test_a_file_of_more_rows_than_memory_should_hold(folder):
    with pytest.raises(UserError, match=r"labels\.csv has 38 MiB, and CSV files of up to 32 are read"):
        labels(folder, "a\n" * 20_000_000)


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_that_lead_out_are_refused_and_others_not(folder):
    (folder / "out.png").symlink_to(folder.parent / "secret.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "inside.png").symlink_to(folder / "a.png")
    (folder.parent / "link").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    assert path_in(folder.parent / "link", "inside.png", "x") == folder.parent / "link" / "inside.png"
    for name in ("out.png", "pipe.png"):
        with pytest.raises(UserError, match=re.escape(f"x, line 2: {'' if name == 'pipe.png' else repr(name)}")):
            path_in(folder, name, "x, line 2")
    path_in(folder, "loop.png", "x")  # inside, and opening it says why it is none
    for name in ("a" * 5000, "a\0b", "\ud800"):
        try:
            path_in(folder, name, "x")
        except UserError as error:
            assert len(str(error)) < 300 + len(str(folder))


def test_faces_in_a_csv(tmp_path):
    (tmp_path / "faces.csv").write_bytes("\ufeffphoto,left,top,right,bottom\na.jpg,1,2,30,40\n\nb,1,2,3\n".encode())
    with pytest.raises(UserError, match=r"faces\.csv, line 4: a face has"):
        GivenFaces(tmp_path / "faces.csv")


def test_a_box_of_very_many_numbers_is_counted(tmp_path):
    (tmp_path / "faces.json").write_text(json.dumps({"a.jpg": {"box": [1, 2, 30, 40] * 10_000}}))
    with pytest.raises(UserError, match=r"a\.jpg.: a box is .* not 40000 numbers"):
        GivenFaces(tmp_path / "faces.json")


def test_a_long_name_is_cut_in_messages(tmp_path):
    (tmp_path / "faces.json").write_text(json.dumps({"x" * 100_000: {"box": [1, 2]}}))
    with pytest.raises(UserError, match=r"a box is") as raised:
        GivenFaces(tmp_path / "faces.json")
    assert len(str(raised.value)) < 300 + len(str(tmp_path))


def test_a_history_that_is_none(tmp_path):
    for content, told in (
        ("a,b\n1,2\n", "columns step"),
        ("step,loss\n²,1\n", "line 2"),
        (f"step\n{'9' * 5000}\n", "line 2"),
    ):
        (tmp_path / "history.csv").write_text(content, "utf-8")
        with pytest.raises(UserError, match=rf"history\.csv.*{told}.*remove it"):
            History(tmp_path / "history.csv", 5)
    (tmp_path / "history.csv").write_text("step,loss\n1,0.5\n7,0.25\n", "utf-8")
    assert History(tmp_path / "history.csv", 5).rows == [{"step": "1", "loss": "0.5"}]


def test_rows_of_several_lines_have_the_number_of_the_last(tmp_path):
    (tmp_path / "a.csv").write_text('a,b\n"x\ny",2\n3,4\n', "utf-8")
    assert read_rows(tmp_path / "a.csv") == [(1, ["a", "b"]), (3, ["x\ny", "2"]), (4, ["3", "4"])]
    assert read_records(tmp_path / "a.csv")[0] == (3, {"a": "x\ny", "b": "2"})
