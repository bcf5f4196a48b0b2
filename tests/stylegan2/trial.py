"""Load files in processes of their own: `python trial.py FILE …` prints a line of JSON for each.

Each is loaded by a fork, which may take so much memory and time, and whose death is told.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time

import stylegan2
import stylegan2.checkpoints.loading

SECONDS, BYTES = 30, 3 << 30


def status(field: str) -> int:
    """A size of this process in bytes, as the kernel counts it."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) << 10


def attempt(path: str, network: str) -> None:
    before, start = status("VmRSS"), time.perf_counter()
    try:
        loaded = stylegan2.load(path, network)
        said, kind = type(loaded).__name__, ""
    except Exception as error:
        said, kind = str(error), type(error).__name__
    taken = status("VmHWM") - before
    print(json.dumps({"said": said, "kind": kind, "bytes": taken, "seconds": time.perf_counter() - start}), flush=True)


def main() -> None:
    # What loading imports and allocates once is not the files'.
    stylegan2.Generator(stylegan2.GeneratorConfig(8, 4, 0, 4, channel_base=32))
    for path in sys.argv[1:]:
        child = os.fork()
        if not child:
            resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + BYTES,) * 2)
            signal.alarm(SECONDS)
            attempt(path, "D" if "discriminator" in path else "G_ema")
            os._exit(0)
        _, ended = os.waitpid(child, 0)
        if ended:
            print(json.dumps({"said": "", "kind": f"ended by {ended}", "bytes": 0, "seconds": 0}), flush=True)


if __name__ == "__main__":
    main()
