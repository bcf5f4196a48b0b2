"""StyleGAN and Progressive GAN in the layouts of other code bases: names, shapes, values, and what has no place."""

from dataclasses import replace

import pytest
import torch

import stylegan2
from stylegan2 import CheckpointError
from stylegan2.checkpoints import genforce_growing
from stylegan2.checkpoints.exporting import export
from stylegan2.checkpoints.kinds import new_network
from stylegan2.growing import GrowingDiscriminatorConfig
from stylegan2.progressive import ProgressiveConfig
from stylegan2.stylegan1 import StyleGANConfig
from stylegan2.training.presets import progressive, stylegan
from tests.stylegan2 import growing_files as files
from tests.stylegan2.test_growing import assert_parity, seeded

STYLEGAN = StyleGANConfig(16, z_dim=6, w_dim=5, hidden_dim=7, mapping_layers=3, channel_base=48, channel_max=9)
PROGRESSIVE = ProgressiveConfig(16, z_dim=6, channel_base=48, channel_max=9)
JUDGE = GrowingDiscriminatorConfig(16, blur=True, channel_base=48, channel_max=9)
ROSINALITY = replace(STYLEGAN, z_dim=5, hidden_dim=5, norm_epsilon=1e-5, bias_before_blur=True)
ROSINALITY_JUDGE = replace(JUDGE, mbstd_group_size=None, widens_first=True)


def made(config):
    torch.manual_seed(0)
    network = seeded(new_network(config)).requires_grad_(False)
    if isinstance(config, StyleGANConfig):  # instance norm enlarges the rounding of a constant that is one
        network.synthesis.b4.const.copy_(torch.randn(network.synthesis.b4.const.shape))
    return network


def assert_same(after, before, most=1e-6):
    assert after.shape == before.shape and float((after - before).norm()) <= most * float(before.norm())


def labels_of(network):
    return torch.eye(network.c_dim)[[1, 0, 1, 1]] if network.c_dim else None


def assert_judges_alike(after, before):
    images = torch.randn(4, before.config.img_channels, before.resolution, before.resolution)
    assert_same(after(images, labels_of(before)), before(images, labels_of(before)))


@pytest.mark.parametrize("name", ["pggan32", "stylegan32"])
def test_a_file_of_genforce_is_written_again_bit_for_bit(data, tmp_path, name):
    """Neither file has a discriminator, nor anything beside what is written."""
    source = data / f"{name}_genforce.pth"
    export(tmp_path / "again.pth", stylegan2.load(source), layout="genforce")
    before, after = (torch.load(path, weights_only=True) for path in (source, tmp_path / "again.pth"))
    assert after.keys() == before.keys() and after["discriminator"] == before["discriminator"] == {}
    for network in ("generator", "generator_smooth"):
        assert after[network].keys() == before[network].keys()
        for key, value in before[network].items():
            assert after[network][key].dtype == value.dtype and torch.equal(after[network][key], value), key


@torch.no_grad()
@pytest.mark.parametrize(
    ("changes", "judging"),
    [
        ({}, {}),
        ({"resolution": 128, "channel_base": 384}, {"resolution": 128, "channel_base": 384}),  # fused
        ({"c_dim": 2}, {"c_dim": 2}),
        ({"lod": 0.5, "img_channels": 1}, {"lod": 0.5, "img_channels": 1}),
        ({"lod": 2.0, "mapping_lr_multiplier": 0.3}, {}),
    ],
)
def test_stylegan_in_the_layout_of_genforce(tmp_path, changes, judging):
    generator, judge = made(replace(STYLEGAN, **changes)), made(replace(JUDGE, **judging))
    export(tmp_path / "x.pth", generator, judge, "genforce")
    after = stylegan2.load(tmp_path / "x.pth")
    assert after.config == replace(generator.config, mapping_lr_multiplier=0.01)
    z = stylegan2.z_from_seeds(range(4), 6)
    for psi in (1, 0.6):
        assert_same(after(z, labels_of(after), psi=psi), generator(z, labels_of(after), psi=psi))
    judge_after = stylegan2.load(tmp_path / "x.pth", "D")
    assert judge_after.config == judge.config
    assert_judges_alike(judge_after, judge)


@torch.no_grad()
@pytest.mark.parametrize("changes", [{}, {"lod": 1.5}, {"img_channels": 1}])
def test_progressive_gan_in_the_layout_of_genforce(tmp_path, changes):
    generator = made(replace(PROGRESSIVE, **changes))
    judge = made(replace(JUDGE, blur=False, **changes))
    export(tmp_path / "suffixless", generator, judge, "genforce")
    (tmp_path / "suffixless").rename(tmp_path / "x.pth")
    after, z = stylegan2.load(tmp_path / "x.pth"), stylegan2.z_from_seeds(range(4), 6)
    assert after.config == generator.config
    assert_same(after(z), generator(z))
    judge_after = stylegan2.load(tmp_path / "x.pth", "D")
    assert judge_after.config == judge.config
    assert_judges_alike(judge_after, judge)


@torch.no_grad()
def test_a_fused_progressive_gan_is_written_as_genforce_builds_it_by_default(tmp_path):
    torch.save(files.progressive(16, fused=True), tmp_path / "fused.pth")
    before, z = stylegan2.load(tmp_path / "fused.pth"), stylegan2.z_from_seeds(range(2), files.Z)
    export(tmp_path / "x.pth", before, layout="genforce")
    state = torch.load(tmp_path / "x.pth", weights_only=True)["generator"]
    assert_parity(before(z), files.render_progressive(state, z, fused=False))
    assert_same(stylegan2.load(tmp_path / "x.pth")(z), before(z))


@torch.no_grad()
@pytest.mark.parametrize("blur", [True, False])
def test_discriminators_in_the_layout_of_genforce_have_its_names_and_compute_what_it_says(tmp_path, blur):
    judge = made(replace(JUDGE, blur=blur))
    export(tmp_path / "x.pth", made(STYLEGAN if blur else PROGRESSIVE), judge, "genforce")
    state = torch.load(tmp_path / "x.pth", weights_only=True)["discriminator"]
    shapes = {name: value.shape for name, value in files.discriminator(16, blur).items()}
    assert {name: value.shape for name, value in state.items()} == shapes
    images = torch.randn(4, 3, 16, 16)
    assert_parity(judge(images), files.score(state, images, blur, 4))


@torch.no_grad()
@pytest.mark.parametrize("outputs", [1, 3])
def test_labels_that_discriminators_of_genforce_tell_are_read(tmp_path, outputs):
    for blur, labels in ((False, outputs - 1), (True, outputs if outputs > 1 else 0)):
        torch.save({"discriminator": files.discriminator(16, blur, outputs=outputs)}, tmp_path / "x.pth")
        assert stylegan2.load(tmp_path / "x.pth", "D").c_dim == labels


@pytest.mark.parametrize(("preset", "labels"), [(stylegan, 0), (stylegan, 5), (progressive, 0)])
def test_what_the_presets_train_has_a_place_in_the_layout_of_genforce(preset, labels):
    trained = preset(64, images=1, c_dim=labels)
    with torch.device("meta"):
        assert genforce_growing.obstacle(new_network(trained.generator), new_network(trained.discriminator)) is None


def without_noise(network, z):
    return network(z, noise_mode="none")


@torch.no_grad()
@pytest.mark.parametrize("activated", [True, False])
@pytest.mark.parametrize("resolution", [16, 128])
def test_stylegan_in_the_layout_of_rosinality(tmp_path, resolution, activated):
    sizes = {"resolution": resolution, "channel_base": 3 * resolution}
    generator = made(replace(ROSINALITY, **sizes))
    judge = made(replace(ROSINALITY_JUDGE, fromrgb_activation=activated, **sizes))
    export(tmp_path / "x.model", generator, judge)
    stored = torch.load(tmp_path / "x.model", weights_only=True)
    wanted = {"discriminator": files.rosinality_discriminator(resolution, 0, activated)}
    wanted |= dict.fromkeys(("generator", "g_running"), files.rosinality(resolution, 0))
    assert stored.keys() == wanted.keys()
    for name, state in wanted.items():
        narrow = {key for key in state if key.startswith("style.")}  # of other widths there
        assert stored[name].keys() == state.keys()
        for key in state.keys() - narrow:
            assert stored[name][key].shape == state[key].shape, key
    z, images = stylegan2.z_from_seeds(range(3), 5), torch.randn(3, 3, resolution, resolution)
    noise = [torch.zeros(1)] * generator.num_ws
    levels = resolution.bit_length() - 3
    assert_parity(without_noise(generator, z), files.render_rosinality(stored["g_running"], z, noise, levels))
    assert_parity(judge(images), files.score_rosinality(stored["discriminator"], images))
    after = stylegan2.load(tmp_path / "x.model")
    assert after.config == replace(generator.config, mapping_lr_multiplier=1.0)
    most = 1e-6 if resolution == 16 else 2e-6  # scales are rounded, and float32 itself is 1e-6 off in twelve layers
    assert_same(without_noise(after, z), without_noise(generator, z), most)
    assert_same(after(z, noise_mode="random", rng=3), generator(z, noise_mode="random", rng=3), most)
    judge_after = stylegan2.load(tmp_path / "x.model", "D")
    assert judge_after.config == judge.config
    assert_judges_alike(judge_after, judge)


@torch.no_grad()
def test_a_small_network_has_the_other_blocks_of_rosinality_as_they_begin(tmp_path):
    sizes = {"channel_base": 1024, "channel_max": 4}
    generator, judge = made(replace(ROSINALITY, **sizes)), made(replace(ROSINALITY_JUDGE, **sizes))
    state = torch.get_rng_state()
    for name in ("x.model", "again.model"):
        export(tmp_path / name, generator, judge)
    assert torch.equal(torch.get_rng_state(), state)
    stored, again = (torch.load(tmp_path / name, weights_only=True) for name in ("x.model", "again.model"))
    for name in ("g_running", "discriminator"):
        assert all(torch.equal(value, again[name][key]) for key, value in stored[name].items())
    assert {f"generator.to_rgb.{k}.conv.bias" for k in range(9)} <= stored["g_running"].keys()
    assert {f"from_rgb.{k}.0.conv.bias" for k in range(9)} <= stored["discriminator"].keys()
    z, after = stylegan2.z_from_seeds(range(3), 5), stylegan2.load(tmp_path / "x.model")
    assert after.resolution == 16
    assert_same(without_noise(after, z), without_noise(generator, z))
    assert_judges_alike(stylegan2.load(tmp_path / "x.model", "D"), judge)


def refused(tmp_path, layout, generator, judge=None):
    with pytest.raises(CheckpointError) as caught:
        export(tmp_path / "no.pth", made(generator), None if judge is None else made(judge), layout)
    assert list(tmp_path.iterdir()) == []
    return str(caught.value)


KEEP = "keep them as `stylegan2.save` writes them"


@pytest.mark.parametrize(
    ("layout", "generator", "expected"),
    [
        ("rosinality", STYLEGAN, "have one width; choose the layout genforce"),
        ("rosinality", replace(ROSINALITY, norm_epsilon=1e-8), f"adds 1e-5 to the variance in instance norm; {KEEP}"),
        ("rosinality", replace(ROSINALITY, bias_before_blur=False), "enlarging layers before the blur"),
        ("rosinality", replace(ROSINALITY, c_dim=2), "it has no labels"),
        ("rosinality", replace(ROSINALITY, img_channels=1), "its images have three channels"),
        ("rosinality", replace(ROSINALITY, lod=1.0), "it keeps no level of detail"),
        (
            "rosinality",
            replace(ROSINALITY, resolution=2048, channel_base=2048),
            "its images are of 1024 pixels at most",
        ),
        ("rosinality", PROGRESSIVE, "these are of Progressive GAN; choose the layout genforce"),
        ("release", ROSINALITY, "these are of StyleGAN; choose the layout rosinality"),
        (
            "release",
            PROGRESSIVE,
            "the layout release has no place for these networks: it is written of StyleGAN2 alone",
        ),
        ("genforce", ROSINALITY, "1e-8 to the variance in instance norm; choose the layout rosinality"),
        ("genforce", replace(STYLEGAN, bias_before_blur=True), f"enlarging layers after the blur; {KEEP}"),
        ("genforce", replace(STYLEGAN, mapping_layers=101), "it has 100 mapping layers at most"),
        ("rosinality", replace(ROSINALITY, mapping_layers=51), "it has 50 mapping layers at most"),
        ("genforce", replace(PROGRESSIVE, resolution=2048, channel_base=2048), "images are of 1024 pixels at most"),
        ("genforce", replace(PROGRESSIVE, c_dim=2), "normalises z without the label"),
    ],
)
def test_generators_without_a_place_are_refused(tmp_path, layout, generator, expected):
    assert expected in refused(tmp_path, layout, generator)


@pytest.mark.parametrize(
    ("layout", "generator", "judge", "expected"),
    [
        ("rosinality", ROSINALITY, JUDGE, "compares the images of the whole batch"),
        ("rosinality", ROSINALITY, replace(ROSINALITY_JUDGE, widens_first=False), "by a block's first layer"),
        ("genforce", STYLEGAN, ROSINALITY_JUDGE, "compare the images of groups of 4"),
        ("genforce", STYLEGAN, replace(JUDGE, widens_first=True), "by a block's second layer"),
        ("genforce", PROGRESSIVE, replace(JUDGE, blur=False, pools_activated=True), "means before the leaky ReLU"),
        ("genforce", STYLEGAN, replace(JUDGE, fromrgb_activation=False), "a leaky ReLU where they read images"),
        ("genforce", STYLEGAN, replace(JUDGE, channel_max=16), "has 16 features before the last layer"),
        ("genforce", STYLEGAN, replace(JUDGE, c_dim=1), "does not tell a single label from none"),
        (
            "genforce",
            STYLEGAN,
            replace(JUDGE, blur=False),
            "the generator is of StyleGAN, and the discriminator is not",
        ),
    ],
)
def test_discriminators_without_a_place_are_refused(tmp_path, layout, generator, judge, expected):
    assert expected in refused(tmp_path, layout, generator, judge)


def test_networks_that_rosinality_would_take_for_smaller_ones_are_refused(tmp_path):
    torch.manual_seed(0)
    with pytest.raises(CheckpointError, match="other than zero how far a generator has grown"):
        export(tmp_path / "no.model", new_network(ROSINALITY))
    with pytest.raises(CheckpointError, match="other than zero how far a discriminator has grown"):
        export(tmp_path / "no.model", made(ROSINALITY), new_network(ROSINALITY_JUDGE))
