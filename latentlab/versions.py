"""Versions of what made a result, for its report."""

from __future__ import annotations

import platform
from importlib.metadata import version

from stylegan2 import __version__


def describe_versions(*packages: str) -> str:
    """Describe the versions of Python, of this project and of installed packages, in one line.

    Parameters
    ----------
    packages
        Names of installed distributions, such as ``torch``.
    """
    named = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"Python {platform.python_version()}, latentlab {__version__}, {named}"
