"""The translators' networks: the published parameter counts, vectors and state dicts; sets of instances."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from latentlab.errors import UserError
from latentlab.translation import published
from latentlab.translation.networks import (
    InstaDiscriminatorConfig,
    InstaGeneratorConfig,
    PatchConfig,
    ResNetConfig,
    UNetConfig,
    config_from_dict,
    config_to_dict,
    infer,
    initialise_,
)

COUNTS = {
    ResNetConfig(9): 11_378_179,
    ResNetConfig(6): 7_837_699,
    UNetConfig(256): 54_413_955,
    UNetConfig(128): 41_828_995,
    PatchConfig(): 2_764_737,
    PatchConfig(channels=6, norm="batch"): 2_768_705,
    InstaGeneratorConfig(): 26_815_108,
}
SMALL = [
    ResNetConfig(2, 4),
    ResNetConfig(2, 4, norm="batch", dropout=True),
    ResNetConfig(1, 4, norm="instance-affine"),
    UNetConfig(32, 4),
    UNetConfig(64, 4, norm="instance"),
    PatchConfig(1, 4),
    PatchConfig(1, 4, norm="batch"),
    PatchConfig(16, 4, channels=6),
    PatchConfig(34, 4, norm="batch"),
    PatchConfig(286, 4),
    InstaGeneratorConfig(1, 4),
    InstaDiscriminatorConfig(4),
]


@pytest.mark.parametrize(("config", "count"), COUNTS.items(), ids=str)
def test_parameter_counts_are_the_published_ones(config, count):
    with torch.device("meta"):
        assert sum(weight.numel() for weight in config.build().parameters()) == count


def test_instagans_discriminator_counts_its_singular_vectors():
    """The published code keeps them as parameters: 9.754 M with them."""
    state = InstaDiscriminatorConfig().build().state_dict()
    assert sum(value.numel() for value in state.values()) == 9_754_434


@pytest.mark.parametrize(
    "name",
    [
        "resnet9_dropout_instance_ngf8",
        "unet128_batch_dropout_ngf8",
        "patch70_instance_3ch_ndf8",
        "instagan_generator_ngf8",
    ],
)
def test_published_state_dicts_load_and_give_the_recorded_pictures(data, tmp_path, name):
    network = published.load(data / "translators" / f"{name}.pth")
    vector = np.load(data / "translators" / f"{name}.npz")
    x, y = torch.from_numpy(vector["x"]), torch.from_numpy(vector["y"])
    with torch.no_grad():
        made = torch.cat(network(x[:, :3], x[:, 3:]), 1) if name.startswith("instagan") else network(x)
    # Normalisation amplifies rounding at pixels that differ between processors: the recorded arrays themselves are
    # up to 1e-3 from what float64 gives there. The mean hardly changes.
    difference = (made - y).abs() / y.abs().max()
    assert difference.mean() < 1e-6 and difference.max() < 1e-2

    published.save(network, tmp_path / "again.pth")
    before = torch.load(data / "translators" / f"{name}.pth", weights_only=True)
    after = torch.load(tmp_path / "again.pth", weights_only=True)
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[key]) for key, value in before.items() if "num_batches" not in key)


@pytest.mark.parametrize("config", SMALL, ids=str)
def test_every_network_survives_its_published_form(tmp_path, config):
    network = config.build()
    initialise_(network, spread=0.3, seed=1)
    published.save(network, tmp_path / "net.pth")
    again = published.load(tmp_path / "net.pth")
    assert again.config == config
    assert config_from_dict(config_to_dict(config)) == config
    state = network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())


def test_what_old_and_parallel_checkpoints_add_is_dropped(tmp_path):
    network = ResNetConfig(1, 4).build()
    state = {f"module.{name}": value for name, value in published.to_published(network).items()}
    state |= {"module.model.2.running_mean": torch.ones(4), "module.model.2.running_var": torch.ones(4)}
    state |= {"module.model.2.num_batches_tracked": torch.tensor(3)}
    torch.save(state, tmp_path / "old.pth")
    again = published.load(tmp_path / "old.pth")
    assert again.config == network.config
    x = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(again(x), network.eval()(x))


def test_files_that_are_no_network_are_told(tmp_path, data):
    good = published.to_published(PatchConfig(16, 4).build())
    cases = {
        "list": [1, 2],
        "stranger": {"a": torch.ones(2)},
        "lacking": {k: v for k, v in good.items() if k != "model.2.weight"},
        "stray": {**good, "model.77.weight": torch.ones(3)},
        "shape": {**good, "model.2.weight": torch.ones(8, 5, 4, 4)},
    }
    for name, content in cases.items():
        torch.save(content, tmp_path / f"{name}.pth")
        with pytest.raises(UserError, match=f"cannot load .*{name}.pth"):
            published.load(tmp_path / f"{name}.pth")
    with pytest.raises(UserError, match="cannot read"):
        published.load(tmp_path / "missing.pth")
    with pytest.raises(UserError, match="posix.system|os.system|nt.system"):
        published.load(data / "hostile_os_system.pkl")
    with pytest.raises(UserError, match="no encoder-decoder"):
        published.save(UNetConfig(16, 4, skips=False).build(), tmp_path / "plain.pth")


# --- shapes -------------------------------------------------------------------------------------------------


def seen(network: nn.Module, side: int) -> int:
    """Side of the square of pixels that the middle output's gradient reaches."""
    x = torch.randn(1, network.config.channels, side, side, requires_grad=True)
    y = network(x)
    middle = y.shape[2] // 2
    y[0, 0, middle, middle].backward()
    rows = x.grad.abs().sum(dim=(0, 1, 3)).nonzero()[:, 0]
    return int(rows.max() - rows.min()) + 1


@pytest.mark.parametrize("field", [1, 16, 34, 70, 142, 286])
def test_a_patch_is_as_large_as_it_says(field):
    network = PatchConfig(field, 2, norm="none").build()
    for weight in network.parameters():
        nn.init.uniform_(weight, 0.1, 1)  # no path cancels another
    assert seen(network, 2 * field + 32) == field


@pytest.mark.parametrize("size", [4, 8, 32, 64])
@pytest.mark.parametrize("skips", [True, False])
def test_a_u_net_of_any_power_of_two(size, skips):
    network = UNetConfig(size, 2, input_channels=1, output_channels=2, skips=skips).build().eval()
    assert network(torch.rand(2, 1, size, 2 * size)).shape == (2, 2, size, 2 * size)
    with pytest.raises(UserError, match=f"multiples of {size}"):
        network(torch.rand(1, 1, size, size + 1))


def test_without_skips_everything_passes_the_bottleneck():
    """A constant bottleneck gives a constant picture, which skips would not."""
    for skips in (False, True):
        network = UNetConfig(16, 4, norm="none", dropout=False, skips=skips).build()
        nn.init.zeros_(network.down[-1].weight)
        nn.init.zeros_(network.down[-1].bias)
        one, two = network(torch.rand(1, 3, 16, 16)), network(torch.rand(1, 3, 16, 16))
        assert torch.equal(one, two) != skips


def test_dropout_sits_where_the_paper_has_it_and_can_stay_on():
    assert [level for level in range(8) if UNetConfig(256).drops(level)] == [4, 5, 6]
    network = UNetConfig(64, 4).build()
    initialise_(network, 0.3)
    x = torch.rand(1, 3, 64, 64)
    infer(network, dropout=True)
    assert not torch.equal(network(x), network(x))
    infer(network, dropout=False)
    assert torch.equal(network(x), network(x))
    assert not network.training


def test_wrong_shapes_are_told():
    for wrong, message in [
        (lambda: UNetConfig(48), "power of two"),
        (lambda: PatchConfig(50), "1, 16, 34, 70, 142, 286"),
        (lambda: ResNetConfig(norm="layer"), "normalisation"),
        (lambda: config_from_dict({"kind": "vgg"}), "unet, resnet"),
        (lambda: config_from_dict({"kind": "unet", "depth": 3}), "no configuration of a unet"),
        (lambda: ResNetConfig(1, 2).build()(torch.rand(1, 3, 10, 12)), "multiples of 4"),
        (lambda: PatchConfig(70, 2).build()(torch.rand(1, 3, 20, 40)), "24 at least, not 40x20"),
        (lambda: InstaGeneratorConfig(1, 2).build()(torch.rand(1, 3, 8, 8), torch.rand(1, 1, 4, 4)), "masks"),
    ]:
        with pytest.raises(UserError, match=message):
            wrong()


# --- sets of instances --------------------------------------------------------------------------------------


def scenes(counts, most, side=24, seed=0):
    """Pictures with `counts` instances each, up to `most`, at random places of the set."""
    rng = torch.Generator().manual_seed(seed)
    pictures = torch.rand(len(counts), 3, side, side, generator=rng) * 2 - 1
    masks = torch.full((len(counts), most, side, side), -1.0)
    for row, count in enumerate(counts):
        for place in torch.randperm(most, generator=rng)[:count]:
            x, y = torch.randint(0, side - 5, (2,), generator=rng)
            masks[row, place, y : y + 5, x : x + 4] = 1
    return pictures, masks


@settings(max_examples=8)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 100))
def test_a_batch_of_sets_is_what_single_sets_give(counts, seed):
    generator, discriminator = InstaGeneratorConfig(1, 4).build().eval(), InstaDiscriminatorConfig(4).build().eval()
    pictures, masks = scenes(counts, 4, seed=seed)
    with torch.no_grad():
        made, made_masks = generator(pictures, masks)
        logits = discriminator(pictures, masks)
        for row, count in enumerate(counts):
            own = masks[row : row + 1][:, (masks[row] > -1).flatten(1).any(1)]
            assert own.shape[1] == count
            alone, alone_masks = generator(pictures[row : row + 1], own)
            torch.testing.assert_close(made[row : row + 1], alone, atol=2e-5, rtol=1e-4)
            there = (masks[row] > -1).flatten(1).any(1)
            torch.testing.assert_close(made_masks[row][there], alone_masks[0], atol=2e-5, rtol=1e-4)
            assert (made_masks[row][~there] == -1).all()
            torch.testing.assert_close(
                logits[row : row + 1], discriminator(pictures[row : row + 1], own), atol=2e-5, rtol=1e-4
            )


@settings(max_examples=6)
@given(st.permutations(range(4)))
def test_the_order_of_instances_does_not_matter(order):
    generator, discriminator = InstaGeneratorConfig(1, 4).build().eval(), InstaDiscriminatorConfig(4).build().eval()
    pictures, masks = scenes([4, 3], 4)
    with torch.no_grad():
        made, made_masks = generator(pictures, masks)
        again, again_masks = generator(pictures, masks[:, list(order)])
        torch.testing.assert_close(made, again, atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(made_masks[:, list(order)], again_masks, atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(
            discriminator(pictures, masks), discriminator(pictures, masks[:, list(order)]), atol=2e-5, rtol=1e-4
        )


def test_every_instance_counts():
    generator = InstaGeneratorConfig(1, 4).build().eval()
    initialise_(generator, 0.3)
    pictures, masks = scenes([2], 2)
    with torch.no_grad():
        assert not torch.allclose(generator(pictures, masks)[0], generator(pictures, masks[:, :1])[0], atol=1e-3)
