"""The type that 'auto' takes: bfloat16 where the hardware is quick at it, which a CPU's names do not tell."""

from __future__ import annotations

import pytest
import torch

from latentlab import precision
from latentlab.precision import fast_dtype, settle


@pytest.fixture
def cpu(monkeypatch):
    """A CPU of given abilities and seconds of a convolution."""

    def become(avx512_bf16, amx, seconds):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
        monkeypatch.setattr(precision, "_seconds", seconds.__getitem__)
        precision._cpu_is_quick_at_bfloat16.cache_clear()

    yield become
    precision._cpu_is_quick_at_bfloat16.cache_clear()


QUICK, SLOW, ALIKE = ({torch.float32: 2.0, torch.bfloat16: half} for half in (1.0, 4.0, 1.9))


@pytest.mark.parametrize(
    ("avx512_bf16", "amx", "seconds", "found"),
    [
        (True, False, QUICK, "bfloat16"),
        (True, False, SLOW, "float32"),  # half the speed, on Xeons whose AMX is hidden
        (True, False, ALIKE, "float32"),
        (True, True, {}, "bfloat16"),
        (False, False, {}, "float32"),
    ],
)
def test_a_cpu_is_taken_at_its_speed(cpu, avx512_bf16, amx, seconds, found):
    cpu(avx512_bf16, amx, seconds)
    assert settle("auto", "cpu") == found
    assert settle("float32", "cpu") == "float32" and settle("auto", "cpu", begun="bfloat16") == "bfloat16"


def test_an_accelerator_is_quick_at_half_precision():
    assert fast_dtype("cuda") is fast_dtype("mps") is torch.bfloat16


def test_both_types_are_really_timed():
    assert 0 < precision._seconds(torch.float32) < 10 and 0 < precision._seconds(torch.bfloat16) < 10
