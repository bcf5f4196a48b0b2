"""One call that makes a generator fast, and tells what it did."""

import copy
import shutil

import pytest
import torch

import latentlab as ll
import stylegan2
from latentlab.projection import Phase, ProjectionSettings
from latentlab.rendering import Renderer
from stylegan2.optimization import OptimizedSynthesis
from tests.latentlab.projection.test_tuning import QUICK, EdgeDistance


@pytest.fixture
def network(tiny):
    return copy.deepcopy(tiny)


def test_an_optimized_generator_is_the_generator(network, tiny):
    fast = stylegan2.optimize(network, batch_size=2)
    z = torch.randn(3, tiny.z_dim)
    assert torch.equal(fast(z, psi=0.7), tiny(z, psi=0.7))
    assert fast.fingerprint == tiny.fingerprint
    ws = fast.mapping(z)
    assert torch.equal(Renderer(fast, fast.resolution)(ws), tiny.synthesis(ws))
    assert torch.equal(fast.synthesis(ws, "random", 5), tiny.synthesis(ws, "random", 5))
    assert torch.equal(fast.synthesis.from_styles(fast.synthesis.styles(ws)), tiny.synthesis(ws))


def test_the_report(network):
    report = stylegan2.optimize(network).report
    assert not report.compiled
    assert report.dtype == "float32"
    assert report.psnr == float("inf")
    assert "on a CPU it gains nothing" in str(report)
    half = stylegan2.optimize(network, "bfloat16").report
    assert half.dtype == "bfloat16"
    assert 20 < half.psnr < 80


def test_its_weights_may_change(network, tiny):
    fast = stylegan2.optimize(network)
    with torch.no_grad():
        network.synthesis.b8.conv1.weight.mul_(-1)
    z = torch.randn(1, tiny.z_dim)
    assert torch.equal(fast(z), network(z))
    assert not torch.equal(fast(z), tiny(z))


def test_it_is_projected_into_as_the_generator_is(network, tiny):
    fast, targets = stylegan2.optimize(network), tiny(torch.randn(1, tiny.z_dim))
    settings = ProjectionSettings("w+", (Phase(3, 0.05, resolution=16),), noise_maps="optimised")
    start = tiny.w_avg.expand(1, tiny.num_ws, -1)
    found = [ll.project(targets, g, settings, start, EdgeDistance(), progress=False) for g in (fast, tiny)]
    assert len(found[1].latents) > 1, "noise maps among them"
    for name, value in found[1].latents.items():
        assert torch.equal(found[0].latents[name], value)


def test_its_tuning_is_the_generators(network, tiny):
    fast, targets = stylegan2.optimize(network), tiny(torch.randn(1, tiny.z_dim))
    ws = tiny.mapping(torch.randn(1, tiny.z_dim))
    found = [ll.tune(targets, ws, g, EdgeDistance(), QUICK) for g in (fast, tiny)]
    for name, value in found[1].delta.tensors.items():
        assert torch.equal(found[0].delta.tensors[name], value)
    images = [tuned.delta.apply(g).synthesis(ws) for tuned, g in zip(found, (fast, tiny), strict=True)]
    assert torch.equal(*images)
    assert not torch.equal(images[0], fast.synthesis(ws))


def test_a_copy_is_plain(network, tiny):
    fast = stylegan2.optimize(network)
    assert list(fast.synthesis.state_dict()) == list(tiny.synthesis.state_dict())
    for copied in (copy.copy(fast.synthesis), copy.deepcopy(fast.synthesis)):
        assert type(copied) is type(tiny.synthesis)


def test_what_is_refused(network):
    with pytest.raises(ValueError, match="batch_size must be 1 at least, not 0"):
        stylegan2.optimize(network, batch_size=0)
    with pytest.raises(ValueError, match="not 'int8'"):
        stylegan2.optimize(network, "int8")


def test_to_compile_takes_a_compiler(network, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="takes a C compiler; install it"):
        stylegan2.optimize(network, compile=True)


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")
def test_compiled_code_gives_the_same_images(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    # Without it, torch tries each kind of vector instructions in a process that imports torch.
    monkeypatch.setattr("torch._inductor.config.cpp.vec_isa_ok", True)
    torch.manual_seed(0)
    config = stylegan2.GeneratorConfig(resolution=8, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8)
    plain = stylegan2.Generator(config).eval().requires_grad_(False)
    fast = stylegan2.optimize(plain, compile=True)
    assert fast.report.compiled
    assert fast.report.psnr > 90
    with torch.no_grad():
        plain.synthesis.b8.conv1.weight.mul_(-1)
        ws = plain.mapping(torch.randn(1, 8))
        torch.testing.assert_close(fast.synthesis(ws), plain.synthesis(ws), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="renders at 8, not at 16"):
        fast.synthesis(ws, resolution=16)


@pytest.mark.parametrize("kind", ["stylegan2", "mobile"])
def test_a_compiler_takes_the_network_whole(kind, tiny):
    """With gradients and within autocast, too: each break would cost what the compiler gains."""
    if kind == "mobile":
        config = stylegan2.MobileConfig(resolution=16, z_dim=8, w_dim=8, channel_base=256, channel_max=16)
        plain = stylegan2.MobileGenerator(config).eval().requires_grad_(False)
    else:
        plain = copy.deepcopy(tiny)  # a compiler leaves marks on parameters
    whole = torch.compile(plain.synthesis.bare_forward, dynamic=False, fullgraph=True, backend="aot_eager")
    fast = OptimizedSynthesis(plain.synthesis, whole, plain.resolutions)
    ws = plain.mapping(torch.randn(2, plain.z_dim)).requires_grad_()
    for dtype in (torch.float32, torch.bfloat16):
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            images = fast(ws), plain.synthesis(ws)
        torch.testing.assert_close(*images, rtol=1e-3, atol=1e-3)
        gradients = [torch.autograd.grad(image.square().sum(), ws)[0].flatten() for image in images]
        assert torch.cosine_similarity(*gradients, dim=0) > 0.995
