"""The setting of the C library, in a process of its own: it cannot be taken back."""

import os
import platform
import subprocess
import sys
import textwrap

SCRIPT = """
    import ctypes, sys
    from stylegan2.memory import keep_freed_memory
    print(keep_freed_memory(), keep_freed_memory())
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        libc.free.argtypes = [ctypes.c_void_p]

        def faults():
            return int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[7])  # minor faults so far

        for _ in range(2):  # 64 MiB, twice: the second time its pages are there already
            before = faults()
            block = libc.malloc(64 << 20)
            ctypes.memset(block, 1, 64 << 20)
            libc.free(block)
            print(faults() - before)
"""


def test_glibc_keeps_what_is_freed():
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    answers, *faults = run.stdout.splitlines()
    glibc = platform.libc_ver()[0] == "glibc"
    assert answers == f"{glibc} {glibc}"
    if glibc:
        first, second = map(int, faults)
        assert second <= first // 10 or first == 0
