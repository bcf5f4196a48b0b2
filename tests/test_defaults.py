"""Torch's defaults and random numbers are the process's: other ones change nothing, and its own are left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import latentlab
import stylegan2
from latentlab import perceptual
from latentlab.datasets import make_shapes
from latentlab.faces.cropping import _reflected
from latentlab.projection import Phase, ProjectionSettings, TuningSettings, project, tune
from latentlab.projection.encoder import Encoder
from latentlab.projection.noise import fresh_maps
from latentlab.scorers import load_scorer
from latentlab.translation.methods import InstaGAN
from latentlab.translation.networks import InstaGeneratorConfig, PatchConfig, ResNetConfig, UNetConfig, initialise_
from latentlab.translation.translator import Translator

FILES = ["net32_nvada_stub.pkl", "net32_tf.pkl", "net32_rosinality_train.pt", "net32_genforce.pth"]


@pytest.fixture(params=["float64", "meta"])
def other(request):
    """Returns a function that runs another one under other defaults: of the type, or of the device."""

    def under(function: Any) -> Any:
        try:
            torch.set_default_dtype(torch.float64 if request.param == "float64" else torch.float32)
            torch.set_default_device("meta" if request.param == "meta" else None)
            return function()
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_default_device(None)

    return under


def assert_alike(first: Any, second: Any) -> None:
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("file", FILES)
def test_checkpoints(data, other, file):
    before, after = stylegan2.load(data / file), other(lambda: stylegan2.load(data / file))
    assert after.fingerprint == before.fingerprint and after.w_avg.device.type == "cpu"
    z = other(lambda: stylegan2.z_from_seeds([3, 4], before.z_dim))

    def images() -> torch.Tensor:
        with torch.no_grad():
            return after(z, psi=0.7, noise_mode="random", rng=1)

    with torch.no_grad():
        assert_alike(other(images), before(z, psi=0.7, noise_mode="random", rng=1))


def test_own_files_and_the_mobile_generator(tmp_path, tiny, other):
    config = stylegan2.MobileConfig(32, 8, 8, mapping_layers=2, channel_base=256, channel_max=16, preview_resolution=16)
    mobile = stylegan2.MobileGenerator(config).eval().requires_grad_(False)
    for network in (tiny, mobile):
        path = tmp_path / "x.safetensors"
        other(lambda network=network, path=path: stylegan2.save(network, path))
        loaded = other(lambda path=path: stylegan2.load(path))
        assert loaded.fingerprint == network.fingerprint
        ws = network.mapping(stylegan2.z_from_seeds([1, 2], network.z_dim))
        for r in network.resolutions:
            made = other(lambda r=r, loaded=loaded, ws=ws: loaded.synthesis(ws, resolution=r))
            assert_alike(made, network.synthesis(ws, resolution=r))
    assert other(lambda: stylegan2.convert(path, tmp_path / "y.safetensors", seeds=[1])) == 0


def test_networks_are_built_in_float32():
    try:
        torch.set_default_dtype(torch.float64)
        generator = stylegan2.Generator(stylegan2.GeneratorConfig(16, 8, 2, 8, channel_base=64))
        mobile = stylegan2.MobileGenerator(stylegan2.MobileConfig(16, 8, 8, channel_base=64))
        judge = stylegan2.Discriminator(stylegan2.DiscriminatorConfig(16, 2, channel_base=64, channel_max=8))
    finally:
        torch.set_default_dtype(torch.float32)
    for network in (generator, mobile, judge):
        assert {value.dtype for value in network.state_dict().values()} == {torch.float32}


def test_the_attribute_scorer(other):
    images = torch.rand(2, 3, 80, 80) * 2 - 1
    before, after = load_scorer("attributes:young"), other(lambda: load_scorer("attributes:young"))
    assert after.fingerprint == before.fingerprint
    assert_alike(other(lambda: after(images)), before(images))


@pytest.mark.weights
def test_scorer_distance_and_encoder(other):
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    before, after = load_scorer("fer"), other(lambda: load_scorer("fer"))
    assert after.fingerprint == before.fingerprint
    assert_alike(other(lambda: after(images)), before(images))
    first, second = perceptual.load_perceptual("alex"), other(lambda: perceptual.load_perceptual("alex"))
    assert_alike(other(lambda: second(images, -images)), first(images, -images))
    path = Path(latentlab.__file__).parent / "data" / "encoder-mobile-ffhq.safetensors"
    one, two = Encoder.load(path), other(lambda: Encoder.load(path))
    assert_alike(other(lambda: two(images)), one(images))


@pytest.mark.parametrize("config", [ResNetConfig(1, 4), UNetConfig(32, 4), InstaGeneratorConfig(1, 4), PatchConfig()])
def test_translators(tmp_path, other, config):
    def built() -> Any:
        network = config.build().eval()
        initialise_(network, 0.2)
        return network

    before, after = built(), other(built)
    assert_alike(after.state_dict(), before.state_dict())
    if isinstance(config, UNetConfig):
        x = torch.rand(1, 3, 33, 32)
        one = Translator({"a2b": before}, {"method": "test"})
        one.save(tmp_path / "x.safetensors")
        two = other(lambda: Translator.load(tmp_path / "x.safetensors"))
        assert_alike(other(lambda: two(x)[0]), one(x)[0])


def test_drawn_training_sets(tmp_path, other):
    make_shapes(1, tmp_path / "a", 64, progress=False)
    other(lambda: make_shapes(1, tmp_path / "b", 64, progress=False))
    for path in (tmp_path / "a").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_small_helpers(tiny, other):
    assert_alike(other(lambda: fresh_maps(tiny, 3)), fresh_maps(tiny, 3))
    assert_alike(other(lambda: _reflected(5, 3, 2)), _reflected(5, 3, 2))


@pytest.mark.weights
def test_projection_and_tuning(tiny, other):
    distance = perceptual.load_perceptual("vgg")
    settings = ProjectionSettings("w", (Phase(2, 0.05, resolution=16, w_noise=0.1),))
    images = tiny.synthesis(tiny.mapping(stylegan2.z_from_seeds([1], tiny.z_dim)))

    def both() -> Any:
        found = project(images, tiny, settings, perceptual=distance, progress=False)
        ws = found.ws(tiny)
        tuned = tune(images, ws, tiny, distance, TuningSettings(steps=2), progress=False)
        return ws, tuned.lpips, tuned.mse

    assert_alike(other(both), both())


@pytest.mark.parametrize("file", [*FILES, "smile", "attributes", "instagan", "translate"])
def test_making_loading_and_applying_networks_draws_nothing_from_the_callers_generator(data, file):
    torch.manual_seed(1)
    translator = Translator({"a2b": UNetConfig(32, 4).build()}, {"method": "test"})
    before = torch.get_rng_state()
    if file in FILES:
        stylegan2.load(data / file)
    elif file == "smile":
        Translator.load(file)
    elif file == "attributes":
        load_scorer(file)
    elif file == "instagan":
        InstaGAN.configure(32, 4).build()
    else:
        translator(torch.zeros(1, 3, 32, 32))
    assert torch.equal(torch.get_rng_state(), before)
