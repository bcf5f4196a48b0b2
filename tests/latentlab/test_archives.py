"""Zip archives of images: what comes out of them, and what does not."""

import os
import zipfile

import pytest

from latentlab import archives
from latentlab.archives import is_archive, unpack, unpacked_for_a_while
from latentlab.errors import UserError
from latentlab.files import SUFFIXES, images_in


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_images_and_polygons_come_out_and_nothing_else(tmp_path):
    members = {
        "set/trainA/a.png": b"a", "set/trainA_seg/a.json": b"{}", "set/readme.txt": b"", "set/run.py": b"",
        "set/.hidden.png": b"", "__MACOSX/set/trainA/._a.png": b"",
    }  # fmt: skip
    folder = unpack(zipped(tmp_path / "set.zip", members), tmp_path / "out" / "set")
    assert folder == tmp_path / "out" / "set" / "set"  # the one folder in it
    assert files(folder) == ["trainA/a.png", "trainA_seg/a.json"]


def test_what_is_there_is_kept_and_another_archive_takes_its_place(tmp_path):
    archive = zipped(tmp_path / "set.zip", {"a.png": b"one", "b.png": b"two"})
    folder = unpack(archive, tmp_path / "out")
    os.utime(folder / "a.png", (1, 1))
    assert unpack(archive, tmp_path / "out") == folder and (folder / "a.png").stat().st_mtime == 1
    zipped(archive, {"a.png": b"new"})
    unpack(archive, tmp_path / "out")
    assert (folder / "a.png").read_bytes() == b"new" and files(folder) == [".source.json", "a.png"]


def test_of_two_processes_that_unpack_at_once_the_first_keeps_what_it_reads(tmp_path):
    archive = zipped(tmp_path / "set.zip", {"a.png": b"one", "b.png": b"two"})
    unpack(archive, tmp_path / "out")
    (tmp_path / "out" / "a.png").rename(tmp_path / "kept")  # which would come back with a second folder
    with zipfile.ZipFile(archive) as opened:
        source = archives._describe(archive, opened.infolist(), SUFFIXES)
        archives._extract(opened, opened.infolist(), archive, tmp_path / "out", source)
    assert files(tmp_path) == ["kept", "out/.source.json", "out/b.png", "set.zip"]


@pytest.mark.parametrize("name", ["../a.png", "/tmp/a.png", "x/../../a.png", "..\\a.png", "c:a.png"])
def test_paths_that_lead_out_are_refused(tmp_path, name):
    archive = zipped(tmp_path / "set.zip", {"good.png": b"", name: b"evil"})
    with pytest.raises(UserError, match=r"set\.zip holds a path that leads out of it"):
        unpack(archive, tmp_path / "in" / "out")
    assert files(tmp_path) == ["set.zip"]


def test_names_with_codes_of_a_terminal_are_refused(tmp_path):
    archive = zipped(tmp_path / "set.zip", {"good.png": b"", "set/\x1b[31m.png": b""})
    with pytest.raises(UserError, match=r"holds 'set/\\x1b\[31m\.png', a name with control characters"):
        unpack(archive, tmp_path / "out")
    assert files(tmp_path) == ["set.zip"]


def test_broken_encrypted_and_empty_archives_are_named(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "set.zip", {"a.png": b"some content" * 100})
    whole = archive.read_bytes()
    archive.write_bytes(whole.replace(b"some content", b"SOME content", 1))
    with pytest.raises(UserError, match=r"set\.zip is not a zip archive that can be read: Bad CRC"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    archive.write_bytes(b"no archive")
    with pytest.raises(UserError, match="not a zip archive"):
        unpack(archive, tmp_path / "out")
    flags = bytearray(whole)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        flags[whole.index(signature) + offset] |= 1  # says that it is encrypted
    archive.write_bytes(bytes(flags))
    with pytest.raises(UserError, match="encrypted.*; unpack it by hand"):
        unpack(archive, tmp_path / "out")
    with pytest.raises(UserError, match="there is no image in"):
        unpack(zipped(archive, {"a.txt": b""}), tmp_path / "out")
    with pytest.raises(UserError, match=r"cannot unpack .*gone\.zip"):
        unpack(tmp_path / "gone.zip", tmp_path / "out")
    monkeypatch.setattr(archives, "_SPARE", 1 << 62)
    with pytest.raises(UserError, match=r"has \d+ MiB left: free some space"):
        unpack(zipped(archive, {"a.png": b"a"}), tmp_path / "out")
    assert files(tmp_path) == ["set.zip"]


def test_a_folder_may_be_called_like_an_archive(tmp_path):
    (tmp_path / "set.zip").mkdir()
    assert not is_archive(tmp_path / "set.zip") and is_archive(tmp_path / "SET.ZIP")


def test_archives_of_one_name_are_unpacked_apart_and_only_for_a_while(tmp_path):
    folders = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        zipped(tmp_path / name / "set.zip", {f"{name}.png": name.encode()})
        folders.append(tmp_path / name / "set.zip")
    with pytest.raises(RuntimeError), unpacked_for_a_while([*folders, tmp_path / "plain"], tmp_path / "out") as given:
        assert [path.name for folder in given[:2] for path in images_in(folder)] == ["one.png", "two.png"]
        assert given[2] == tmp_path / "plain"
        raise RuntimeError("whatever happens")
    assert list((tmp_path / "out").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot unpack into .*file"), unpacked_for_a_while(folders, tmp_path / "file"):
        pass


def test_errors_that_name_the_archive_are_not_causes_of_themselves(tmp_path):
    """A chain of causes without an end kept the command from ending."""
    with pytest.raises(UserError, match="there is no image in") as caught:
        unpack(zipped(tmp_path / "set.zip", {"a.txt": b""}), tmp_path / "out")
    assert caught.value.__cause__ is not caught.value
