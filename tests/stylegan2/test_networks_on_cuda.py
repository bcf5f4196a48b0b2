"""Networks on a GPU: nothing of theirs stays behind on the CPU, and they render what they render there."""

from dataclasses import replace

import pytest
import torch

from stylegan2 import sampling
from stylegan2.config import DiscriminatorConfig
from stylegan2.devices import find_device
from stylegan2.discriminator import Discriminator
from stylegan2.networks import Generator
from stylegan2.sampling import style_mix, truncate, z_from_seeds
from tests.conftest import TINY, make_tiny
from tests.pretended import check_alike, make_mobile, on_cuda

pytestmark = pytest.mark.usefixtures("cuda")

CONDITIONAL = replace(TINY, c_dim=3, architecture="resnet")
HALF = replace(TINY, fp16_resolutions=2, conv_clamp=256.0)


NETWORKS = {
    "skip": make_tiny,
    "resnet, conditional": lambda: make_tiny(CONDITIONAL),
    "half precision": lambda: make_tiny(HALF),
    "mobile": make_mobile,
}


@pytest.fixture(scope="module", params=NETWORKS)
def pair(request) -> tuple[Generator, Generator]:
    """A generator on the CPU and the same on the device."""
    network = NETWORKS[request.param]()
    return network, on_cuda(network)


def latents(network: Generator) -> tuple[torch.Tensor, torch.Tensor | None]:
    """z, and c where it is conditional."""
    z = z_from_seeds([0, 1], network.z_dim)
    return z, torch.eye(network.c_dim)[:2] if network.c_dim else None


def tolerance_of(network: Generator) -> float:
    return 0.02 if getattr(network.config, "fp16_resolutions", 0) else 1e-4


def test_a_tensor_of_the_cpu_is_refused(pair):
    _, network = pair
    z, c = latents(network)
    with pytest.raises(RuntimeError, match="same device"):
        network(z, on_cuda(c) if c is not None else None)


@pytest.mark.parametrize("noise_mode", ["const", "random", "none"])
def test_images(pair, noise_mode):
    network, there = pair
    z, c = latents(network)
    options = {"noise_mode": noise_mode, "rng": 5, "psi": 0.7, "cutoff": 3}
    expected = network(z, c, **options)
    found = there(on_cuda(z), None if c is None else on_cuda(c), **options)
    check_alike(found, expected, tolerance_of(network))
    assert there.fingerprint == network.fingerprint


def test_noise_without_a_seed_is_drawn_on_the_device(pair):
    _, there = pair
    z, c = latents(there)
    assert there(on_cuda(z), None if c is None else on_cuda(c), noise_mode="random").device.type == "cuda"


def test_styles_and_every_resolution(pair):
    network, there = pair
    ws = network.mapping(*latents(network))
    styles, of_there = network.synthesis.styles(ws), there.synthesis.styles(on_cuda(ws))
    check_alike(of_there, styles)
    for resolution in network.resolutions:
        expected = network.synthesis.from_styles(styles, resolution=resolution)
        found = there.synthesis.from_styles(of_there, resolution=resolution)
        check_alike(found, expected, tolerance_of(network))


def test_gradients(pair):
    network, there = pair
    ws = network.mapping(*latents(network))
    gradients = []
    for synthesis, free in ((network.synthesis, ws.clone()), (there.synthesis, on_cuda(ws))):
        loss = synthesis(free.requires_grad_()).square().mean()
        gradients += torch.autograd.grad(loss, free)
    check_alike(gradients[1], gradients[0], 5 * tolerance_of(network))


def test_the_mean_of_w_follows(pair):
    network, _ = pair
    there, ws = on_cuda(network), network.mapping(*latents(network))
    there.mapping.update_w_avg(on_cuda(ws[:, 0]))
    check_alike(there.w_avg, network.w_avg.lerp(ws[:, 0].mean(dim=0), 1 - network.mapping.w_avg_beta))


@pytest.mark.parametrize("architecture", ["resnet", "skip", "orig"])
def test_the_discriminator(architecture):
    config = DiscriminatorConfig(
        resolution=16, channel_base=64, channel_max=6, mapping_layers=2, c_dim=3, architecture=architecture
    )
    torch.manual_seed(0)
    network = Discriminator(config)
    images, c = torch.randn(4, 3, 16, 16), torch.eye(3)[[0, 1, 2, 0]]
    there = on_cuda(network)
    logits = there(on_cuda(images), on_cuda(c))
    check_alike(logits, network(images, c))
    torch.autograd.backward(logits.sum())
    torch.autograd.backward(network(images, c).sum())
    check_alike([p.grad for p in there.parameters()], [p.grad for p in network.parameters()])


def test_latents():
    a, b = torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    there_a, there_b = on_cuda(a), on_cuda(b)
    check_alike(truncate(there_a, a[0, 0], 0.5, 2), truncate(a, a[0, 0], 0.5, 2))  # w_avg may be anywhere
    check_alike(style_mix(there_a, there_b, range(1, 3)), style_mix(a, b, range(1, 3)))
    for between in (sampling.lerp, sampling.slerp):
        check_alike(between(there_a, there_b, 0.3), between(a, b, 0.3))


def test_the_device_is_found():
    assert find_device("cuda") == torch.device("cuda")
