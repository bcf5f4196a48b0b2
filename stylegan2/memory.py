"""Settings of the C library: keeping freed memory, which speeds up large tensors on a CPU, and returning it."""

from __future__ import annotations

import ctypes
import os
import platform

FORBID = "STYLEGAN2_KEEP_MEMORY"
"""Environment variable: if it is 0, generators do not make the setting of their own accord."""

# Numbers of the options in glibc's <malloc.h>, and their values: to keep what is freed, and as glibc has them.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEEP = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 2**28))
_RETURN = ((_M_MMAP_MAX, 65536), (_M_TRIM_THRESHOLD, 128 * 1024), (_M_TOP_PAD, 128 * 1024))

_decided = False


def keep_freed_memory(keep: bool = True) -> bool:
    """Let glibc keep the memory that tensors free, instead of returning it to the kernel each time.

    By default every buffer over 32 MiB is mapped anew, and touching its fresh pages costs up to half of the
    time of a network with large feature maps. In exchange, the process keeps its peak memory.

    The setting applies to the whole process. Generators make it at their first large image on a CPU, unless this
    function was called before or the environment variable STYLEGAN2_KEEP_MEMORY is 0.

    Parameters
    ----------
    keep
        False goes back to glibc's own settings, gives free memory to the kernel, and stops generators from setting it.

    Returns
    -------
    bool
        Whether it was set: False where the C library is not glibc.
    """
    global _decided
    _decided = True
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    results = [libc.mallopt(option, value) for option, value in (_KEEP if keep else _RETURN)]
    if not keep:
        return_freed_memory()
    return all(results)


def return_freed_memory() -> None:
    """Return memory that is free now to the kernel; do nothing where the C library is not glibc.

    For loops that need large buffers for a while and keep something small each time: what is kept lies between the
    holes that the buffers left, which later buffers do not fit into, and a thousand iterations came to gigabytes.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def keep_freed_memory_by_default() -> None:
    """Set it for a generator's large images, unless somebody has decided already."""
    if not _decided and os.environ.get(FORBID) != "0":
        keep_freed_memory()
