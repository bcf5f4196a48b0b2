"""The pickle reader: it reads what pickle writes, and nothing in a file ever runs."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import pickle
import struct
import sys
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stylegan2
from stylegan2.safe_pickle import (
    Array,
    CheckpointError,
    ForbiddenGlobalError,
    Record,
    TensorView,
    floats,
    read_pickled,
)
from stylegan2.safe_pickle.inert import ALLOWED

PROTO = b"\x80\x02"


def read(data: bytes) -> Any:
    return read_pickled(memoryview(data))


def name(module: str, attribute: str) -> bytes:
    """The opcode that asks for a global."""
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


class Call:
    """Pickles as a call of `function`: the way of all hostile pickles."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path, monkeypatch):
    """Every test runs in an empty folder; what hostile files would touch must not appear."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(Path.cwd().rglob("PWNED*"))


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.tuples(inner)
        | st.tuples(inner, inner)
        | st.tuples(inner, inner, inner, inner)
    ),
    max_leaves=20,
)


@given(plain, st.sampled_from([3, 4, 5]))
def test_reads_plain_data_as_pickle_does(value, protocol):
    assert read(pickle.dumps(value, protocol)) == value


def test_reads_shared_and_long_values():
    shared = ["x" * 300] * 3
    value = {"a": shared, "b": shared, **{str(k): k for k in range(1000)}}
    result = read(pickle.dumps(value, 4))
    assert result == value
    assert result["a"] is result["b"]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_numpy(protocol, order):
    array = np.asarray(np.arange(6, dtype=">f4").reshape(2, 3), order=order)
    result = read(pickle.dumps({"a": array, "s": np.float64(1.5), "set": {1, 2}}, protocol))
    assert isinstance(result["a"], Array)
    np.testing.assert_array_equal(result["a"].state, array)
    assert result["s"] == 1.5
    assert sorted(result["set"]) == [1, 2]


def saved(value: Any, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_reads_torch_files(zipped, dtype):
    base = torch.arange(24, dtype=dtype)
    value = OrderedDict(
        a=base.reshape(4, 6).t(),
        b=base[3:7],
        empty=torch.zeros(0, 3, dtype=dtype),
        scalar=torch.tensor(2.5, dtype=dtype),
        parameter=torch.nn.Parameter(base.clone()),
        args=argparse.Namespace(path="data", batch=16),
    )
    result = read(saved(value, zipped))
    for key in ("a", "b", "empty", "scalar", "parameter"):
        assert torch.equal(floats(result[key], key), value[key].detach().float())
    assert isinstance(result["args"], Record)
    assert result["args"].state == {"path": "data", "batch": 16}


def test_reads_tensors_within_plain_pickles():
    tensor = torch.randn(3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pickle.dumps({"a": tensor})
    assert torch.equal(floats(read(data)["a"], "a"), tensor)


FORBIDDEN = [
    "os.system",
    "posix.system",
    "nt.system",
    "subprocess.Popen",
    "builtins.eval",
    "builtins.exec",
    "builtins.getattr",
    "builtins.__import__",
    "__builtin__.eval",
    "importlib.import_module",
    "operator.attrgetter",
    "functools.partial",
    "types.FunctionType",
    "types.CodeType",
    "copyreg._reconstructor",
    "pickle.loads",
    "torch.load",
    "torch.serialization.load",
    "torch.hub.load",
    "torch.jit.load",
    "torch.storage._load_from_bytes.__globals__",
    "torch._utils._rebuild_tensor_v2.__globals__",
    "torch_utils.persistence._src_to_module",
    "collections.OrderedDict.__init__",
    "collections.namedtuple",
    "numpy.load",
    "numpy.ndarray.tofile",
    "numpy.core.multiarray.fromfile",
    "numpy.f2py.compile",
    "dnnlib.util.open_url",
    "stylegan2.safe_pickle.machine._Machine",
]


@pytest.mark.parametrize("full", FORBIDDEN)
def test_refuses_every_other_global_by_name(full):
    module, attribute = full.rsplit(".", 1)
    call = text("touch PWNED") + b"\x85R."
    with pytest.raises(ForbiddenGlobalError, match=full):
        read(PROTO + name(module, attribute) + call)
    with pytest.raises(ForbiddenGlobalError, match=full):
        read(b"\x80\x04" + text(module) + text(attribute) + b"\x93" + call)


@pytest.mark.parametrize(("module", "attribute"), [("collections", "OrderedDict.__class__"), ("numpy", "os.system")])
def test_dotted_names_walk_nowhere(module, attribute):
    with pytest.raises(ForbiddenGlobalError, match=attribute):
        read(b"\x80\x04" + text(module) + text(attribute) + b"\x93.")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "attack",
    [
        Call(os.system, "touch PWNED"),
        Call(eval, "open('PWNED', 'w')"),
        Call(OrderedDict, [["key", Call(os.system, "touch PWNED")]]),
        Call(torch.load, "PWNED"),
        Call(getattr, Call(__import__, "os"), "system"),
        Call(torch._utils._rebuild_tensor_v2, Call(exec, "open('PWNED', 'w')"), 0, (1,), (1,), False, None),
    ],
)
def test_refuses_nested_calls_in_files(tmp_path, protocol, attack):
    path = tmp_path / "attack.pkl"
    path.write_bytes(pickle.dumps({"G_ema": [attack]}, protocol))
    with pytest.raises(CheckpointError, match=r"refused.*global|attack\.pkl.*unknown format") as caught:
        stylegan2.load(path)
    if protocol >= 2:
        assert isinstance(caught.value, ForbiddenGlobalError)
        assert "attack.pkl" in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_refuses_hostile_torch_files(tmp_path, zipped):
    path = tmp_path / "attack.pt"
    path.write_bytes(saved({"g_ema": {"x": torch.zeros(2)}, "args": Call(os.system, "touch PWNED")}, zipped))
    with pytest.raises(ForbiddenGlobalError, match=r"attack\.pt.*system"):
        stylegan2.load(path)


@pytest.mark.parametrize("inner", [saved(Call(os.system, "touch PWNED"), True), saved([Call(eval, "1")], False)])
def test_refuses_code_in_nested_torch_files(inner):
    with pytest.raises(ForbiddenGlobalError, match=r"system|eval"):
        read(pickle.dumps({"a": Call(torch.storage._load_from_bytes, inner)}))


def test_nested_files_may_not_nest():
    inner = pickle.dumps(Call(torch.storage._load_from_bytes, b"."))
    with pytest.raises(ForbiddenGlobalError, match="_load_from_bytes"):
        read(pickle.dumps(Call(torch.storage._load_from_bytes, inner)))


@pytest.mark.parametrize("file", ["hostile_os_system.pkl", "hostile_nested_load_from_bytes.pkl"])
def test_refuses_the_recorded_attacks(data, file):
    with pytest.raises(ForbiddenGlobalError, match=rf"{file}.*posix\.system"):
        stylegan2.load(data / file)


def test_embedded_sources_do_not_run(data):
    # Each module of this file carries a source that raises when it is executed.
    assert b"raise RuntimeError" in (data / "net32_nvada_stub.pkl").read_bytes()
    stylegan2.load(data / "net32_nvada_stub.pkl")


MACHINERY = {
    "extension of 1 byte": b"\x82\x01.",
    "extension of 2 bytes": b"\x83\x01\x00.",
    "extension of 4 bytes": b"\x84\x01\x00\x00\x00.",
    "instance": b"(ios\nsystem\n.",
    "object": b"(cos\nsystem\no.",
    "call of text": text("eval") + b")R.",
    "call of a list": b"])R.",
    "call without a tuple": name("collections", "OrderedDict") + b"]R.",
    "call of a storage type": name("torch", "FloatStorage") + b")R.",
    "state of a function": name("torch._utils", "_rebuild_parameter") + b"}b.",
    "state of a class": name("collections", "OrderedDict") + b"}" + text("__init__") + b"Nsb.",
    "state of a list": b"]}b.",
    "persistent id": text("x") + b"Q.",
    "text persistent id": b"Px\n.",
    "keywords": name("collections", "OrderedDict") + b")}\x92.",
    "out-of-band buffer": b"\x97.",
    "items of a list": b"]" + text("a") + b"Ns.",
    "key that is a tuple": b"})Ns.",
    "empty stack": b".",
    "unknown memo": b"h\x07.",
    "no mark": b"t.",
    "new protocol": b"\x80\x09N.",
}


@pytest.mark.parametrize("opcodes", MACHINERY.values(), ids=MACHINERY.keys())
def test_refuses_other_machinery(opcodes):
    with pytest.raises(CheckpointError):
        read(PROTO + opcodes)


def test_state_of_a_record_stays_data():
    record = name("argparse", "Namespace") + b")\x81"
    state = b"}(" + text("__class__") + b"N" + text("set_state") + b"N" + text("__setstate__") + b"Nub"
    result = read(PROTO + record + state + b"}b.")
    assert type(result) is Record
    assert result.state == {}
    assert callable(result.set_state)


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [
        (0, (9,), (1,)),
        (8, (1,), (1,)),
        (-1, (2,), (1,)),
        (0, (-4,), (1,)),
        (0, (2,), (-1,)),
        (0, (2, 2), (8, 1)),
        (0, (10**9, 10**9), (0, 0)),
        (0, (2,), ()),
        (0, (2**63,), (1,)),
        (0, (1.0,), (1,)),
        (True, (1,), (1,)),
        (0, (1,) * 100, (1,) * 100),
    ],
)
def test_refuses_tensors_beyond_their_storage(offset, shape, stride):
    storage = torch.zeros(8).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    attack = Call(torch._utils._rebuild_tensor_v2, typed, offset, shape, stride, False, OrderedDict())
    with pytest.raises(CheckpointError, match="damaged"):
        read(saved({"a": attack}, zipped=True))


def storage_pickle(kind: bytes, key: str, count: bytes, view: bytes = b"") -> bytes:
    """A tensor of 4 values over a storage with the given persistent id."""
    identifier = b"(" + text("storage") + kind + text(key) + text("cpu") + count + view + b"tQ"
    return (
        PROTO + name("torch._utils", "_rebuild_tensor_v2") + b"(" + identifier
        + b"K\x00K\x04\x85K\x01\x85\x89" + name("collections", "OrderedDict") + b")RtR."
    )  # fmt: skip


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as target:
        for member, content in members.items():
            target.writestr(f"archive/{member}", content)
    return file.getvalue()


FLOATS = name("torch", "FloatStorage")


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
