"""Networks whose constant is not 4 × 4: images of other shapes, computed, trained, and in files of every format."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import safetensors.torch
import torch

import stylegan2
from stylegan2 import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, ops
from stylegan2.checkpoints.exporting import export
from stylegan2.config import shape_for
from stylegan2.training import GANTraining, TrainingSettings
from tests.conftest import make_tiny
from tests.stylegan2.growing_files import network, write_tf
from tests.stylegan2.refusals import refusal

SIZES = [(4, 8), (5, 3)]
SMALL = GeneratorConfig(16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=64, channel_max=8)
JUDGE = DiscriminatorConfig(16, channel_base=64, channel_max=8)


@pytest.fixture(params=SIZES, ids=["4x8", "5x3"])
def size(request):
    return request.param


@pytest.fixture
def networks(size):
    generator, discriminator = make_tiny(replace(SMALL, base_size=size)), judge(base_size=size)
    return generator, discriminator.eval().requires_grad_(False)


def judge(**changes: Any) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(replace(JUDGE, **changes))


def pictures(size, count=4):
    return torch.randn(count, 3, 4 * size[0], 4 * size[1], generator=torch.Generator().manual_seed(1))


# --- what they compute --------------------------------------------------------------------------------------


def test_every_map_doubles_the_constant(networks, size):
    generator, (height, width) = networks[0], size
    state = generator.state_dict()
    assert state["synthesis.b4.const"].shape == (8, height, width)
    for name in (name for name in state if name.endswith("noise_const")):
        scale = int(name.split(".")[1][1:]) // 4
        assert state[name].shape == (scale * height, scale * width)
    for noise_mode in ("const", "random", "none"):
        images = generator(torch.randn(2, 8), noise_mode=noise_mode)
        assert images.shape == (2, 3, *generator.image_size) == (2, 3, 4 * height, 4 * width)
    assert stylegan2.optimize(generator).image_size == generator.image_size


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_images_logits_and_gradients_are_what_the_plain_operations_give(monkeypatch, size, architecture):
    generator = make_tiny(replace(SMALL, architecture=architecture, base_size=size)).double().requires_grad_(True)
    discriminator = judge(architecture=architecture, base_size=size).double()
    ws = torch.randn(4, generator.num_ws, 8, dtype=torch.float64)

    def found():
        weights = [generator.synthesis.b4.const, generator.synthesis.b8.conv0.weight, discriminator.b4.fc.weight]
        logits = discriminator(generator.synthesis(ws))
        assert logits.shape == (4, 1)
        return [logits.detach(), *torch.autograd.grad(logits.sum(), weights)]

    fast = found()
    assert all(gradient.abs().max() > 0 for gradient in fast)
    for name in ("upfirdn2d", "conv2d_resample", "modulated_conv2d"):
        monkeypatch.setattr(ops, name, getattr(ops, f"{name}_plain"))
    monkeypatch.setattr(ops, "bias_act", lambda x, inplace, **rest: ops.bias_act_plain(x, **rest))
    for a, b in zip(fast, found(), strict=True):
        torch.testing.assert_close(a, b)


def test_images_lying_down_are_refused_standing_up(networks, size):
    wanted = re.escape(f"(batch, 3, {4 * size[0]}, {4 * size[1]})")
    with pytest.raises(ValueError, match=wanted):
        networks[1](pictures(size).transpose(2, 3))


def test_both_networks_are_trained_together(size):
    settings = TrainingSettings(images=100, batch_size=4, r1_every=1, path_every=1, augment=1.0)
    training = GANTraining(Generator(replace(SMALL, base_size=size)), judge(base_size=size), settings)
    before = training.generator.synthesis.b4.const.detach().clone()
    for _ in range(2):
        losses = training.take_step(pictures(size).clamp(-1, 1))
    assert all(torch.isfinite(torch.as_tensor(value)).all() for value in losses.values())
    assert not torch.equal(before, training.generator.synthesis.b4.const)
    said = f"images have {4 * size[0]} × {4 * size[1]} pixels, the discriminator's 16 × 16"
    with pytest.raises(ValueError, match=said):
        GANTraining(Generator(replace(SMALL, base_size=size)), judge(), settings)


@pytest.mark.parametrize("wrong", [(0, 4), (4,), (4, 4, 4), (4.0, 4), (True, 4), "44", 4, None, (4, 1 << 30)])
@pytest.mark.parametrize("config", [SMALL, JUDGE], ids=["generator", "discriminator"])
def test_what_is_no_size_is_refused(config, wrong):
    with pytest.raises(ValueError, match="base_size must be a height and a width"):
        replace(config, base_size=wrong)


@pytest.mark.parametrize(
    ("height", "width", "resolution", "base_size"),
    [
        (64, 32, 32, (8, 4)),
        (8, 8, 8, (4, 4)),
        (384, 640, 256, (6, 10)),
        (14, 100, 8, (7, 50)),
        (1024, 1024, 1024, (4, 4)),
    ],
)
def test_shapes_have_networks(height, width, resolution, base_size):
    assert shape_for(height, width) == (resolution, base_size)
    assert GeneratorConfig(resolution, base_size=base_size).image_size == (height, width)


@pytest.mark.parametrize(
    ("height", "width", "advice"),
    [(75, 100, "multiples of 16; take 96x64"), (480, 640, "multiples of 64; take 640x448"), (33, 9, "take 8x32")],
)
def test_shapes_without_a_network_are_refused_with_one_that_has(height, width, advice):
    with pytest.raises(ValueError, match=advice):
        shape_for(height, width)
    near = [int(side) for side in advice.split()[-1].split("x")]
    shape_for(near[1], near[0])
    with pytest.raises(ValueError, match="no network makes images 7 pixels wide and 64 high: take 8 or more each way"):
        shape_for(64, 7)


# --- files --------------------------------------------------------------------------------------------------


def test_the_own_format_holds_the_size_where_it_is_not_square(networks, size, tmp_path):
    for one, name in zip(networks, ("G_ema", "D"), strict=True):
        path = tmp_path / f"{name}.safetensors"
        stylegan2.save(one, path)
        assert stylegan2.load(path, name).config == one.config
        assert stylegan2.convert(path, tmp_path / "again.safetensors", network=name) == 0
        assert stylegan2.inspect(path).networks[name]["base_size"] == size
    torch.save(networks[0], tmp_path / "module.pt")
    assert stylegan2.load(tmp_path / "module.pt").config == networks[0].config


def test_files_of_square_networks_are_as_before(tmp_path):
    stylegan2.save(make_tiny(SMALL), tmp_path / "x.safetensors")
    with safetensors.safe_open(tmp_path / "x.safetensors", "pt") as file:
        fields = json.loads(file.metadata()["config"])
    assert "base_size" not in fields and stylegan2.load(tmp_path / "x.safetensors").config.base_size == (4, 4)


@pytest.mark.parametrize("said", [[4], [4, 4, 4], "4x8", [1 << 20, 1 << 20], [8, 4]])
def test_a_size_that_does_not_fit_the_tensors_is_refused(networks, tmp_path, said):
    path, generator = tmp_path / "x.safetensors", networks[0]
    stylegan2.save(generator, path)
    with safetensors.safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
    metadata["config"] = json.dumps({**json.loads(metadata["config"]), "base_size": said})
    safetensors.torch.save_file(generator.state_dict(), path, metadata)
    assert "damaged" in refusal(path)


def genforce_name(name: str) -> str:
    """Genforce's name for a parameter of a generator or a discriminator of images of nominally 16 pixels."""
    if match := re.fullmatch(r"mapping\.(?:fc(\d)\.(.+)|w_avg)", name):
        return f"mapping.dense{match[1]}.{match[2]}" if match[1] else "truncation.w_avg"
    if match := re.fullmatch(r"(synthesis\.)?b(\d+)\.(\w+)\.(.+)", name):
        k, layer, leaf = int(match[2]).bit_length() - 3, match[3], match[4]
        if match[1]:
            leaf = leaf.replace("affine", "style").replace("noise_const", "noise")
            theirs = f"output{k}" if layer == "torgb" else f"layer{2 * k - (layer == 'conv0')}"
            return f"synthesis.{theirs}.{leaf}"
        last = {"conv": "layer4", "fc": "layer5", "out": "layer6", "fromrgb": "input0", "skip": f"skip_layer{2 - k}"}
        return f"{last.get(layer) or f'layer{2 * (2 - k) + int(layer[-1])}'}.{leaf}"
    return "synthesis.early_layer.const"


def genforce_value(name: str, value: torch.Tensor) -> torch.Tensor:
    if name.endswith("affine.bias"):
        return value - 1
    if name.startswith("synthesis") and name.endswith("conv0.weight"):
        return value.flip(2, 3)
    return value[None, None] if name.endswith("noise_const") else value[None] if name.endswith("const") else value


def write_genforce(path, generator, discriminator):
    both = {
        key: {genforce_name(n): genforce_value(n, v) for n, v in own.state_dict().items() if "resample" not in n}
        for key, own in (("generator_smooth", generator), ("discriminator", discriminator))
    }
    torch.save(both, path)


SYNTHESIS = {"conv0": "Conv0_up", "conv1": "Conv1", "torgb": "ToRGB", "first": "Conv"}
JUDGING = {
    "fromrgb": "FromRGB",
    "conv0": "Conv0",
    "conv1": "Conv1_down",
    "skip": "Skip",
    "conv": "Conv",
    "fc": "Dense0",
}


def tf_variables(state: dict[str, torch.Tensor], layers: dict[str, str], first: tuple[int, int]) -> dict[str, Any]:
    """Parameters as the TensorFlow code has them, the blocks called after their height and width from `first` on."""
    found = {}
    for name, value in state.items():
        r, layer, leaf = re.fullmatch(r"b(\d+)\.(?:(\w+)\.)?(.+)", name).groups()
        block, kind = f"{first[0] * int(r) // 4}x{first[1] * int(r) // 4}", layers.get(layer, "")
        kind = layers.get("first", kind) if (r, layer) == ("4", "conv1") else kind
        value = value - 1 if leaf == "affine.bias" else value
        value = value.flip(2, 3) if kind == "Conv0_up" and leaf == "weight" else value
        if leaf == "noise_const":
            theirs, value = f"noise{2 * (int(r).bit_length() - 3) - (layer == 'conv0')}", value[None, None]
        elif leaf == "const":
            theirs, value = f"{block}/Const/const", value[None]
        else:
            value = value.permute(2, 3, 1, 0) if value.dim() == 4 else value.t() if value.dim() == 2 else value
            theirs = f"Output/{leaf}" if layer == "out" else f"{block}/{kind}/{leaf.replace('affine.', 'mod_')}"
        found[theirs] = value.contiguous().numpy()
    return found


def write_tensorflow(path, generator, discriminator, first):
    state = {name: value for name, value in generator.state_dict().items() if "resample" not in name}
    synthesis = {name.removeprefix("synthesis."): value for name, value in state.items() if name.startswith("s")}
    dense = {f"Dense{n[10]}/{n[12:]}": v.t().numpy() for n, v in state.items() if n.startswith("mapping.fc")}
    settings = {"label_size": generator.c_dim}
    if "mapping.label_weight" in state:
        dense["LabelConcat/weight"] = state["mapping.label_weight"].numpy()
    for leaf in ("weight", "bias") if "mapping.embed.weight" in state else ():
        dense[f"LabelEmbed/{leaf}"] = state[f"mapping.embed.{leaf}"].t().numpy()
    parts = {"synthesis": network(tf_variables(synthesis, SYNTHESIS, first), {}), "mapping": network(dense, {})}
    whole = network({"dlatent_avg": state["mapping.w_avg"].numpy()}, settings, components=parts)
    judging = {name: value for name, value in discriminator.state_dict().items() if "resample" not in name}
    mapped = {name: judging.pop(name) for name in list(judging) if name.startswith("mapping.")}
    found = tf_variables(judging, JUDGING, first)
    for name, value in mapped.items():  # multiplied by 0.1 there, by 0.01 here
        theirs = name.replace("mapping.embed.", "LabelEmbed/")
        theirs, value = re.sub(r"mapping\.fc(\d)\.", r"Mapping\1/", theirs), value if theirs != name else value / 10
        found[theirs] = value.t().numpy()
    write_tf(path, [whole, network(found, settings | {"mbstd_group_size": 4}), whole])


WRITERS = {
    "release": lambda path, size, *both: export(path, *both, "release"),
    "rosinality": lambda path, size, *both: export(path, *both, "rosinality"),
    "genforce": lambda path, size, *both: write_genforce(path, *both),
    "tensorflow, blocks by their size": lambda path, size, *both: write_tensorflow(path, *both, size),
    "tensorflow, blocks by resolution": lambda path, size, *both: write_tensorflow(path, *both, (4, 4)),
}


@pytest.mark.parametrize("layout", WRITERS)
def test_files_of_every_code_base_are_read(networks, size, tmp_path, layout):
    generator, discriminator = networks
    WRITERS[layout](tmp_path / "x.pkl", size, generator, discriminator)
    after, judged = stylegan2.load(tmp_path / "x.pkl"), stylegan2.load(tmp_path / "x.pkl", "D")
    assert after.config.base_size == judged.config.base_size == size
    z = torch.randn(2, 8)
    torch.testing.assert_close(after(z), generator(z), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(judged(pictures(size)), discriminator(pictures(size)), rtol=1e-5, atol=1e-5)


def test_a_discriminator_alone_does_not_say_its_size(networks, size, tmp_path):
    torch.save({"D": networks[1].state_dict()}, tmp_path / "d.pt")
    pixels = size[0] * size[1]
    assert f"smallest feature maps have {pixels} pixels, which are not 4 × 4" in refusal(tmp_path / "d.pt", "D")
    other = make_tiny(replace(SMALL, base_size=(2, 3))).state_dict()
    torch.save({"G_ema": other, "D": networks[1].state_dict()}, tmp_path / "both.pt")
    assert "which are not 2 × 3 as its file has them" in refusal(tmp_path / "both.pt", "D")
