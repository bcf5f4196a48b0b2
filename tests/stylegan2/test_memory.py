"""The setting of the C library, in processes of their own: it is the whole process's."""

import os
import platform
import subprocess
import sys
import textwrap

import pytest

FAULTS = """
    import ctypes, sys
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
KEEP = """
    from stylegan2.memory import keep_freed_memory
    print(keep_freed_memory(), keep_freed_memory())
"""
RETURN = """
    from stylegan2.memory import keep_freed_memory
    keep_freed_memory()
    print(keep_freed_memory(False))
"""
RENDER = """
    import stylegan2
    config = stylegan2.GeneratorConfig(
        resolution=256, z_dim=8, w_dim=8, mapping_layers=1, channel_base=512, channel_max=8
    )
    network = stylegan2.Generator(config)
    print(network(stylegan2.z_from_seeds(1, 8)).shape[-1])
"""
GLIBC = platform.libc_ver()[0] == "glibc"


def faults_after(script, **environment):
    """What a script prints, and the faults of two large blocks, one after the other, in the same process then."""
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script) + textwrap.dedent(FAULTS)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    answer, *faults = run.stdout.splitlines()
    return answer, [int(value) for value in faults]


def test_glibc_keeps_what_is_freed():
    answer, faults = faults_after(KEEP)
    assert answer == f"{GLIBC} {GLIBC}"
    if GLIBC:
        first, second = faults
        assert second <= first // 10 or first == 0


@pytest.mark.skipif(not GLIBC, reason="glibc's setting")
def test_it_can_be_taken_back():
    answer, (first, second) = faults_after(RETURN)
    assert answer == "True"
    assert second > first // 2 > 0


@pytest.mark.skipif(not GLIBC, reason="glibc's setting")
@pytest.mark.parametrize("forbidden", [False, True])
def test_a_generator_makes_the_setting_at_its_first_large_image(forbidden):
    answer, (first, second) = faults_after(RENDER, STYLEGAN2_KEEP_MEMORY="0" if forbidden else "1")
    assert answer == "256"
    if forbidden:
        assert second > first // 2 > 0
    else:
        assert second <= first // 10 or first == 0
