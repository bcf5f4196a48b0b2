"""Commands in a hostile world: full disks, no network, few descriptors, closed streams, jumping clocks, interruptions.

What is expected: a command does its work, or says in one line why it cannot; never a traceback, and once the cause is
gone it comes to the result that it would have had without.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from commands import Ended, end, environment, run, start
from kills import CASES, OUT, Place, tree
from mutate import damaged, damaged_json
from mutate_containers import damaged_safetensors
from mutate_images import damaged_image
from mutate_tables import damaged_parquet
from mutate_text import damaged_csv
from table import Table
from things import NETWORK

from latentlab.progress import bar

GENERATE = ("generate", "--network", NETWORK, "--seeds", "1-4", "--device", "cpu", "--out", OUT)
LABEL = (
    "label", "--network", NETWORK, "--scorer", "attributes", "--samples", 150, "--batch", 4, "--precision", "float32",
    "--device", "cpu", "--out", OUT,
)  # fmt: skip
FETCH = ("weights", "get", "fer")
INTERRUPTED = (130, -signal.SIGINT)  # both are 130 to a shell

EARLIEST = 0.3  # seconds after which a program is interrupted at first


@dataclass
class Tally:
    """What came of one kind of trouble; `skipped` says why it could not be tried."""

    tries: int = 0
    done: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    skipped: str = ""

    def add(self, what: str, ended: Ended, codes: Sequence[int] = (0, 2)) -> None:
        """Count how a command ended."""
        self.tries += 1
        fault = judged(ended, codes)
        self.done += ended.code == 0 and not fault
        self.refused += ended.code != 0 and not fault
        if fault:
            self.failures.append(f"{what}: {fault}")

    def compare(self, what: str, found: dict[str, bytes], wanted: dict[str, bytes]) -> None:
        """Note a result that is not the wanted one."""
        for name in sorted(found.keys() | wanted.keys()):
            if found.get(name) != wanted.get(name):
                word = "lacks" if name not in found else "left" if name not in wanted else "differs in"
                self.failures.append(f"{what}: {word} {name}")


def judged(ended: Ended, codes: Sequence[int] = (0, 2)) -> str:
    """What is wrong with the way in which a command ended; '' if nothing."""
    own = [line for line in ended.lines if line.startswith("latentlab: ")]
    if "Traceback" in ended.err or "Exception ignored" in ended.err:
        return f"traceback: {ended.err.strip().splitlines()[-1][:160]}"
    if ended.code not in codes:
        return f"exit code {ended.code}: {ended.err.strip()[-160:]!r}"
    if ended.code in (2, *INTERRUPTED) and len(own) != 1:
        return f"{len(own)} lines of its own: {ended.err.strip()[-160:]!r}"
    return ""


class World:
    """The place of the commands, and what they leave in a kind world."""

    def __init__(self, scratch: Path, seed: int) -> None:
        self.scratch, self.place, self.rng = scratch, Place(scratch), Random(seed)
        self.mount = scratch / "disk"
        folder = self.place.fresh()
        ended = run(LABEL, folder)
        if ended.code:
            raise RuntimeError(f"the command does not run at all: {ended.err[-300:]}")
        self.seconds, self.labelled = ended.seconds, tree(folder / OUT)


def _can(*words: str) -> bool:
    return shutil.which(words[0]) is not None and subprocess.run(words, capture_output=True).returncode == 0


@contextlib.contextmanager
def _disk(at: Path, kibibytes: int, options: str = "") -> Iterator[None]:
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k{options}", "tmpfs", str(at)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def _may_mount(world: World) -> bool:
    try:
        with _disk(world.mount, 64):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def full_disk(world: World) -> Tally:
    """Disks of many sizes; afterwards the disk grows, and the same command is run again."""
    if not _may_mount(world):
        return Tally(skipped="only root may mount a small disk")
    tally = Tally()
    needed = sum(map(len, world.labelled.values())) // 1024
    for share in (0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0):
        folder, what = world.place.fresh(), f"{round(share * 100)} % of what is needed"
        words = [world.mount / OUT if word == OUT else word for word in LABEL]
        with _disk(world.mount, max(round(share * needed), 4)):
            tally.add(what, run(words, folder))
            subprocess.run(["mount", "-o", "remount,size=64m", str(world.mount)], check=True)
            tally.add(f"{what}, then enough", run(words, folder), codes=(0,))
            tally.compare(what, tree(world.mount / OUT), world.labelled)
    return tally


def read_only(world: World) -> Tally:
    """Places that cannot be written to."""
    tally, folder = Tally(), world.place.fresh()
    (folder / "file").write_text("x")
    places: list[Path] = [
        Path("/proc/x"),
        Path("/dev/null/x"),
        folder / "file",
        folder / "file" / "x",
        folder / ("x" * 300),
    ]
    for place in places:
        tally.add(f"--out {str(place)[:40]}", run([*GENERATE[:-1], place], folder), codes=(2,))
    if _may_mount(world):
        with _disk(world.mount, 64, ",ro"):
            tally.add("a read-only disk", run([*GENERATE[:-1], world.mount / OUT], folder), codes=(2,))
    return tally


def together(world: World) -> Tally:
    """Two and eight processes on one folder."""
    tally = Tally()
    for number in (2, 8):
        folder = world.place.fresh()
        ended = [end(process) for process in [start(LABEL, folder) for _ in range(number)]]
        for one in ended:
            tally.add(f"{number} at once", one)
        tally.add(f"after {number} at once", run(LABEL, folder), codes=(0,))
        tally.compare(f"{number} at once", tree(folder / OUT), world.labelled)
    return tally


def no_cache(world: World) -> Tally:
    """The folder of fetched weights is removed while a command runs."""
    from latentlab.weights.store import cache_folder

    source, tally = cache_folder(), Tally()
    if not (source / "fer").is_dir():
        return Tally(skipped="the weights of fer are not there; `latentlab weights get fer`")
    words = [word if word != "attributes" else "fer" for word in LABEL]
    for share in (0.0, 0.2, 0.4, 0.6, 0.9):
        folder = world.place.fresh()
        shutil.copytree(source / "fer", folder / "cache" / "fer")
        process = start(words, folder, _offline(), environment(LATENTLAB_CACHE=str(folder / "cache")))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(share * world.seconds)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        tally.add(f"removed at {share}", end(process))
    return tally


def _offline() -> list[str]:
    """The words before a command that take the network from it."""
    return ["unshare", "-n"] if _can("unshare", "-n", "true") else []


def no_network(world: World) -> Tally:
    """Weights are to be fetched, and there is no network."""
    if not _offline():
        return Tally(skipped="only root may take the network from a process")
    tally, folder = Tally(), world.place.fresh()
    env = environment(LATENTLAB_CACHE=str(folder / "cache"))
    for words in (FETCH, ("label", "--samples", 8, "--out", OUT), ("generate", "--out", OUT)):
        tally.add(" ".join(map(str, words)), run(words, folder, 300, prefix=_offline(), env=env), codes=(2,))
    return tally


def hanging_proxy(world: World) -> Tally:
    """Weights are to be fetched through a proxy that takes connections and never answers."""
    tally, folder = Tally(), world.place.fresh()
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []
        threading.Thread(target=_accept, args=(server, held), daemon=True).start()
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        # pip waits as long as its user has it wait: here as long as by itself.
        env = environment(
            LATENTLAB_CACHE=str(folder / "cache"),
            PIP_DEFAULT_TIMEOUT="15",
            no_proxy="",
            NO_PROXY="",
            **dict.fromkeys(names, proxy),
        )
        tally.add("weights get", run(FETCH, folder, 400, env=env), codes=(2,))
    for one in held:
        one.close()
    return tally


def _accept(server: socket.socket, held: list[socket.socket]) -> None:
    with contextlib.suppress(OSError):
        while True:
            held.append(server.accept()[0])


_JUMPING = """
import random, sys, time
real, draw = time.time, random.Random(0)
time.time = lambda: real() + draw.choice((-86400, 0, 86400))
from latentlab.cli import main
sys.argv[0] = "latentlab"
main()
"""


def jumping_clock(world: World) -> Tally:
    """The time of day jumps by a day at every look at it."""
    tally, folder = Tally(), world.place.fresh()
    # The shell gets PYTHON -m latentlab WORDS, of which it keeps the interpreter and the words.
    prefix = ["sh", "-c", 'python="$1"; shift 3; exec "$python" -c "$CODE" "$@"', "sh"]
    process = start(LABEL, folder, prefix, environment(CODE=_JUMPING))
    tally.add("label", end(process), codes=(0,))
    tally.compare("label", tree(folder / OUT), world.labelled)
    return tally


def little_memory(world: World) -> Tally:
    """Address space of many sizes."""
    tally = Tally()
    for mebibytes in (60, 300, 1000, 2000, 3000, 3500, 4000, 5000, 6000):
        ended = run(LABEL, world.place.fresh(), prefix=["prlimit", f"--as={mebibytes << 20}"])
        tally.add(f"{mebibytes} MiB", ended)
    return tally


def few_descriptors(world: World) -> Tally:
    """Few files may be open at once."""
    tally = Tally()
    for number in (8, 10, 12, 16, 24, 32, 64):
        tally.add(f"{number} descriptors", run(LABEL, world.place.fresh(), prefix=["prlimit", f"--nofile={number}"]))
    return tally


def _shell(redirections: str) -> list[str]:
    return ["sh", "-c", f'exec "$@" {redirections}', "sh"]


def closed_streams(world: World) -> Tally:
    """Standard streams that are closed, full, or read by nobody."""
    tally = Tally()
    for name in ("<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full"):
        tally.add(name, run(GENERATE, world.place.fresh(), prefix=_shell(name)))
    piped = ["sh", "-c", '"$@" | true', "sh"]
    tally.add("| true", run(GENERATE, world.place.fresh(), prefix=piped))
    tally.add("help | true", run(("smile", "--help"), world.place.fresh(), prefix=piped))
    return tally


def environments(world: World) -> Tally:
    """Settings of the environment that programs stumble over."""
    tally = Tally()
    settings: dict[str, dict[str, str]] = {
        "locale C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        "ASCII streams": {"PYTHONIOENCODING": "ascii"},
        "20 columns": {"COLUMNS": "20", "LINES": "3"},
        "0 columns": {"COLUMNS": "0"},
        "PYTHONOPTIMIZE=2": {"PYTHONOPTIMIZE": "2"},
        "warnings are errors": {"PYTHONWARNINGS": "error::UserWarning"},
        "no home": {"HOME": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent"},
        "no TMPDIR": {"TMPDIR": "/nonexistent"},
        "a dumb terminal": {"TERM": "dumb", "NO_COLOR": "1"},
        "PYTHONDEVMODE": {"PYTHONDEVMODE": "1"},
    }
    for name, changes in settings.items():
        folder = world.place.fresh()
        tally.add(name, run(LABEL, folder, env=environment(**changes)), codes=(0,))
        tally.compare(name, tree(folder / OUT), world.labelled)
    for name in ("locale C", "20 columns", "PYTHONOPTIMIZE=2"):
        tally.add(
            f"{name}, help",
            run(("smile", "--help"), world.place.fresh(), env=environment(**settings[name])),
            codes=(0,),
        )
    gone = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh"]
    tally.add("a working folder that is gone", run(GENERATE, world.place.fresh(), prefix=gone))
    return tally


def interruptions(world: World) -> Tally:
    """Ctrl-C at early and late moments; then the same command again."""
    tally = Tally()
    moments = [EARLIEST, 0.6, 1.0, *(round(world.rng.random() * world.seconds, 2) for _ in range(7))]
    for moment in moments:
        folder = world.place.fresh()
        ended = run(LABEL, folder, after=moment, by=signal.SIGINT)
        if moment == EARLIEST and not ended.out and "latentlab" not in ended.err:
            continue  # the program has not begun, and the interpreter answers itself
        tally.add(f"after {moment} s", ended, codes=(0, *INTERRUPTED))
    tally.add("again", run(LABEL, folder), codes=(0,))
    tally.compare("again", tree(folder / OUT), world.labelled)
    return tally


_DAMAGES = {
    ".json": damaged_json, ".safetensors": damaged_safetensors, ".parquet": damaged_parquet, ".csv": damaged_csv,
    ".png": damaged_image,
}  # fmt: skip


def damaged_results(world: World) -> Tally:
    """A file among those of a stopped run is damaged before the command is run again."""
    tally = Tally()
    for name in ("label", "train pix2pix", "project", "edit photo", "compare shapes"):
        stopped = world.place.fresh()
        begun = run(CASES[name], stopped)
        if begun.code:
            tally.add(f"{name}, whole", begun, codes=(0,))
            continue
        files = sorted(path.relative_to(stopped) for path in (stopped / OUT).rglob("*") if path.is_file())
        _unfinished(stopped / OUT)
        kept = world.scratch / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(stopped, kept)
        for k in range(6):
            folder = world.place.fresh()
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            file = world.rng.choice([one for one in files if (folder / one).exists()])
            data, rng = (folder / file).read_bytes(), Random(f"{name}:{k}")
            (folder / file).write_bytes(_damaged(rng, file.suffix, data))
            tally.add(f"{name}, {file} damaged ({k})", run(CASES[name], folder))
    return tally


def _unfinished(out: Path) -> None:
    """Remove the newest files of a finished run: there is something left to do."""
    newest = sorted((path for path in out.rglob("*") if path.is_file()), key=lambda path: path.stat().st_mtime)
    for path in newest[len(newest) * 4 // 5 :]:
        path.unlink()


def _damaged(rng: Random, suffix: str, data: bytes) -> bytes:
    try:
        return _DAMAGES.get(suffix, damaged)(rng, data, b"")
    except (ValueError, LookupError, struct.error):  # it is of no such format, whatever its name says
        return damaged(rng, data)


CHECKS: dict[str, Callable[[World], Tally]] = {
    "full-disk": full_disk, "read-only": read_only, "together": together, "no-cache": no_cache,
    "no-network": no_network, "hanging-proxy": hanging_proxy, "jumping-clock": jumping_clock,
    "little-memory": little_memory, "few-descriptors": few_descriptors, "closed-streams": closed_streams,
    "environments": environments, "interruptions": interruptions, "damaged-results": damaged_results,
}  # fmt: skip


def run_all(names: Sequence[str], seed: int) -> dict[str, Tally]:
    """Try all kinds of trouble."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="reliability-") as scratch, bar("making trouble", "kind") as step:
        world = World(Path(scratch), seed)
        for k, name in enumerate(names):
            found[name] = CHECKS[name](world)
            for failure in found[name].failures:
                print(f"\nfailure: world --only {name}  {failure}", flush=True)
            step(k + 1, len(names))
    return found


def table(tallies: dict[str, Tally]) -> Table:
    """The figures, a row a kind of trouble."""
    rows = [
        [name, one.tries, one.done, one.refused, len(one.failures), one.skipped or "–"] for name, one in tallies.items()
    ]
    return Table(
        "Commands in a hostile world",
        ["trouble", "tries", "done", "refused in one line", "failures", "not tried"],
        rows,
    )
