"""Names of what hostile pickles call, as the public lists of scanners of pickles and reports of attacks have them."""

from __future__ import annotations

import pickle
import struct
from random import Random

NAMES = (
    "os.system", "os.popen", "os.execv", "os.execve", "os.spawnl", "os.remove", "os.putenv", "os.fork", "os.kill",
    "posix.system", "posix.popen", "nt.system", "builtins.eval", "builtins.exec", "builtins.compile", "builtins.open",
    "builtins.getattr", "builtins.setattr", "builtins.delattr", "builtins.__import__", "builtins.breakpoint",
    "builtins.input", "builtins.globals", "builtins.vars", "builtins.map", "builtins.apply", "builtins.type",
    "__builtin__.eval", "__builtin__.exec", "__builtin__.getattr", "__builtin__.execfile", "__builtin__.file",
    "subprocess.Popen", "subprocess.run", "subprocess.call", "subprocess.check_output", "subprocess.getoutput",
    "commands.getoutput", "popen2.popen2", "pty.spawn", "socket.create_connection", "socket.socket", "shutil.rmtree",
    "shutil.copyfile", "shutil.move", "pickle.loads", "pickle.load", "_pickle.loads", "cPickle.loads", "dill.loads",
    "cloudpickle.loads", "joblib.load", "marshal.loads", "shelve.open", "importlib.import_module",
    "importlib.machinery.SourceFileLoader", "imp.load_source", "zipimport.zipimporter", "runpy.run_path",
    "runpy._run_code", "webbrowser.open", "ctypes.CDLL", "ctypes.WinDLL", "cffi.FFI", "_ctypes.dlopen",
    "asyncio.create_subprocess_shell", "asyncio.unix_events._UnixSubprocessTransport._start",
    "multiprocessing.util.spawnv_passfds", "concurrent.futures.process._python_exit", "torch.load", "torch.jit.load",
    "torch.hub.load", "torch.serialization.load", "torch.package.PackageImporter", "torch.ops.load_library",
    "torch.utils.cpp_extension.load", "torch.utils._config_module.load_config", "torch.storage._load_from_bytes",
    "torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression", "torch._dynamo.guards.GuardBuilder.get",
    "torch.utils.bottleneck.__main__.run_cprofile", "torch.utils.collect_env.run", "torch.serialization.LoadEndianness",
    "numpy.load", "numpy.fromfile", "numpy.memmap", "numpy.save", "numpy.testing._private.utils.runstring",
    "numpy.f2py.crackfortran.getlincoef", "numpy.distutils.exec_command.exec_command", "numpy.core._internal.eval",
    "operator.attrgetter", "operator.methodcaller", "operator.itemgetter", "_operator.attrgetter",
    "_operator.methodcaller", "functools.partial", "functools.reduce", "functools.partialmethod",
    "itertools.starmap", "types.CodeType", "types.FunctionType", "types.MethodType", "code.interact",
    "code.InteractiveInterpreter.runcode", "codeop.compile_command", "bdb.Bdb.run", "pdb.run", "pdb.Pdb",
    "cProfile.run", "cProfile.runctx", "profile.run", "profile.Profile.run", "timeit.timeit", "timeit.main",
    "trace.Trace.run", "doctest.debug_script", "unittest.mock._importer", "lib2to3.pgen2.pgen.ParserGenerator.make_label",
    "lib2to3.pgen2.grammar.Grammar.loads", "pip.main", "pip._internal.main", "pip._internal.cli.main.main",
    "ensurepip._run_pip", "venv.create", "distutils.spawn.spawn", "setuptools.sandbox.run_setup",
    "pydoc.pipepager", "pydoc.locate", "pkgutil.resolve_name", "idlelib.pyshell.ModifiedInterpreter.runcode",
    "idlelib.run.Executive.runcode", "idlelib.autocomplete.AutoComplete.fetch_completions", "idlelib.debugobj.ObjectTreeItem",
    "test.support.script_helper.assert_python_ok", "logging.config.listen", "logging.config.fileConfig",
    "logging.FileHandler", "sqlite3.connect", "ssl.get_server_certificate", "http.client.HTTPSConnection",
    "urllib.request.urlopen", "urllib.request.urlretrieve", "requests.get", "requests.api.request", "aiohttp.request",
    "httplib.HTTPConnection", "httpx.get", "smtplib.SMTP", "ftplib.FTP", "telnetlib.Telnet", "xmlrpc.client.ServerProxy",
    "tempfile.mktemp", "tempfile.NamedTemporaryFile", "linecache.getlines", "fileinput.input", "io.open", "io.FileIO",
    "_io.FileIO", "pathlib.Path.write_text", "pathlib.Path.unlink", "glob.glob", "signal.signal", "sys.exit",
    "sys.settrace", "gc.get_objects", "inspect.getattr_static", "copyreg._reconstructor", "copyreg.__newobj__",
    "copy_reg._reconstructor", "collections.namedtuple", "dataclasses.make_dataclass", "enum.Enum", "ast.literal_eval",
    "uuid._get_command_stdout", "_aix_support._read_cmd_output", "_osx_support._read_output", "_pyrepl.pager.pipe_pager",
    "platform.popen", "getpass.unix_getpass", "keras.models.load_model", "tensorflow.io.read_file",
    "tensorflow.python.ops.gen_io_ops.write_file", "pandas.read_pickle", "pandas.eval", "sklearn.externals.joblib.load",
    "yaml.load", "yaml.unsafe_load", "jinja2.Template", "h5py.File", "PIL.ImageMath.eval", "PIL.ImageShow.show",
    "PIL.Image.open", "matplotlib.sphinxext.plot_directive.run_code", "scipy.io.loadmat", "networkx.read_gpickle",
    "dnnlib.util.open_url", "dnnlib.util.call_func_by_name", "dnnlib.util.get_obj_by_name", "dnnlib.submit.run",
    "torch_utils.persistence._src_to_module", "torch_utils.custom_ops.get_plugin", "stylegan2.load", "latentlab.cli.main",
    "stylegan2.safe_pickle.machine.unpickle", "stylegan2.safe_pickle.read_pickled", "__main__.x", "antigravity.x", "this.x",
    "collections.OrderedDict.__init__", "collections.OrderedDict.__class__.__base__.__subclasses__", "torch._utils.os.system",
    "torch.FloatStorage.from_file", "torch.FloatTensor", "numpy.dtype.__class__", "numpy.ndarray.tofile", "numpy.os.system",
    "builtins.set.__class__", "argparse.FileType", "argparse.Namespace.__init__", "pathlib.Path.home", "_codecs.lookup",
)  # fmt: skip


def text(value: str) -> bytes:
    """The opcode of a text."""
    raw = value.encode("utf-8", "surrogatepass")
    return pickle.BINUNICODE + struct.pack("<I", len(raw)) + raw


def mention(rng: Random, name: str) -> bytes:
    """Opcodes that push a name's value in one of the ways that pickles have; some call it at once."""
    module, _, attribute = name.rpartition(".")
    if rng.random() < 0.3:  # a dotted attribute of the first module
        module, _, attribute = name.partition(".")
    way = rng.randrange(6)
    line = f"{module}\n{attribute}\n".encode()
    if way <= 1:
        return pickle.GLOBAL + line
    if way == 2:
        return text(module) + text(attribute) + pickle.STACK_GLOBAL
    if way == 3:
        return pickle.MARK + text("touch PWNED") + pickle.INST + line
    if way == 4:
        return pickle.MARK + pickle.GLOBAL + line + text("touch PWNED") + pickle.OBJ
    # The name out of the memo, where a scanner of neighbouring opcodes does not see it.
    return (text(module) + pickle.BINPUT + b"\xfe" + pickle.POP + text(attribute) + pickle.BINPUT + b"\xfd" + pickle.POP
            + pickle.BINGET + b"\xfe" + pickle.BINGET + b"\xfd" + pickle.STACK_GLOBAL)  # fmt: skip


def call(rng: Random, name: str) -> bytes:
    """Opcodes that call a name's value."""
    argument = rng.choice((text("touch PWNED"), text("open('PWNED','w')"), pickle.NONE, pickle.BININT1 + b"\1"))
    function = mention(rng, name)
    way = rng.randrange(5)
    if way == 0:
        return function + pickle.EMPTY_TUPLE + pickle.REDUCE
    if way == 1:
        return function + argument + pickle.TUPLE1 + pickle.NEWOBJ
    if way == 2:
        return function + argument + pickle.TUPLE1 + pickle.EMPTY_DICT + pickle.NEWOBJ_EX
    if way == 3:
        return function + argument + pickle.TUPLE1 + pickle.REDUCE + pickle.EMPTY_DICT + pickle.BUILD
    return function + argument + pickle.TUPLE1 + pickle.REDUCE
