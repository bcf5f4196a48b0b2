"""Batches that fit: the size that is chosen, and what becomes of one that memory does not hold."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
import torch

from latentlab import batching
from latentlab.batching import Batches, fitting_batch, free_memory, is_out_of_memory
from latentlab.errors import UserError
from latentlab.pipelines import Components, LabelSettings, label_samples
from latentlab.pipelines.edits import rescore
from latentlab.rendering import Renderer
from latentlab.scorers import FunctionScorer
from tests.processes import run_code


class Tight:
    """A generator on a device that holds no more than some images."""

    def __init__(self, generator, most):
        self.original, self.most, self.rendered = generator, most, []

    def __getattr__(self, name):
        return getattr(self.original, name)

    def synthesis(self, ws, **options):
        if len(ws) > self.most:
            raise torch.OutOfMemoryError(f"CUDA out of memory: {len(ws)} images")
        self.rendered.append(len(ws))
        return self.original.synthesis(ws, **options)


@pytest.fixture
def scorer():
    return FunctionScorer(("bright", "dark"), lambda images: torch.stack([images.mean((1, 2, 3))] * 2, 1), "x")


def test_rows_come_in_order_and_the_size_stays_halved():
    seen = []

    def work(rows):
        if len(rows) > 3:
            raise MemoryError
        seen.append(list(rows))
        return sum(rows)

    batches = Batches(8, 16)
    with pytest.warns(UserWarning, match="not enough memory for 8 images of 16x16 on cpu at once; going on with 4"):
        assert sum(batches(range(10, 30), work)) == sum(range(10, 30))
    assert [row for some in seen for row in some] == list(range(10, 30))
    assert batches.size == 2 and max(map(len, seen)) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what was learnt holds for the next loop
        assert list(batches(range(5), len)) == [2, 2, 1]


def test_a_row_of_several_images():
    assert list(Batches(8, 16)(range(5), len, least=2)) == [4, 1]
    assert list(Batches(1, 16)(range(2), len, least=2)) == [1, 1]


def test_one_image_too_many_says_what_to_do():
    def work(rows):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(UserError, match="one image of 16x16 on cpu .*lower resolution, or another device"):
            list(Batches(4, 16)(range(4), work))


def test_other_errors_pass():
    def work(rows):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(Batches(4, 16)(range(4), work))
    assert not is_out_of_memory(ValueError("out of memory"))
    assert is_out_of_memory(RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))


def test_the_size_follows_device_and_memory(monkeypatch):
    monkeypatch.setattr(batching, "free_memory", lambda device: 2**40)
    assert (fitting_batch(256, "cpu"), fitting_batch(1024, "cpu")) == (4, 1)
    assert fitting_batch(1024, "cuda") == 4 and fitting_batch(64, "cuda") == 64
    monkeypatch.setattr(batching, "free_memory", lambda device: 2**30)
    assert fitting_batch(256, "cpu") == 2 and fitting_batch(1024, "cuda") == 1
    monkeypatch.setattr(batching, "free_memory", lambda device: None)
    assert fitting_batch(256, "cpu") == 4


def test_free_memory(tmp_path):
    assert free_memory("meta") is None
    if sys.platform == "linux":
        assert 0 < free_memory() < 2**50
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   7 kB\n")
    assert batching._of_system(tmp_path / "meminfo") == 7 * 1024
    assert batching._of_system(tmp_path / "none") is None and batching._of_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("100\n")
    (tmp_path / "memory.current").write_text("40\n")
    assert batching._of_group(tmp_path) == 60
    (tmp_path / "memory.max").write_text("max\n")
    assert batching._of_group(tmp_path) is None


def test_sizes_that_are_none():
    for wrong in (0, -1, "many"):
        with pytest.raises(UserError, match="batch"):
            Batches(wrong, 16)


def test_a_table_and_edits_are_the_same_where_memory_runs_out(tiny, scorer, tmp_path):
    tight = Tight(tiny, most=3)
    settings = LabelSettings(20, precision="float32")
    with pytest.warns(UserWarning, match="going on with 2"):
        table = label_samples(Components.load(tight, scorer), settings, tmp_path / "a", 4, progress=False)
    whole = label_samples(Components.load(tiny, scorer), settings, tmp_path / "b", 4, progress=False)
    np.testing.assert_array_equal(table.w, whole.w)
    np.testing.assert_allclose(table.scores, whole.scores, atol=1e-5)
    assert max(tight.rendered) <= 3
    from latentlab.directions import fit

    learnt = fit(whole, "bright", "mean", threshold="median", test_share=0).direction
    faces = whole.subset(np.arange(3))
    with pytest.warns(UserWarning, match="going on with 2"):
        one = rescore(faces, learnt, [1.0, 2.0], Renderer(tight, 16), scorer, 4, progress=False)
    other = rescore(faces, learnt, [1.0, 2.0], Renderer(tiny, 16), scorer, progress=False)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


REAL = """
import resource, warnings
import torch
torch.set_num_threads(1)
from latentlab.batching import Batches
from stylegan2 import Generator, GeneratorConfig

config = GeneratorConfig(resolution=256, z_dim=16, w_dim=16, mapping_layers=2, channel_base=8192, channel_max=64)
generator = Generator(config).eval().requires_grad_(False)
ws = generator.mapping(torch.randn(16, 16))
work = lambda rows: generator.synthesis(ws[rows.start : rows.stop]).mean().item()
with torch.inference_mode():
    first = work(range(1))
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20,) * 2)
    batches = Batches(16, 256)
    found = list(batches(range(16), work))
print(batches.size, len(found), sum(found) / len(found), first)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_memory_that_really_runs_out():
    done = run_code(REAL)
    assert done.returncode == 0, done.stderr
    size, count, *_ = done.stdout.split()
    assert 1 <= int(size) < 16 and int(count) >= 2
    assert "not enough memory for 16 images of 256x256 on cpu at once; going on with 8" in done.stderr
