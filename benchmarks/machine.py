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


def peak_memory(children: bool = False) -> str:
    """Tell the most memory that this process, or one of those that it has run, had at once; and torch on a GPU."""
    try:
        import resource
    except ImportError:  # Windows
        return "peak memory unknown"
    usage = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    told = f"peak memory {usage.ru_maxrss * unit / 1e9:.2f} GB"
    torch = sys.modules.get("torch")
    if not children and torch is not None and torch.cuda.is_available():
        told += f", of the GPU {torch.cuda.max_memory_allocated() / 1e9:.2f} GB"
    return told


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


def peak_bytes() -> int:
    """Bytes of memory that the process had at most: of the GPU if it used one, else of the machine."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most  # macOS counts in bytes
