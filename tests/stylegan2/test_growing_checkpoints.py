"""Files of Progressive GAN and StyleGAN: every layout gives the network that it holds; what cannot be read is named."""

import numpy as np
import pytest
import torch

import stylegan2
from stylegan2.growing import GrowingDiscriminator
from stylegan2.progressive import ProgressiveGenerator
from stylegan2.stylegan1 import StyleGANGenerator
from tests.stylegan2 import growing_files as files
from tests.stylegan2.refusals import refusal
from tests.stylegan2.test_growing import assert_parity

FIXTURES = ["stylegan32", "pggan32"]


@pytest.mark.parametrize("name", FIXTURES)
def test_formats_hold_the_same_weights(data, name):
    networks = [stylegan2.load(data / f"{name}_{file}") for file in ("genforce.pth", "tf.pkl")]
    assert networks[0].config == networks[1].config
    states = [network.state_dict() for network in networks]
    assert states[0].keys() == states[1].keys()
    for key, value in states[0].items():
        torch.testing.assert_close(value, states[1][key], rtol=0, atol=1e-6)
    assert not networks[0].training and not any(p.requires_grad for p in networks[0].parameters())


@pytest.mark.parametrize("name", FIXTURES)
@pytest.mark.parametrize("file", ["genforce.pth", "tf.pkl"])
def test_a_generator_in_training_and_no_discriminator(data, name, file):
    path = data / f"{name}_{file}"
    assert stylegan2.load(path, "G").config == stylegan2.load(path).config
    assert "it has no network 'D'; it has G_ema, G" in refusal(path, "D")


@torch.no_grad()
@pytest.mark.parametrize("name", FIXTURES)
def test_conversion_loses_nothing(data, tmp_path, name):
    assert stylegan2.convert(data / f"{name}_tf.pkl", tmp_path / "x.safetensors") == 0
    before, after = stylegan2.load(data / f"{name}_tf.pkl"), stylegan2.load(tmp_path / "x.safetensors")
    assert type(after) is type(before) and after.fingerprint == before.fingerprint
    before.lod = 0.5  # which a training has changed
    stylegan2.save(before, tmp_path / "x.safetensors")
    assert stylegan2.load(tmp_path / "x.safetensors").fingerprint == before.fingerprint
    torch.save(before, tmp_path / "x.pt")
    assert stylegan2.load(tmp_path / "x.pt").fingerprint == before.fingerprint


@torch.no_grad()
def test_fused_layers_of_genforce(tmp_path):
    """StyleGAN's are fused from 128² on; Progressive GAN's in all layers or none, told by their shapes."""
    z = stylegan2.z_from_seeds([0], files.Z)
    state = files.stylegan(128)
    torch.save({"generator": state}, tmp_path / "x.pth")
    ws = files.map_stylegan(state, z)[:, None].repeat(1, 12, 1)
    assert_parity(stylegan2.load(tmp_path / "x.pth", "G")(z), files.render_stylegan(state, ws, 128))
    state = files.progressive(32, fused=True)
    torch.save(state, tmp_path / "x.pth")
    assert_parity(stylegan2.load(tmp_path / "x.pth")(z), files.render_progressive(state, z, True))


@torch.no_grad()
@pytest.mark.parametrize(
    ("settings", "fused_from"),
    [({}, 128), ({"fused_scale": True}, 8), ({"fused_scale": "auto"}, 128), ({"fused_scale": False}, 9999)],
)
def test_fused_layers_of_the_stylegan_release(tmp_path, settings, fused_from):
    z, state = stylegan2.z_from_seeds([0], files.Z), files.stylegan(128)
    generator, critic = files.tf_stylegan(state, **settings), files.discriminator(128, True)
    files.write_tf(tmp_path / "x.pkl", [generator, files.tf_discriminator(critic), generator])
    network = stylegan2.load(tmp_path / "x.pkl")
    assert isinstance(network, StyleGANGenerator)
    ws = files.map_stylegan(state, z)[:, None].repeat(1, 12, 1)
    assert_parity(network(z), files.render_stylegan(state, ws, fused_from))
    images = torch.randn(2, 3, 128, 128)
    assert_parity(stylegan2.load(tmp_path / "x.pkl", "D")(images), files.score(critic, images, True, 2))


@torch.no_grad()
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("class_name", ["tfutil.Network", "dnnlib.tflib.network.Network"])
def test_fused_layers_of_the_progressive_gan_release(tmp_path, fused, class_name):
    z, state = stylegan2.z_from_seeds(range(2), files.Z), files.progressive(32, fused)
    generator, critic = files.tf_progressive(state, fused, fused_scale=fused), files.discriminator(32, False)
    files.write_tf(tmp_path / "x.pkl", [generator, files.tf_discriminator(critic, fused), generator], class_name)
    network = stylegan2.load(tmp_path / "x.pkl")
    assert isinstance(network, ProgressiveGenerator)
    assert_parity(network(z), files.render_progressive(state, z, fused))
    D, images = stylegan2.load(tmp_path / "x.pkl", "D"), torch.randn(4, 3, 32, 32)
    assert isinstance(D, GrowingDiscriminator)
    assert_parity(D(images), files.score(critic, images, False, 4, fused=fused))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"label_size": 10}, "its label_size is 10, and it takes 0 labels"),
        ({"label_size": "10"}, "its label_size is '10', not a number of labels"),
        ({"use_wscale": False}, "its use_wscale is False, not True"),
        ({"use_instance_norm": False}, "its use_instance_norm is False"),
        ({"nonlinearity": ["lrelu"]}, "its nonlinearity is a list"),
        ({"blur_filter": [1, 3, 3, 1]}, "its blur_filter is another one than [1, 2, 1]"),
        ({"fused_scale": "never"}, "its fused_scale is 'never'"),
        ({"mapping_lrmul": "0.01"}, "its mapping_lrmul is '0.01', not a number"),
    ],
)
def test_settings_that_compute_something_else_are_named(tmp_path, settings, expected):
    generator = files.tf_stylegan(files.stylegan(16), **settings)
    files.write_tf(tmp_path / "x.pkl", [generator, files.network({}, {}), generator])
    assert expected in refusal(tmp_path / "x.pkl")


def without(name):
    return lambda state: state.pop(name)


def changed(name, value):
    return lambda state: state.update({name: value})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (without("synthesis.layer3.bias"), "it lacks synthesis.b8.conv1.conv.bias"),
        (without("truncation.w_avg"), "it lacks mapping.w_avg"),
        (without("mapping.dense0.weight"), "it lacks mapping.fc0.weight"),
        (changed("synthesis.layer3.bias", torch.zeros(5)), "synthesis.b8.conv1.conv.bias has the shape (5,), not (6,)"),
        (changed("synthesis.layer3.weight", torch.zeros(5)), "conv1.conv.weight has the shape (5,)"),
        (changed("synthesis.lod", torch.tensor(7.0)), "its level of detail is 7.0, not in 0 … 2"),
        (changed("synthesis.lod", torch.tensor(float("nan"))), "its level of detail is nan, not in 0 … 2"),
        (changed("synthesis.lod", torch.zeros(2)), "its level of detail is of shape (2,)"),
        (changed("synthesis.layer3.more", torch.zeros(2)), "'synthesis.layer3.more', which no StyleGAN generator has"),
        (changed("synthesis.layer2.blur.kernel", torch.ones(6, 1, 3, 3)), "it blurs with another filter"),
    ],
)
def test_damage_is_named(tmp_path, change, expected):
    state = files.stylegan(16)
    change(state)
    torch.save({"generator_smooth": state}, tmp_path / "x.pth")
    assert expected in refusal(tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (without("layer3.bias"), "it lacks synthesis.b8.conv1.bias"),
        (changed("layer0.weight", torch.zeros(9, 6)), "it is damaged"),
        (changed("lod", torch.tensor(-1.0)), "its level of detail is -1.0, not in 0 … 2"),
        (changed("layer3.more", torch.zeros(2)), "'layer3.more', which no Progressive GAN has"),
    ],
)
def test_damage_of_a_progressive_gan_is_named(tmp_path, change, expected):
    state = files.progressive(16, fused=False)
    change(state)
    torch.save({"generator_smooth": state}, tmp_path / "x.pth")
    assert expected in refusal(tmp_path / "x.pth")


def test_variables_that_are_no_pairs_are_named(tmp_path):
    generator = files.tf_progressive(files.progressive(16, False), False)
    for variables in ([("4x4/Conv/weight",)], [(3, np.zeros(2))], [["4x4/Conv/weight", np.zeros(2), 0]], "x", None):
        broken = generator | {"variables": variables}
        files.write_tf(tmp_path / "x.pkl", [broken, broken, broken])
        assert "it is damaged: a TensorFlow network with" in refusal(tmp_path / "x.pkl")


@torch.no_grad()
@pytest.mark.parametrize(("resolution", "levels"), [(16, 2), (128, 1)])
@pytest.mark.parametrize("kind", ["training", "running"])
def test_rosinality_as_far_as_it_has_grown(tmp_path, resolution, levels, kind):
    state = files.rosinality(resolution, levels)
    whole = {"generator": files.rosinality(8, 1), "g_running": state} if kind == "training" else state
    torch.save(whole, tmp_path / "x.model")
    network = stylegan2.load(tmp_path / "x.model")
    assert network.resolution == resolution and not torch.equal(network.w_avg, torch.zeros(files.W))
    z = stylegan2.z_from_seeds(range(2), files.W)
    noise = [value for name, value in network.synthesis.named_buffers() if name.endswith("noise_const")]
    assert_parity(network(z), files.render_rosinality(state, z, noise, resolution.bit_length() - 3))
    torch.testing.assert_close(network(z), stylegan2.load(tmp_path / "x.model")(z))  # the same noise again
    if kind == "training":
        assert stylegan2.load(tmp_path / "x.model", "G").resolution == 8


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (changed("generator.progression.1.conv1.conv.weight_orig", torch.ones(1)), "from before July 2019"),
        (changed("generator.progression.1.more", torch.ones(1)), "'generator.progression.1.more', no generator's"),
        (without("style.3.linear.weight_orig"), "it lacks mapping.fc"),
        (changed("style.3.linear.weight_orig", torch.ones(3, 3)), "mapping.fc1.weight has the shape (3, 3)"),
        (lambda state: [value.zero_() for value in state.values()], "not trained beyond 4²"),
    ],
)
def test_damage_of_rosinality_is_named(tmp_path, change, expected):
    state = files.rosinality(16, 0)
    change(state)
    torch.save(state, tmp_path / "x.model")
    assert expected in refusal(tmp_path / "x.model")


@torch.no_grad()
@pytest.mark.parametrize("activated", [True, False])
@pytest.mark.parametrize(("resolution", "levels"), [(16, 2), (256, 0)])
def test_discriminators_of_rosinality_as_far_as_they_have_grown(tmp_path, resolution, levels, activated):
    state = files.rosinality_discriminator(resolution, levels, activated)
    torch.save({"generator": files.rosinality(8, 1), "discriminator": state}, tmp_path / "x.model")
    torch.save(state, tmp_path / "alone.model")
    images = torch.randn(6, 3, resolution, resolution, generator=torch.Generator().manual_seed(0))
    for file in ("x.model", "alone.model"):
        network = stylegan2.load(tmp_path / file, "D")
        assert network.config.fromrgb_activation is activated and network.config.blur
        assert_parity(network(images), files.score_rosinality(state, images))
    assert stylegan2.load(tmp_path / "x.model", "G").resolution == 8
    assert "it has no generator; it has D" in refusal(tmp_path / "alone.model", None)
    assert stylegan2.convert(tmp_path / "x.model", tmp_path / "x.safetensors", network="D") == 0
    assert_parity(stylegan2.load(tmp_path / "x.safetensors", "D")(images), files.score_rosinality(state, images))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (changed("progression.2.conv.0.conv.weight_orig", torch.ones(1)), "from before July 2019"),
        (changed("progression.1.more.weight", torch.ones(1)), "'progression.1.more.weight', no discriminator's"),
        (changed("from_rgb.7.conv.bias", torch.ones(1)), "'from_rgb.7.conv.bias', no discriminator's"),
        (without("from_rgb.1.0.conv.weight_orig"), "it lacks b8.fromrgb.weight"),
        (without("progression.2.conv2.0.conv.weight_orig"), "it lacks b4.fc.weight"),
        (changed("progression.0.conv1.0.conv.bias", torch.ones(5)), "b16.conv0.bias has the shape (5,), not (6,)"),
        (lambda state: [value.zero_() for value in state.values()], "not trained beyond 4²"),
    ],
)
def test_damage_of_a_discriminator_of_rosinality_is_named(tmp_path, change, expected):
    state = files.rosinality_discriminator(16, 0, True)
    change(state)
    torch.save({"discriminator": state}, tmp_path / "x.model")
    assert expected in refusal(tmp_path / "x.model", "D")


@pytest.mark.parametrize("blur", [False, True])
def test_discriminators_are_converted(tmp_path, blur):
    torch.save({"discriminator": files.discriminator(16, blur)}, tmp_path / "x.pth")
    assert stylegan2.convert(tmp_path / "x.pth", tmp_path / "x.safetensors", network="D") == 0
    network = stylegan2.load(tmp_path / "x.safetensors", "D")
    assert isinstance(network, GrowingDiscriminator) and network.config.blur is blur
