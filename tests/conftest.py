"""Fixtures that the whole suite shares: a tiny generator, the folder of recorded vectors, the command line."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

# Workers beside each other share the cores: with two threads each they would wait for one another. Processes that tests
# start inherit it, and so give the same bits. It has to be set before torch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ["STYLEGAN2_KEEP_MEMORY"] = "0"  # a worker that ran everything would keep the peak of it all
# What a script runs in the background ignores Ctrl-C, and so would the processes that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import hypothesis
import pytest
import torch

import stylegan2
from stylegan2.config import GeneratorConfig
from stylegan2.networks import Generator

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("latentlab", deadline=None)
hypothesis.settings.load_profile("latentlab")

TINY = GeneratorConfig(resolution=16, z_dim=32, w_dim=32, mapping_layers=2, channel_base=256, channel_max=16)


def make_tiny(config: GeneratorConfig = TINY) -> Generator:
    """A generator with nothing trivial in it: noise strengths, biases and w_avg are all non-zero."""
    rng = torch.Generator().manual_seed(7)
    network = Generator(config).eval().requires_grad_(False)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith(("noise_strength", ".bias", "w_avg")):
                value += 0.2 * torch.randn(value.shape, generator=rng)
            elif not name.endswith("resample_filter"):
                value.copy_(torch.randn(value.shape, generator=rng))
    return network


def stage_with(step):
    """A stage, as arguments `progress` take it, that calls `step`."""
    return lambda title, unit="image": nullcontext(step)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that hold slow tests: two workers then end at about the same time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def tiny() -> Generator:
    """One tiny generator for the session; nobody writes to it."""
    return make_tiny()


@pytest.fixture(scope="session")
def tiny_faces(data) -> Generator:
    """A generator of 32 pixels whose images are faces, where a test needs images with structure; see its NOTICE."""
    network = stylegan2.load(data / "tiny_faces.safetensors")
    assert isinstance(network, Generator)
    return network


@pytest.fixture
def cuda(monkeypatch) -> Iterator[None]:
    """A CUDA device, where there may be none, see `tests.pretended`."""
    from tests.pretended import pretended_cuda

    with pretended_cuda(monkeypatch):
        yield


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of recorded vectors and checkpoints."""
    return Path(__file__).parent / "data"


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a command line; gives exit code, standard output and standard error."""
    # A setting of the whole process, which the suite is not to have; test_memory.py tests it.
    from latentlab.cli import app as app_module
    from latentlab.cli import main

    monkeypatch.setattr(app_module, "keep_freed_memory", lambda: True)

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["/somewhere/latentlab", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


@pytest.fixture
def refused(run):
    """Runs a command line that is to be refused, in one line on standard error; gives the line."""

    def call(*words: object) -> str:
        code, _, err = run(*words)
        assert code == 2, err
        (line,) = err.splitlines()
        assert line.startswith("latentlab: ")
        assert "Traceback" not in line
        return line

    return call
