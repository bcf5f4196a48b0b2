"""The pickle reader on wrong sizes and kinds: no size is believed, and nothing but CheckpointError comes out."""

from __future__ import annotations

import argparse
import contextlib
import pickle
import struct
import sys
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stylegan2
from stylegan2.safe_pickle import (
    CheckpointError,
    TensorView,
    floats,
)
from stylegan2.safe_pickle.inert import ALLOWED
from tests.stylegan2.pickles import FLOATS, PROTO, archive, name, read, saved, storage_pickle, text


def test_reads_an_archive_made_by_hand():
    data = archive({"data.pkl": storage_pickle(FLOATS, "0", b"K\x04"), "data/0": np.arange(4, dtype="<f4").tobytes()})
    assert floats(read(data), "a").tolist() == [0, 1, 2, 3]


STORAGES = {
    "more than the member has": storage_pickle(FLOATS, "0", b"K\x05"),
    "more than any memory": storage_pickle(FLOATS, "0", b"\x8a\x08" + b"\xff" * 7 + b"\x7f"),
    "less than none": storage_pickle(FLOATS, "0", b"J\xff\xff\xff\xff"),
    "no such member": storage_pickle(FLOATS, "1", b"K\x04"),
    "outside": storage_pickle(FLOATS, "../../etc/passwd", b"K\x04"),
    "no storage type": storage_pickle(text("torch.FloatStorage"), "0", b"K\x04"),
    "not a storage type": storage_pickle(name("collections", "OrderedDict"), "0", b"K\x04"),
    "a view": storage_pickle(FLOATS, "0", b"K\x04", b"(" + text("0") + b"K\x00K\x04t"),
}


@pytest.mark.parametrize("pickled", STORAGES.values(), ids=STORAGES.keys())
def test_refuses_storages_that_are_not_there(pickled):
    with pytest.raises(CheckpointError):
        read(archive({"data.pkl": pickled, "data/0": bytes(16)}))


def test_refuses_zip_bombs():
    members = {"data.pkl": storage_pickle(FLOATS, "0", b"K\x04"), "data/0": bytes(10**7)}
    with pytest.raises(CheckpointError, match="compressed"):
        read(archive(members, zipfile.ZIP_DEFLATED))
    stored = bytearray(archive({**members, "data/0": bytes(16)}))
    entry = stored.rindex(b"PK\x01\x02")  # the last entry of the index, that of data/0
    stored[entry + 20 : entry + 28] = struct.pack("<II", 2**31, 2**31)
    with pytest.raises(CheckpointError, match="damaged"):
        read(bytes(stored))


def sound() -> bytes:
    """A torch file by torch, whose four values are found by their bytes."""
    return saved({"a": torch.arange(4.0)}, zipped=True)


def of_index(data: bytes, name: str) -> int:
    """Where the entry of a member is in the index."""
    return data.rindex(name.encode()) - 46


def changed(data: bytes, where: int, by: bytes) -> bytes:
    return data[:where] + by + data[where + len(by) :]


def with_a_lie(data: bytes) -> bytes:
    at = data.index(b"archive/data/0")
    return changed(data, at, b"archive/data/1")


def with_one_twice(data: bytes) -> bytes:
    first = of_index(data, "archive/data/0")
    name, extra, comment = struct.unpack("<HHH", data[first + 28 : first + 34])
    length = 46 + name + extra + comment
    end = len(data) - 22
    size, position = struct.unpack("<II", data[end + 12 : end + 20])
    index = data[position : position + size] + data[first : first + length]
    counts = struct.unpack("<H", data[end + 8 : end + 10])[0] + 1
    return (
        data[:position] + index + data[end : end + 8] + struct.pack("<HHIIH", counts, counts, len(index), position, 0)
    )


LIES = {
    "other bytes": lambda data: data.replace(np.float32(3).tobytes(), np.float32(4).tobytes()),
    "a pickle with other bytes": lambda data: data.replace(b"cpu", b"cpv"),
    "two names for a member": with_a_lie,
    "a member twice": with_one_twice,
    "a comment behind the end": lambda data: changed(data, len(data) - 2, b"\x04\0") + b"more",
    "bytes behind the end": lambda data: data + b"more",
    "another archive in front": lambda data: sound() + data,
    "another end in front": lambda data: data[:-22] + data[-22:] + data[-22:],
    "an index elsewhere": lambda data: changed(data, len(data) - 6, struct.pack("<I", 0)),
    "an entry too many": lambda data: changed(data, len(data) - 14, b"\x09\0\x09\0"),
    "a member elsewhere": lambda data: changed(data, of_index(data, "archive/data/0") + 42, struct.pack("<I", 64)),
    "a larger member": lambda data: changed(
        data, of_index(data, "archive/data/0") + 20, struct.pack("<II", 2**20, 2**20)
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_archives_with_two_readings_are_refused(lie):
    assert floats(read(sound())["a"], "a").tolist() == [0, 1, 2, 3]
    with pytest.raises(CheckpointError, match=r"damaged|unsupported"):
        floats(read(lie(sound()))["a"], "a")


def test_archives_may_have_no_checksums():
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        data = sound()
    finally:
        torch.serialization.set_crc32_options(before)
    assert floats(read(data)["a"], "a").tolist() == [0, 1, 2, 3]


def test_tensors_take_the_memory_of_their_own_values():
    view = torch.arange(10**6, dtype=torch.float32)[:: 10**6 - 1]
    for zipped in (True, False):
        tensor = floats(read(saved({"a": view}, zipped))["a"], "a")
        assert tensor.tolist() == [0, 10**6 - 1]
        assert tensor.untyped_storage().nbytes() == 8


def test_tensors_are_read_on_the_cpu_whatever_the_default_device():
    data = saved({"a": torch.arange(3.0)}, zipped=True)
    with torch.device("meta"):
        assert floats(read(data)["a"], "a").tolist() == [0, 1, 2]


SIZES = {
    "memo": b"Nr\xff\xff\xff\xff.",
    "bytes": b"\x8e" + struct.pack("<Q", 2**62) + b".",
    "text": b"\x8d" + struct.pack("<Q", 2**62) + b".",
    "frame": b"\x95" + struct.pack("<Q", 2**62) + b"N.",
    "nested tuple as a key": b"}N" + b"\x85" * 300_000 + b"Ns.",
    "nested lists": b"]" * 10**5 + b"a" * (10**5 - 1) + b".",
}


@pytest.mark.parametrize("opcodes", SIZES.values(), ids=SIZES.keys())
def test_sizes_cost_nothing(opcodes):
    with contextlib.suppress(CheckpointError):
        read(PROTO + opcodes)


def test_one_long_list_cannot_fill_the_memory():
    # One list of 100,000 pairs handed to OrderedDict 100,000 times: 10**10 entries from a file of 1 MB.
    pair = text("a") + b"N\x86q\x01"
    pairs = b"]q\x02(" + b"h\x01" * 10**5 + b"e"
    calls = b"h\x03h\x02\x85R0" * 10**5
    data = PROTO + name("collections", "OrderedDict") + b"q\x03" + pair + pairs + calls + b"."
    with pytest.raises(CheckpointError, match="repeats"):
        read(data)


WRONG_KINDS = {
    "bytes from a number": name("_codecs", "encode") + b"K\x01" + text("latin1") + b"\x86R.",
    "a set of a number": name("builtins", "set") + b"K\x01\x85R.",
    "a dtype without an order": name("numpy", "dtype") + text("f4") + b"\x85R)b.",
    "an empty dictionary entry": name("collections", "OrderedDict") + b"](]e\x85R.",
}


@pytest.mark.parametrize("opcodes", WRONG_KINDS.values(), ids=WRONG_KINDS.keys())
def test_values_of_a_wrong_kind_are_damage(opcodes):
    with pytest.raises(CheckpointError, match="damaged"):
        read(PROTO + opcodes)


def test_older_streams_with_wrong_keys_are_damage():
    data = saved({"a": torch.zeros(3)}, zipped=False)
    keys = data.rindex(b"\x80\x02]")
    with pytest.raises(CheckpointError):
        read(data[:keys] + PROTO + b"]]a." + data[keys:])


def test_empty_tensors_of_impossible_sizes_are_damage():
    view = TensorView(read(archive({"data.pkl": storage_pickle(FLOATS, "0", b"K\x04"), "data/0": bytes(16)})).storage,
                      0, (0, 2**62, 2**62), (1, 1, 1))  # fmt: skip
    with pytest.raises(CheckpointError, match="damaged"):
        view.read()


@settings(max_examples=200)
@given(st.binary(max_size=60), st.integers(0, 10**6))
def test_nothing_but_checkpoint_errors_come_out(noise, where):
    whole = saved({"a": torch.arange(6.0).reshape(2, 3), "args": argparse.Namespace(x=1)}, zipped=False)
    where %= len(whole)
    for data in (PROTO + noise, whole[:where] + noise + whole[where + len(noise) :]):
        with contextlib.suppress(CheckpointError):
            content = read(data)
            if isinstance(content, dict):
                for value in content.values():
                    if isinstance(value, TensorView):
                        floats(value, "a")


def test_modules_nested_without_end_are_refused(tmp_path):
    # Each level holds the one below twice: 2**40 paths in a small file.
    module = name("torch_utils.persistence", "_reconstruct_persistent_obj")
    level = b"N"
    for _ in range(40):
        twice = b"}(" + text("a") + b"h\x01" + text("b") + b"h\x01u"
        state = b"}" + text("_modules") + (twice if level != b"N" else b"}") + b"s"
        level += module + b"}" + text("state") + state + b"s\x85Rq\x01"
    path = tmp_path / "deep.pkl"
    path.write_bytes(PROTO + level + b"}" + text("G_ema") + b"h\x01s.")
    with pytest.raises(CheckpointError, match="nested"):
        stylegan2.load(path)


@pytest.mark.parametrize("dtype", [object, "S5", "V4", "c8"])
def test_refuses_arrays_of_other_things_than_numbers(dtype):
    with pytest.raises(CheckpointError, match="weights are numbers"):
        read(pickle.dumps(np.zeros(2, dtype), 2))


def test_refuses_arrays_of_a_wrong_size():
    data = pickle.dumps(np.zeros(7, "<f4"), 3)
    shape = data.index(b"K\x07\x85")
    with pytest.raises(CheckpointError, match="declares the shape"):
        read(data[:shape] + b"J\xff\xff\xff\x7f\x85" + data[shape + 3 :])


def test_every_allowed_name_is_inert():
    # What a file can reach is functions of ours that make data: none is a function of another library.
    for full, build in ALLOWED.items():
        assert build is None or getattr(build, "__module__", "").startswith("stylegan2.safe_pickle."), full
    assert isinstance(read(saved(torch.zeros(2), True)), TensorView)
    assert "torch_utils" not in sys.modules and "dnnlib" not in sys.modules
