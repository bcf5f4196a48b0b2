"""A line about the machine and the versions that a number was measured with, and the memory that it took."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
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


def peak_bytes(children: bool = False) -> int:
    """Bytes that this process had at most, of a GPU if it used one; or the largest of those that it has run."""
    torch = sys.modules.get("torch")
    if not children and torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return int(torch.cuda.max_memory_allocated())
    import resource  # not on Windows

    most = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most  # bytes there, KiB elsewhere


def peak_memory(children: bool = False) -> str:
    """Tell `peak_bytes` in words."""
    try:
        return f"peak memory {peak_bytes(children) / 1e9:.2f} GB"
    except ImportError:
        return "peak memory unknown"


def describe(*packages: str) -> str:
    """Describe processor, cores, load, Python and the versions of `packages` in one line."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    load = f", load {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    return f"{processor()}, {os.cpu_count()} cores{load}; Python {platform.python_version()}, {', '.join(found)}"
