"""Run a reader on a file in a process of its own, which is watched: time, memory, what it opens and what it runs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import select
import signal
import sys
import sysconfig
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latentlab.errors import UserError
from stylegan2.errors import CheckpointError

ROOT = Path(__file__).resolve().parents[2]
Reader = Callable[[Path], object]

LONGEST_MESSAGE = 2000
OUT = "out"  # the folder beside the input that a reader may write to

RIGHT = ("value", "refused")
_POLL = 0.005
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_PAGE = resource.getpagesize()
# Events of sys.addaudithook that no reader has a reason for.
_NEVER = re.compile(
    r"os\.(system|exec|posix_spawn|spawn|startfile|fork|forkpty|putenv|chown|setxattr)|subprocess\.|pty\.|socket\."
    r"|ctypes\.(dlopen|call_function|string_at|wstring_at|cdata)|pickle\.find_class|code\.__new__|webbrowser\."
    r"|urllib\.|http\.|ftplib\.|smtplib\.|sqlite3\.|syslog\.|winreg\.|builtins\.(input|breakpoint)|sys\.set"
)  # fmt: skip
# Events that change files: allowed below the folder OUT.
_CHANGES = re.compile(r"os\.(remove|rename|rmdir|mkdir|chmod|link|symlink|truncate|utime)|shutil\.|tempfile\.")
_LIBRARIES = tuple({str(ROOT), *(os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "purelib"))})
_READABLE = (*_LIBRARIES, os.path.realpath(sys.base_prefix), "/proc/", "/sys/", "/dev/null", "/dev/urandom", "<frozen")
_IMPORTABLE = {"latentlab", "stylegan2", "encodings", "PIL"}


@dataclass(frozen=True)
class Limits:
    """What a reader may take for a small file, and for each five megabytes of a large one a second more.

    Attributes
    ----------
    cpu, wall
        Seconds of the processor, and of the clock: other programs may have the processor.
    times, spare
        Bytes: so many times the file's, and so many more.
    """

    cpu: int = 5
    wall: float = 20.0
    times: int = 10
    spare: int = 500_000_000

    def of(self, size: int) -> Limits:
        """Those of a file of so many bytes."""
        more = size // 5_000_000
        return replace(self, cpu=self.cpu + more, wall=self.wall + 4 * more)


@dataclass(frozen=True)
class Outcome:
    """How the reading of one input ended.

    Attributes
    ----------
    kind
        'value' and 'refused' are right; all others are failures.
    detail
        The type of an exception and its message, or what was touched.
    place
        The deepest line of the project in the traceback, as file:function.
    seconds
        Wall-clock time.
    memory
        Bytes that the process grew by, at most.
    trace
        The traceback, of exceptions.
    """

    kind: str
    detail: str = ""
    place: str = ""
    seconds: float = 0.0
    memory: int = 0
    trace: str = ""

    @property
    def failed(self) -> bool:
        """Whether this is a failure of the project."""
        return self.kind not in RIGHT

    @property
    def line(self) -> str:
        """All of it but the traceback, in one line that a terminal can show."""
        text = " ".join(self.detail.split())[:240].encode("unicode_escape").decode()
        return f"{self.kind}: {text} [{self.place}] {self.seconds:.2f} s, {self.memory / 1e6:.0f} MB"

    @property
    def alike(self) -> tuple[str, str, str]:
        """What failures of one cause share."""
        return self.kind, self.detail.split(":")[0][:80], self.place


class _Watch:
    """An audit hook that notes what a reader must not do, and stops it."""

    def __init__(self, folder: Path, note: Callable[[str], None]) -> None:
        self.folder, self.note, self.on = os.path.realpath(folder), note, True

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        self.on = False  # what it does itself is none of the reader's
        try:
            found = self._judge(event, arguments)
            if found:
                self.note(found)
        finally:
            self.on = True
        if found:
            raise PermissionError(found)

    def _judge(self, event: str, arguments: tuple[Any, ...]) -> str:
        if event == "open":
            return self._opening(*arguments)
        if event == "import":
            name = str(arguments[0])
            return "" if name.split(".")[0] in _IMPORTABLE or name in sys.modules else f"import of {name[:80]}"
        if event == "exec":
            name = getattr(arguments[0], "co_filename", "?")
            return "" if name.startswith(_READABLE) else f"run of code {name[:80]}"
        if _NEVER.match(event):
            return f"{event} {str(arguments)[:80]}"
        if _CHANGES.match(event) and not self._is_own(arguments, event):
            return f"{event} {str(arguments)[:80]}"
        return ""

    def _opening(self, path: Any, mode: Any, flags: Any) -> str:
        if isinstance(path, int):
            return ""
        place = os.path.realpath(os.fsdecode(path))
        writing = bool(set(str(mode or "")) & set("wax+"))
        writing |= isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
        if writing:
            return "" if self._below(place, OUT) or place == "/dev/null" else f"written to: {place[-80:]}"
        # A bare name is one in the working folder, which is empty, or in a folder that is open already.
        bare = os.path.basename(os.fsdecode(path)) == os.fsdecode(path)
        return "" if bare or self._below(place) or place.startswith(_READABLE) else f"opened: {place[-80:]}"

    def _below(self, place: str, inner: str = "") -> bool:
        return (place + "/").startswith(os.path.join(self.folder, inner).rstrip("/") + "/")

    def _is_own(self, arguments: tuple[Any, ...], event: str) -> bool:
        # The removal of a whole folder is judged as a whole; its files are then named within it.
        if event in ("os.remove", "os.rmdir") and arguments[-1] not in (-1, None):
            return True
        paths = [os.fsdecode(one) for one in arguments if isinstance(one, str | bytes | os.PathLike)]
        return all(self._below(os.path.realpath(path), OUT) for path in paths)


def _message_fault(text: str, path: Path) -> str:
    """What is wrong with a message about `path`; '' for a good one."""
    if _CONTROLS.search(text):
        return "control characters or several lines"
    if len(text) > LONGEST_MESSAGE:
        return f"{len(text)} characters"
    named = path.name if path.is_file() else str(path)
    return "" if named in text or str(path.parent / OUT) in text else "the file is not named"


def _deepest(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if frame.filename.startswith((str(ROOT / "latentlab"), str(ROOT / "stylegan2")))]  # fmt: skip
    return f"{Path(frames[-1].filename).relative_to(ROOT)}:{frames[-1].name}" if frames else "outside of the project"


def _judged(read: Reader, path: Path) -> Outcome:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            read(path)
            found = Outcome("value")
        except (UserError, CheckpointError) as error:
            fault = _message_fault(str(error), path)
            kind = "message" if fault else "refused"
            detail = f"{fault}: {str(error)[:300]!a}" if fault else f"{type(error).__name__}: {str(error)[:300]}"
            found = Outcome(kind, detail, _deepest(error), trace=traceback.format_exc()[-4000:])
        except BaseException as error:
            detail = f"{type(error).__name__}: {str(error)[:300]}"
            found = Outcome("raised", detail, _deepest(error), trace=traceback.format_exc()[-4000:])
    for one in caught:
        text = str(one.message)
        if not found.failed and issubclass(one.category, UserWarning) and _CONTROLS.search(text):
            found = Outcome("message", f"control characters or several lines: in a warning: {text[:300]!a}")
    return found


def _status(key: str) -> int:
    """An entry of this process's memory, in bytes."""
    with open("/proc/self/status", "rb") as file:
        (line,) = (line for line in file if line.startswith(key.encode()))
    return 1024 * int(line.split()[1])


def _child(read: Reader, path: Path, cwd: Path, report: int, cpu: int) -> None:
    """Read, tell the outcome as lines of JSON, and end."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 28, 1 << 28))
    log = os.open(cwd / ".log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(cwd)

    def tell(**values: Any) -> None:
        os.write(report, json.dumps(values).encode() + b"\n")

    watch = _Watch(path.parent if path.is_file() else path, lambda what: tell(touched=what))
    sys.addaudithook(watch)
    before = _status("VmRSS")

    def watched(path: Path) -> object:
        try:
            return read(path)
        finally:
            watch.on = False  # tracebacks are read out of the sources

    found = _judged(watched, path)
    memory = _status("VmHWM") - before
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    tell(kind=found.kind, detail=found.detail, place=found.place, trace=found.trace, memory=memory)
    os._exit(0)


def _resident(process: int) -> int:
    try:
        with open(f"/proc/{process}/statm", "rb") as file:
            _, resident, shared, *_ = map(int, file.read().split())
        return (resident - shared) * _PAGE
    except (OSError, ValueError):
        return 0


def _supervise(process: int, reports: int, wall: float, allowed: int) -> tuple[str, int, int, float]:
    """Wait for a process and end it where it takes too much: reports, bytes at most, exit status, CPU seconds."""
    started, most, said = time.monotonic(), 0, b""
    first = _resident(process)
    while True:
        if select.select([reports], [], [], _POLL)[0]:
            piece = os.read(reports, 1 << 16)
            if not piece:
                break
            said += piece
            continue
        most = max(most, _resident(process) - first)
        if most > allowed or time.monotonic() - started > wall:
            break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if not said.endswith(b"\n") or b'"kind"' not in said:
            os.kill(process, signal.SIGKILL)
    _, status, usage = os.wait4(process, 0)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)  # what it may have started
    return said.decode("utf-8", "replace"), most, status, usage.ru_utime + usage.ru_stime


def attempt(read: Reader, path: Path, size: int, cwd: Path, limits: Limits = Limits()) -> Outcome:
    """Read `path`, whose input has `size` bytes, in a process that works in the empty folder `cwd`."""
    limits = limits.of(size)
    allowed = limits.times * size + limits.spare
    reports, report = os.pipe()
    begun = time.monotonic()
    process = os.fork()
    if process == 0:
        try:
            os.close(reports)
            _child(read, path, cwd, report, limits.cpu)
        finally:
            os._exit(70)
    os.close(report)
    said, most, status, cpu = _supervise(process, reports, limits.wall, allowed)
    os.close(reports)
    seconds = time.monotonic() - begun
    lines = [json.loads(line) for line in said.splitlines() if line.endswith("}")]
    found = next((Outcome(seconds=seconds, **line) for line in lines if "kind" in line), None)
    memory = max(most, found.memory if found else 0)
    touched = _touched(lines, cwd)
    printed = (cwd / ".log").read_bytes().decode("utf-8", "replace") if (cwd / ".log").exists() else ""
    for left in cwd.iterdir():
        left.unlink()
    if touched:
        fault = "touched", touched
    elif memory > allowed:
        fault = "memory", f"more than {limits.times} times its size and {limits.spare // 10**6} MB"
    elif cpu > limits.cpu or os.WTERMSIG(status) == signal.SIGXCPU or (found is None and seconds > limits.wall):
        fault = "hung", f"more than {limits.cpu} s of the processor, or {limits.wall:g} s"
    elif found is None:
        ended = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit code {status >> 8}"
        fault = "crashed", f"{ended}: {printed[-300:]}"
    elif "Traceback" in printed or "Exception ignored" in printed:
        fault = "printed", f"a traceback: {printed[-300:]}"
    else:
        return replace(found, memory=memory)
    known = found or Outcome("")
    return replace(known, kind=fault[0], detail=fault[1], seconds=seconds, memory=memory)


def _touched(lines: list[dict[str, Any]], cwd: Path) -> str:
    """What the process touched that it should not; '' if nothing."""
    left = [f"left {path.name[:80]}" for path in cwd.iterdir() if path.name != ".log"]
    return next(iter([line["touched"] for line in lines if "touched" in line] + left), "")
