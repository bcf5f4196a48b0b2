"""A line about the machine and the versions that a number was measured with, and the memory that it took."""

from __future__ import annotations

import atexit
import os
import platform
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def processor() -> str:
    """Name of the processor, as the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return platform.processor() or "unknown"


def peak_bytes() -> int:
    """Bytes that this process had at most, of a GPU if it used one, or the largest of those that it ran, if more."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return int(torch.cuda.max_memory_allocated())
    import resource  # not on Windows

    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return most if sys.platform == "darwin" else 1024 * most  # bytes there, KiB elsewhere


def _print_peak() -> None:
    with suppress(ImportError):
        print(f"peak memory {peak_bytes() / 1e9:.2f} GB")


def describe(*packages: str) -> str:
    """Describe processor, cores, load, Python and the versions of `packages` in one line.

    The peak of memory is printed when the program ends.
    """
    atexit.register(_print_peak)
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    load = f", load {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    return f"{processor()}, {os.cpu_count()} cores{load}; Python {platform.python_version()}, {', '.join(found)}"
