"""Networks with labels as the first TensorFlow releases make them: what they compute, and the files that hold them."""

from __future__ import annotations

import json
from dataclasses import replace
from math import sqrt

import pytest
import safetensors
import torch
import torch.nn.functional as F

import stylegan2
from stylegan2 import CheckpointError, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig
from stylegan2.checkpoints.exporting import export
from stylegan2.growing import GrowingDiscriminator, GrowingDiscriminatorConfig
from stylegan2.progressive import ProgressiveConfig, ProgressiveGenerator
from stylegan2.stylegan1 import StyleGANConfig, StyleGANGenerator
from tests.conftest import make_tiny
from tests.stylegan2 import growing_files as files
from tests.stylegan2.refusals import refusal
from tests.stylegan2.test_base_sizes import write_tensorflow
from tests.stylegan2.test_growing import assert_parity

LABELS = 3
SMALL = GeneratorConfig(16, z_dim=8, c_dim=LABELS, w_dim=6, mapping_layers=2, channel_base=64, channel_max=8)
CONCAT = replace(SMALL, label_concat=True)
JUDGE = DiscriminatorConfig(16, c_dim=LABELS, channel_base=64, channel_max=8, label_switch=True)


@pytest.fixture
def z():
    return stylegan2.z_from_seeds(range(4), files.Z)


@pytest.fixture
def c():
    return torch.eye(LABELS)[[2, 0, 1, 2]]


@pytest.fixture
def images():
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def judge(**changes):
    torch.manual_seed(0)
    network = Discriminator(replace(JUDGE, **changes))
    for value in network.parameters():
        value.data.add_(torch.randn_like(value) * 0.1)
    return network.eval().requires_grad_(False)


# --- StyleGAN and Progressive GAN ---------------------------------------------------------------------------


def write_stylegan(path, outputs=LABELS, **settings):
    state, critic = files.stylegan(16, labels=LABELS), files.discriminator(16, True, outputs=outputs)
    settings = {"label_size": LABELS, **settings}
    generator = files.tf_stylegan(state, **settings)
    files.write_tf(path, [generator, files.tf_discriminator(critic, **settings), generator])
    return state, critic


def write_progressive(path, outputs=1 + LABELS, **settings):
    state, critic = files.progressive(16, True, labels=LABELS), files.discriminator(16, False, outputs=outputs)
    settings = {"label_size": LABELS, **settings}
    generator = files.tf_progressive(state, True, **settings)
    files.write_tf(path, [generator, files.tf_discriminator(critic, **settings), generator], "tfutil.Network")
    return state, critic


@torch.no_grad()
def test_stylegan_normalises_z_and_the_vector_of_the_label_as_one(tmp_path, z, c):
    state, _ = write_stylegan(tmp_path / "x.pkl")
    network = stylegan2.load(tmp_path / "x.pkl")
    assert isinstance(network, StyleGANGenerator) and (network.z_dim, network.c_dim) == (files.Z, LABELS)
    ws = files.map_stylegan(state, z, c)[:, None].repeat(1, 6, 1)
    assert_parity(network.mapping(z, c), ws)
    assert_parity(network(z, c), files.render_stylegan(state, ws, 128))
    assert_parity(network.mapping(z, c, psi=0.5)[:, 0], state["truncation.w_avg"].lerp(ws[:, 0], 0.5))


@torch.no_grad()
def test_progressive_gan_normalises_z_and_the_label_as_one(tmp_path, z, c):
    state, _ = write_progressive(tmp_path / "x.pkl")
    network = stylegan2.load(tmp_path / "x.pkl")
    assert isinstance(network, ProgressiveGenerator) and (network.z_dim, network.c_dim) == (files.Z, LABELS)
    codes = torch.cat([z, c], dim=1)
    assert torch.equal(network.mapping(z, c), codes)
    assert_parity(network(z, c), files.render_progressive(state, codes, True))
    with pytest.raises(ValueError, match=r"z with c must be float of shape \(batch, 9\)"):
        network.synthesis(z)
    plain = ProgressiveGenerator(ProgressiveConfig(16, z_dim=files.Z + LABELS, channel_base=48, channel_max=9))
    plain.load_state_dict(network.state_dict())
    assert_parity(plain(codes), network(z, c))
    assert plain.fingerprint != network.fingerprint  # its z is another one


@torch.no_grad()
def test_the_label_chooses_among_the_outputs_of_stylegan(tmp_path, images, c):
    _, critic = write_stylegan(tmp_path / "x.pkl")
    network = stylegan2.load(tmp_path / "x.pkl", "D")
    logits = files.score(critic, images, True, 4)
    assert_parity(network(images, c), logits[range(4), c.argmax(dim=1)][:, None])
    with pytest.raises(ValueError, match="tells no labels"):
        network.classify(images)
    with pytest.raises(ValueError, match=r"this network needs c, a float tensor of shape \(4, 3\)"):
        network(images)


@torch.no_grad()
def test_progressive_gan_tells_the_label(tmp_path, images, c):
    _, critic = write_progressive(tmp_path / "x.pkl")
    network = stylegan2.load(tmp_path / "x.pkl", "D")
    expected = files.score(critic, images, False, 4)
    for given in ((images,), (images, c)):
        assert_parity(network(*given), expected[:, :1])
    assert_parity(network.classify(images), expected[:, 1:])
    with pytest.raises(ValueError, match=r"c must be float of shape \(4, 3\)"):
        network(images, c[:2])


def test_the_discriminator_of_progressive_gan_in_the_stylegan_release_has_no_labels(tmp_path):
    write_progressive(tmp_path / "x.pkl", outputs=1)
    assert stylegan2.load(tmp_path / "x.pkl").c_dim == LABELS
    assert stylegan2.load(tmp_path / "x.pkl", "D").c_dim == 0


@torch.no_grad()
@pytest.mark.parametrize("write", [write_stylegan, write_progressive])
@pytest.mark.parametrize("name", ["G_ema", "D"])
def test_conversion_loses_nothing(tmp_path, write, name, z, c, images):
    write(tmp_path / "x.pkl")
    assert stylegan2.convert(tmp_path / "x.pkl", tmp_path / "x.safetensors", network=name) == 0
    before, after = (stylegan2.load(tmp_path / file, name) for file in ("x.pkl", "x.safetensors"))
    assert after.config == before.config and after.c_dim == LABELS
    torch.save(before, tmp_path / "x.pt")
    own = images if name == "D" else z
    assert torch.equal(stylegan2.load(tmp_path / "x.pt", name)(own, c), before(own, c))


@pytest.mark.parametrize(
    ("write", "given", "network", "expected"),
    [
        (write_stylegan, {"label_size": 0}, "G_ema", "its label_size is 0, and it takes 3 labels"),
        (write_stylegan, {"label_size": 4}, "G_ema", "its label_size is 4, and it takes 3 labels"),
        (write_stylegan, {"label_size": 1 << 30}, "G_ema", "not a number of labels"),
        (write_stylegan, {"label_size": True}, "D", "its label_size is True, not a number of labels"),
        (write_stylegan, {"outputs": 2}, "D", "b4.out.weight has the shape (2, 9), not (3, 9)"),
        (write_progressive, {"outputs": 3}, "D", "b4.out.weight has the shape (3, 9), not (4, 9)"),
        (write_progressive, {"label_size": 9}, "G_ema", "z_dim must be a whole number, positive"),
        (write_progressive, {"label_size": -1}, "G_ema", "its label_size is -1, not a number of labels"),
    ],
)
def test_labels_that_do_not_fit_are_named(tmp_path, write, given, network, expected):
    write(tmp_path / "x.pkl", **given)
    assert expected in refusal(tmp_path / "x.pkl", network)


@pytest.mark.parametrize("shape", [(3,), (3, 5), (0, 6), (2, 6)])
def test_vectors_of_labels_of_a_wrong_shape_are_named(tmp_path, shape):
    state = files.stylegan(16, labels=LABELS) | {"mapping.label_weight": torch.ones(shape)}
    generator = files.tf_stylegan(state, label_size=LABELS)
    files.write_tf(tmp_path / "x.pkl", [generator, files.network({}, {}), generator])
    assert "label" in refusal(tmp_path / "x.pkl")


# --- StyleGAN2 ----------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("labels", [LABELS, 1])
def test_labels_of_the_tensorflow_release_of_stylegan2(tmp_path, images, labels):
    generator = make_tiny(replace(CONCAT, c_dim=labels))
    write_tensorflow(tmp_path / "x.pkl", generator, judge(c_dim=labels), (4, 4))
    after, judging = stylegan2.load(tmp_path / "x.pkl"), stylegan2.load(tmp_path / "x.pkl", "D")
    assert after.config == generator.config and (after.config.z_dim, judging.c_dim) == (8, labels)
    z, c = stylegan2.z_from_seeds(range(4), 8), torch.eye(labels)[[labels - 1, 0, 0, 0]]
    state = generator.state_dict()
    w = torch.cat([z, c @ state["mapping.label_weight"]], dim=1)
    w = w / (w.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    for k in range(2):
        weight, bias = state[f"mapping.fc{k}.weight"], state[f"mapping.fc{k}.bias"]
        w = F.leaky_relu(F.linear(w, weight * 0.01 / sqrt(weight.shape[1]), bias * 0.01), 0.2) * sqrt(2)
    assert_parity(after.mapping(z, c)[:, 0], w)
    assert_parity(after(z, c), generator.synthesis(w[:, None].repeat(1, 6, 1)))
    rows = []
    for k in range(labels):  # a discriminator without labels has one row
        alone = judge(c_dim=0, label_switch=False)
        row = {"b4.out.weight": judging.b4.out.weight[k : k + 1], "b4.out.bias": judging.b4.out.bias[k : k + 1]}
        alone.load_state_dict(judging.state_dict() | row)
        rows.append(alone(images))
    assert_parity(judging(images, c), torch.cat(rows, dim=1)[range(4), c.argmax(dim=1)][:, None])


@torch.no_grad()
@pytest.mark.parametrize("layers", [0, 2])
def test_labels_of_the_tensorflow_release_with_adaptive_augmentation(tmp_path, images, layers):
    """It has the networks of the PyTorch release, but for the mapping's multiplier, and mostly layers."""
    generator, discriminator = make_tiny(SMALL), judge(label_switch=False, mapping_layers=layers)
    write_tensorflow(tmp_path / "x.pkl", generator, discriminator, (4, 4))
    after, judging = stylegan2.load(tmp_path / "x.pkl"), stylegan2.load(tmp_path / "x.pkl", "D")
    assert after.config == generator.config and judging.config == discriminator.config
    z, c = stylegan2.z_from_seeds(range(4), 8), torch.eye(LABELS)[[1, 2, 0, 1]]
    assert_parity(after(z, c), generator(z, c))
    assert_parity(judging(images, c), discriminator(images, c))
    if not layers:  # projected on the embedding alone
        alone = judge(c_dim=0, label_switch=False)
        state, rows = judging.state_dict(), []
        for k in range(len(state["b4.out.bias"])):
            row = {"b4.out.weight": state["b4.out.weight"][k : k + 1], "b4.out.bias": state["b4.out.bias"][k : k + 1]}
            alone.load_state_dict({name: v for name, v in state.items() if not name.startswith("mapping.")} | row)
            rows.append(alone(images))
        embedded = F.linear(c, state["mapping.embed.weight"] / sqrt(LABELS), state["mapping.embed.bias"])
        embedded = embedded / (embedded.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
        assert_parity(judging(images, c), (torch.cat(rows, dim=1) * embedded).sum(dim=1, keepdim=True) / sqrt(8))


@torch.no_grad()
def test_the_own_format_keeps_how_labels_are_used(tmp_path, images):
    generator, discriminator = make_tiny(CONCAT), judge()
    z, c = stylegan2.z_from_seeds(range(4), 8), torch.eye(LABELS)[[0, 1, 2, 0]]
    for network, given, name in ((generator, z, "G_ema"), (discriminator, images, "D")):
        stylegan2.save(network, tmp_path / "x.safetensors")
        assert torch.equal(stylegan2.load(tmp_path / "x.safetensors", name)(given, c), network(given, c))
    torch.save({"G_ema": generator.state_dict()}, tmp_path / "x.pt")
    assert stylegan2.load(tmp_path / "x.pt").config == generator.config
    for networks in ((generator,), (make_tiny(replace(SMALL, c_dim=0)), discriminator)):
        for layout in ("release", "rosinality"):
            with pytest.raises(CheckpointError, match="no place for"):
                export(tmp_path / "no.pt", *networks, layout=layout)


def test_a_vector_of_the_label_is_learnt_by_gradients():
    network = Generator(CONCAT)
    network(torch.randn(2, 8), torch.eye(LABELS)[:2]).sum().backward()
    found = network.mapping.label_weight.grad.abs().sum(dim=1)
    assert (found[:2] > 0).all() and found[2] == 0  # no image had the third


@pytest.mark.parametrize(
    ("z", "c", "message"),
    [
        (torch.zeros(2, 8), None, "this network needs c"),
        (torch.zeros(2, 8), torch.eye(LABELS), r"c must be float of shape \(2, 3\)"),
        (None, torch.eye(LABELS), "this network needs z"),
    ],
)
def test_inputs_are_checked(z, c, message):
    with pytest.raises(ValueError, match=message):
        make_tiny(CONCAT).mapping(z, c)


def test_switches_are_checked():
    with pytest.raises(ValueError, match="label_concat must be True or False, not 1"):
        replace(SMALL, label_concat=1)
    with pytest.raises(ValueError, match="z_dim must be a whole number, positive"):
        replace(CONCAT, z_dim=0)
    with pytest.raises(ValueError, match="label_switch must be True or False"):
        replace(JUDGE, label_switch=None)
    for config in (StyleGANConfig(16), ProgressiveConfig(16), GrowingDiscriminatorConfig(16, True)):
        with pytest.raises(ValueError, match="c_dim must be a whole number, zero or more"):
            replace(config, c_dim=-1)


def test_files_of_networks_without_labels_are_as_before(tmp_path):
    sizes = {"channel_base": 64, "channel_max": 4}
    networks = [
        Generator(replace(SMALL, c_dim=0)),
        judge(c_dim=0, label_switch=False),
        StyleGANGenerator(StyleGANConfig(16, z_dim=4, w_dim=4, hidden_dim=4, mapping_layers=1, **sizes)),
        ProgressiveGenerator(ProgressiveConfig(16, z_dim=4, **sizes)),
        GrowingDiscriminator(GrowingDiscriminatorConfig(16, True, **sizes)),
    ]
    added = {"label_concat", "label_switch", "fromrgb_activation", "widens_first", "pools_activated"}
    for k, network in enumerate(networks):
        stylegan2.save(network, tmp_path / "x.safetensors")
        with safetensors.safe_open(tmp_path / "x.safetensors", "pt") as file:
            fields = json.loads(file.metadata()["config"])
        assert not added & fields.keys() and ("c_dim" in fields) == (k < 2)
