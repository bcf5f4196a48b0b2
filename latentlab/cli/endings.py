"""How the program ends: with one line for the reader and an exit code, without a traceback, whatever it was doing.

Imports nothing slow: it wraps the import of everything else.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any

from latentlab.errors import UserError
from stylegan2.describing import printable
from stylegan2.errors import CheckpointError, DeviceError

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

_BAD_INPUT, _NO_READER = 2, 141
_AGAIN = 2.0  # seconds after which Ctrl-C is raised again
_LONGEST = 2000  # characters of a line on standard error

# What libraries say, in the text of nearly any class of error, where memory is short.
_NO_MEMORY = (
    "not enough memory", "out of memory", "bad_alloc", "failed to map segment", "cannot allocate memory",
    "unable to allocate", "can't start new thread", "can't allocate memory",
)  # fmt: skip


class _NoOutput(Exception):
    """Standard output takes no more."""


class _Stream:
    """A standard stream that a terminal can show safely, and that tells its own failures from those of files."""

    def __init__(self, stream: Any, clean: Callable[[str], str], fail: Callable[[OSError], None]) -> None:
        self._stream, self._clean, self._fail = stream, clean, fail

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, cleaned."""
        try:
            self._stream.write(self._clean(text))
        except OSError as error:
            self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Write out what is held back."""
        try:
            self._stream.flush()
        except OSError as error:
            self._fail(error)


def single_line(text: str) -> str:
    """Return `text` on one line of sensible length that a terminal can show: paths may hold anything."""
    line = printable(" ".join(text.splitlines()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2 - 1]} … {line[-(_LONGEST // 2 - 2) :]}"


def print_error(text: str) -> None:
    """Print one line on standard error, if it accepts output, with the program's name in front."""
    with suppress(OSError, ValueError):  # full or closed: there is nobody to tell
        print(f"latentlab: {single_line(text)}", file=sys.stderr, flush=True)


@contextmanager
def one_line_endings() -> Iterator[None]:
    """End the program with exit code 2 and a line for bad input or a lack of memory, 130 after Ctrl-C, else 0."""
    _open_standard_streams()
    output = _Stream(sys.stdout, _clean_lines, _refuse)
    with redirect_stdout(output), redirect_stderr(_Stream(sys.stderr, str, lambda error: None)):
        try:
            with _interrupts(), _messages_on_one_line():
                try:
                    _check_working_folder()
                    yield
                    output.flush()
                except SystemExit:
                    output.flush()
                    raise
        except BaseException as error:
            code = _told(error)
            if code is None:
                raise
            sys.exit(code)


def _check_working_folder() -> None:
    """Refuse to run where libraries would fail to load for want of the folder; UserError then."""
    try:
        os.getcwd()
    except OSError as error:
        raise UserError(f"the working folder is not there any more ({error.strerror}): change to another") from error


@contextmanager
def _interrupts() -> Iterator[None]:
    """Let Ctrl-C arrive here: it is raised again until it does, since much code swallows it.

    Libraries do so while they are imported, and what is raised while an object is deleted goes nowhere.
    """
    found = signal.getsignal(signal.SIGINT)
    if found not in (signal.default_int_handler, signal.SIG_DFL) or not hasattr(signal, "setitimer"):
        yield  # ignored, as by nohup, or on a system without timers
        return

    def interrupt(number: int, frame: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        raise KeyboardInterrupt

    def show_ignored(ignored: Any) -> None:
        if ignored.exc_type is not KeyboardInterrupt:
            sys.__unraisablehook__(ignored)

    usual, usual_hook = signal.signal(signal.SIGALRM, interrupt), sys.unraisablehook
    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = show_ignored
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, found)
        signal.signal(signal.SIGALRM, usual)
        sys.unraisablehook = usual_hook


def _told(error: BaseException) -> int | None:
    """Say what ended the program, and return its exit code; None for a fault of this program's own."""
    if isinstance(error, _NoOutput):
        return _without_output(error.__cause__)
    if isinstance(error, KeyboardInterrupt) or _among_causes(error, lambda one: isinstance(one, KeyboardInterrupt)):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would end in a traceback while the program ends
        print_error("interrupted; run the same command again to resume")
        return INTERRUPTED
    if isinstance(error, (UserError, CheckpointError, DeviceError)):
        print_error(str(error))
        return _BAD_INPUT
    if _among_causes(error, _is_lack_of_memory):
        print_error("not enough memory: give a smaller --batch, close other programs, or take a machine with more")
        return _BAD_INPUT
    if isinstance(error, OSError) and error.filename is not None:
        print_error(f"cannot use {os.fsdecode(error.filename)}: {error.strerror}")
        return _BAD_INPUT
    return None


def _among_causes(error: BaseException | None, wanted: Callable[[BaseException], bool]) -> bool:
    """Whether an error is of a kind, or came from one: libraries turn errors of their imports into others."""
    seen: set[int] = set()  # an error that is raised from itself has no end of causes
    while error is not None and id(error) not in seen:
        if wanted(error):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _is_lack_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, Exception) and any(words in str(error).lower() for words in _NO_MEMORY)


def _without_output(cause: BaseException | None) -> int:
    """End where standard output takes no more, silently if its reader left, as `head` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what the interpreter writes out at its end
    if isinstance(cause, BrokenPipeError):
        return _NO_READER
    print_error(f"cannot write to standard output: {getattr(cause, 'strerror', cause)}")
    return _BAD_INPUT


def _refuse(error: OSError) -> None:
    raise _NoOutput from error


def _clean_lines(text: str) -> str:
    return text if text.isprintable() else "\n".join("\t".join(map(printable, x.split("\t"))) for x in text.split("\n"))


def _open_standard_streams() -> None:
    """Replace standard streams that are closed: the next file would take their number, and what libraries print."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - until the program ends
        elif isinstance(stream, io.TextIOWrapper):
            # A path that the encoding lacks is no reason to fail after the work is done.
            stream.reconfigure(errors="backslashreplace")


class _LogFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return lines that a terminal can show: a message, and the traceback if there is one."""
        return "\n".join(map(printable, super().format(record).splitlines()))


@contextmanager
def _messages_on_one_line() -> Iterator[None]:
    """Show warnings for the user as one line, without the place in the code, and make log messages safe."""
    usual = warnings.formatwarning

    def shown(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> str:
        if category is UserWarning:
            return f"latentlab: {single_line(str(message))}\n"
        return usual(message, category, *place, **more)

    warnings.formatwarning = shown
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_LogFormatter())
    try:
        yield
    finally:
        warnings.formatwarning = usual
