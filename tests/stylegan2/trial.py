"""Load or inspect files in processes of their own: `python trial.py load FILE inspect FILE …` prints JSON, a line each.

Each is read by a fork, which may take so much memory and time, and whose death is told.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

import stylegan2
import stylegan2.checkpoints.inspecting

SECONDS, BYTES = 30, 3 << 30  # of the processor, which other programs may have for a while


def status(field: str) -> int:
    """A size of this process in bytes, as the kernel counts it."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) << 10


def attempt(action: str, path: str) -> None:
    before, start = status("VmRSS"), time.process_time()
    try:
        if action == "inspect":
            said, kind = str(stylegan2.inspect(path).problem), ""
        else:
            stylegan2.load(path, "D" if "discriminator" in path else "G_ema")
            said, kind = "loaded", ""
    except Exception as error:
        said, kind = str(error), type(error).__name__
    taken = status("VmHWM") - before
    print(json.dumps({"said": said, "kind": kind, "bytes": taken, "seconds": time.process_time() - start}), flush=True)


def main() -> None:
    import resource  # of Linux alone, as what this does

    # What loading imports and allocates once is not the files'.
    with contextlib.suppress(stylegan2.CheckpointError):
        stylegan2.load("no such file")
    with torch.device("meta"):
        stylegan2.Generator(stylegan2.GeneratorConfig(8, 4, 0, 4, channel_base=32))
    for action, path in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        child = os.fork()
        if not child:
            resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + BYTES,) * 2)
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            attempt(action, path)
            os._exit(0)
        _, ended = os.waitpid(child, 0)
        if ended:
            print(json.dumps({"said": "", "kind": f"ended by {ended}", "bytes": 0, "seconds": 0}), flush=True)


def outcomes(trials: list[tuple[str, Path]]) -> list[dict[str, Any]]:
    """What became of each file: what was said, the kind of error, and the memory and time that it took."""
    command = [sys.executable, __file__, *(str(word) for trial in trials for word in trial)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    main()
