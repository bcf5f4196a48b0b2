"""The pickle reader: it reads what pickle writes, and nothing in a file ever runs."""

from __future__ import annotations

import argparse
import os
import pickle
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import stylegan2
from stylegan2.safe_pickle import (
    Array,
    CheckpointError,
    ForbiddenGlobalError,
    Record,
    floats,
)
from tests.stylegan2.pickles import PROTO, Call, name, read, saved, text


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
        | st.dictionaries(st.text() | st.integers(-(2**60) + 1, 2**60 - 1), inner)
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
