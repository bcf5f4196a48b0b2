"""The pickle reader: it reads what pickle writes, and nothing in a file ever runs."""

from __future__ import annotations

import argparse
import os
import pickle
import sys
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
from tests.stylegan2.pickles import PROTO, Call, archive, name, read, saved, text


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


# Callables that hostile files have asked for, by module: they run commands or code, open files and connections, or lead
# to what does.
HOSTILE = {
    "os": "system popen execv execve spawnl spawnv posix_spawn fork kill remove unlink rmdir rename chmod putenv",
    "posix": "system popen execve spawnv",
    "nt": "system startfile",
    "subprocess": "Popen run call check_call check_output getoutput getstatusoutput",
    "builtins": "eval exec compile getattr setattr delattr __import__ open breakpoint vars globals input map type",
    "__builtin__": "eval exec compile getattr file execfile apply",
    "pickle": "load loads Unpickler",
    "_pickle": "load loads Unpickler",
    "cloudpickle.cloudpickle": "_make_function _builtin_type loads",
    "dill": "loads load_session",
    "dill._dill": "_create_code _create_function",
    "joblib": "load",
    "joblib.numpy_pickle": "load",
    "marshal": "loads load",
    "shelve": "open",
    "importlib": "import_module reload __import__",
    "importlib.util": "spec_from_file_location module_from_spec",
    "pkgutil": "resolve_name",
    "runpy": "run_path run_module _run_code",
    "webbrowser": "open open_new",
    "ctypes": "CDLL PyDLL string_at",
    "_ctypes": "dlopen",
    "cffi": "FFI",
    "asyncio": "run create_subprocess_shell",
    "asyncio.unix_events": "_UnixSubprocessTransport._start",
    "torch": "load compile hub.load utils.cpp_extension.load ops.load_library classes.load_library",
    "torch.hub": "load load_state_dict_from_url download_url_to_file",
    "torch.serialization": "load _load",
    "torch.jit": "load",
    "torch.package": "PackageImporter",
    "torch._inductor.codecache": "compile_file write",
    "torch._dynamo.guards": "GuardBuilder.get",
    "torch._dynamo": "optimize",
    "torch.fx.experimental.symbolic_shapes": "ShapeEnv.evaluate_guards_expression",
    "torch.utils.bottleneck.__main__": "run_cprofile",
    "torch.utils.data.datapipes.utils.decoder": "basichandlers",
    "torch.utils.collect_env": "run",
    "torch.utils._config_module": "ConfigModule.load_config",
    "torch.distributed.rpc": "rpc_sync",
    "numpy": "load fromfile memmap save savetxt genfromtxt",
    "numpy.f2py": "compile run_main",
    "numpy.f2py.crackfortran": "getlincoef param_eval _eval_length myeval",
    "numpy.testing._private.utils": "runstring",
    "numpy.distutils.exec_command": "exec_command",
    "pandas": "read_pickle eval read_csv",
    "pandas.io.pickle": "read_pickle",
    "pty": "spawn",
    "commands": "getoutput",
    "popen2": "popen3",
    "socket": "socket create_connection",
    "_socket": "socket",
    "ssl": "get_server_certificate",
    "select": "select",
    "shutil": "rmtree copy move copyfile",
    "operator": "attrgetter methodcaller itemgetter call",
    "_operator": "attrgetter methodcaller",
    "functools": "partial reduce partialmethod",
    "_functools": "partial",
    "itertools": "starmap",
    "types": "CodeType FunctionType MethodType ModuleType",
    "copyreg": "_reconstructor add_extension",
    "copy_reg": "_reconstructor",
    "copy": "copy deepcopy",
    "weakref": "finalize",
    "atexit": "register",
    "code": "interact InteractiveInterpreter.runcode InteractiveConsole",
    "codeop": "compile_command",
    "codecs": "open",
    "ast": "literal_eval",
    "bdb": "Bdb Bdb.run",
    "pdb": "Pdb run set_trace",
    "cProfile": "run runctx",
    "profile": "run Profile.runctx",
    "pstats": "Stats",
    "timeit": "timeit Timer main",
    "trace": "Trace.run Trace.runctx",
    "tracemalloc": "Snapshot.load",
    "sys": "exit settrace modules setprofile _getframe",
    "gc": "get_objects",
    "inspect": "currentframe",
    "pip": "main",
    "pip._internal.cli.main": "main",
    "ensurepip": "_run_pip bootstrap",
    "venv": "create EnvBuilder.create",
    "setuptools": "setup",
    "distutils.spawn": "spawn",
    "idlelib.autocomplete": "AutoComplete.get_entity AutoComplete.fetch_completions",
    "idlelib.calltip": "Calltip.fetch_tip get_entity",
    "idlelib.debugobj": "ObjectTreeItem.SetText",
    "idlelib.pyshell": "ModifiedInterpreter.runcode ModifiedInterpreter.runcommand",
    "idlelib.run": "Executive.runcode",
    "lib2to3.pgen2.grammar": "Grammar.loads",
    "lib2to3.pgen2.pgen": "ParserGenerator.make_label",
    "doctest": "debug_script testfile run_docstring_examples",
    "unittest.mock": "_importer patch",
    "logging": "FileHandler shutdown",
    "logging.config": "dictConfig fileConfig listen _resolve",
    "logging.handlers": "SocketHandler",
    "imaplib": "IMAP4 IMAP4_stream",
    "poplib": "POP3",
    "smtplib": "SMTP",
    "telnetlib": "Telnet",
    "nntplib": "NNTP",
    "ftplib": "FTP",
    "http.client": "HTTPConnection HTTPSConnection HTTPSConnection.request",
    "httplib": "HTTPConnection",
    "urllib.request": "urlopen urlretrieve",
    "urllib": "urlopen",
    "urllib2": "urlopen",
    "requests": "get post",
    "requests.api": "get post",
    "aiohttp.client": "ClientSession",
    "paramiko": "SSHClient",
    "xmlrpc.client": "ServerProxy",
    "wsgiref.simple_server": "make_server",
    "pydoc": "pipepager locate tempfilepager safeimport",
    "_pyrepl.pager": "pipe_pager",
    "uuid": "_get_command_stdout _popen getnode",
    "_osx_support": "_read_output _find_build_tool",
    "_aix_support": "_read_cmd_output",
    "_pydecimal": "getcontext",
    "site": "addsitedir execusercustomize",
    "sqlite3": "connect",
    "tempfile": "mktemp NamedTemporaryFile",
    "tokenize": "open",
    "linecache": "getlines",
    "fileinput": "input FileInput",
    "io": "open FileIO open_code",
    "_io": "FileIO open",
    "pathlib": "Path.write_text Path.unlink Path.read_text Path.home os.system",
    "glob": "glob",
    "zipfile": "ZipFile",
    "tarfile": "open",
    "xml.etree.ElementTree": "parse",
    "xml.dom.minidom": "parse",
    "xml.sax": "parse",
    "multiprocessing": "Process Pool",
    "multiprocessing.util": "spawnv_passfds",
    "multiprocessing.managers": "BaseManager",
    "concurrent.futures": "ProcessPoolExecutor",
    "threading": "Thread Timer",
    "_thread": "start_new_thread",
    "signal": "signal raise_signal alarm",
    "sched": "scheduler",
    "string": "Formatter",
    "collections": "namedtuple OrderedDict.__init__ OrderedDict.__class__",
    "test.support.script_helper": "assert_python_ok",
    "unittest": "main",
    "turtle": "config_dict",
    "getopt": "getopt",
    "getpass": "getpass",
    "gettext": "c2py",
    "netrc": "netrc",
    "mailcap": "findmatch",
    "cgitb": "handler",
    "cgi": "parse",
    "crypt": "crypt",
    "nturl2path": "url2pathname",
    "zipimport": "zipimporter",
    "win32api": "WinExec",
    "_winapi": "CreateProcess",
    "_xxsubinterpreters": "run_string",
    "_testcapi": "run_in_subinterp",
    "transformers": "AutoModel.from_pretrained",
    "tensorflow": "io.read_file keras.models.load_model",
    "keras.models": "load_model",
    "onnx": "load",
    "yaml": "unsafe_load",
    "jinja2": "Template",
    "IPython": "get_ipython",
    "bpython": "embed",
    "six": "exec_",
    "argparse": "FileType ArgumentParser",
    "dnnlib.util": "open_url call_func_by_name",
    "torch_utils.persistence": "_src_to_module import_hook",
    "torch.storage": "_load_from_bytes.__globals__ UntypedStorage.from_file",
    "torch._utils": "_rebuild_tensor_v2.__globals__ _import_dotted_name",
    "numpy.core.multiarray": "fromfile scalar.__class__",
    "stylegan2.safe_pickle.machine": "_Machine",
    "stylegan2": "load save convert",
}
FORBIDDEN = [(module, attribute) for module, names in HOSTILE.items() for attribute in names.split()]

ARGUMENT = text("touch PWNED")
# How a file asks for a name and calls it: what pickles of all protocols can, and forms that only an attacker writes.
FORMS = {
    "reduce": lambda m, a: PROTO + name(m, a) + ARGUMENT + b"\x85R.",
    "stack global": lambda m, a: b"\x80\x04" + text(m) + text(a) + b"\x93" + ARGUMENT + b"\x85R.",
    "from the memo": lambda m, a: (
        b"\x80\x04" + text(m) + b"\x940" + text(a) + b"\x940" + b"h\x00h\x01\x93" + ARGUMENT + b"\x85R."
    ),
    "as a class": lambda m, a: PROTO + name(m, a) + ARGUMENT + b"\x85\x81.",
    "as an empty object": lambda m, a: PROTO + name(m, a) + b")\x81.",
    "with a state": lambda m, a: PROTO + name(m, a) + b")\x81}" + text("__setstate__") + ARGUMENT + b"sb.",
    "mentioned": lambda m, a: PROTO + b"}" + text("x") + name(m, a) + b"s.",
    "and dropped": lambda m, a: PROTO + name(m, a) + b"0N.",
    "before damage": lambda m, a: PROTO + name(m, a) + ARGUMENT + b"\x85R\xff\xff",
    "behind another pickle's end": lambda m, a: PROTO + text("x") + b"0" + name(m, a) + ARGUMENT + b"\x85R",
    "for the call of another": lambda m, a: (
        PROTO + name("collections", "OrderedDict") + b"](" + text("x") + name(m, a) + ARGUMENT + b"\x85R\x86e\x85R."
    ),
}
# Forms of which nothing is read, or that end before the name is judged.
OTHER_FORMS = {
    "with keywords": lambda m, a: b"\x80\x04" + name(m, a) + b")}" + text("x") + ARGUMENT + b"s\x92.",
    "state of a class": lambda m, a: PROTO + name(m, a) + b"}" + text("__reduce__") + ARGUMENT + b"sb.",
    "as an object": lambda m, a: PROTO + b"(" + name(m, a) + ARGUMENT + b"o.",
    "instance": lambda m, a: PROTO + b"(" + ARGUMENT + f"i{m}\n{a}\n".encode() + b".",
    "protocol 0": lambda m, a: f"c{m}\n{a}\n(S'touch PWNED'\ntR.".encode(),
    "protocol 1": lambda m, a: f"c{m}\n{a}\n(U\x0btouch PWNEDtR.".encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_refuses_every_other_global_by_name(form):
    imported = set(sys.modules)
    for module, attribute in FORBIDDEN:
        with pytest.raises(ForbiddenGlobalError) as caught:
            read(FORMS[form](module, attribute))
        assert f"'{module}.{attribute}'" in str(caught.value)
    assert {name for name in set(sys.modules) - imported if name in HOSTILE} == set()


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_refuses_every_other_global_in_other_forms(form):
    for module, attribute in FORBIDDEN:
        with pytest.raises(CheckpointError):
            read(OTHER_FORMS[form](module, attribute))


@pytest.mark.parametrize("wrap", ["torch", "older torch", "nested", "twice nested", "archive with two pickles"])
def test_refuses_hostile_names_wherever_they_are(wrap):
    for module, attribute in FORBIDDEN[::7]:
        inner = FORMS["reduce"](module, attribute)
        if wrap == "torch":
            data = archive({"data.pkl": inner, "version": b"3"})
        elif wrap == "older torch":
            start = saved(1, zipped=False).index(b"K\x01.")
            data = saved(1, zipped=False)[: start - 2] + inner
        elif wrap == "archive with two pickles":
            data = archive({"data.pkl": PROTO + b"N.", "inner/data.pkl": inner})
        else:
            nested = name("torch.storage", "_load_from_bytes")
            data = PROTO + nested + b"C" + bytes([len(inner)]) + inner + b"\x85R."
            if wrap == "twice nested":
                data = PROTO + nested + b"B" + len(data).to_bytes(4, "little") + data + b"\x85R."
        with pytest.raises(CheckpointError, match="refused|several"):
            read(data)


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
