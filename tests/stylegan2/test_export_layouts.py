"""Networks in the layouts of other code bases: the names, shapes and values that those have."""

from dataclasses import replace

import pytest
import torch

import stylegan2
from stylegan2 import CheckpointError, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig
from stylegan2.checkpoints import load
from stylegan2.checkpoints.exporting import export
from stylegan2.safe_pickle import read_pickled

CONFIG = GeneratorConfig(16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=64, channel_max=8)
JUDGE = DiscriminatorConfig(16, channel_base=64, channel_max=8)


@pytest.fixture
def networks():
    torch.manual_seed(0)
    generator, discriminator = Generator(CONFIG), Discriminator(JUDGE)
    for network in (generator, discriminator):
        for value in network.parameters():
            value.data.add_(torch.randn_like(value) * 0.1)
    generator.mapping.w_avg.copy_(torch.randn(8))
    return generator.eval(), discriminator.eval()


def shapes(state):
    return {name: tuple(value.shape) for name, value in state.items()}


def test_what_others_wrote_is_written_again(data, tmp_path):
    """Names, shapes and values of a file that rosinality's training wrote."""
    source = data / "net32_rosinality_train.pt"
    export(tmp_path / "again.pt", load(source), load(source, "D"))
    again = torch.load(tmp_path / "again.pt", weights_only=True)
    theirs = read_pickled(source.read_bytes())
    for name in ("g_ema", "d"):
        wanted = {key: torch.as_tensor(stored_value(value)) for key, value in dict(theirs[name]).items()}
        assert shapes(again[name]) == shapes(wanted)
        for key, value in wanted.items():
            torch.testing.assert_close(again[name][key], value, atol=1e-6, rtol=1e-6, msg=key)


def stored_value(value):
    return value.read() if hasattr(value, "read") else value


@pytest.mark.parametrize("layout", ["rosinality", "release"])
def test_exported_networks_load_and_compute_the_same(networks, tmp_path, layout):
    generator, discriminator = networks
    export(tmp_path / "both.pt", generator, discriminator, layout)
    z = torch.randn(3, 8)
    after, judge = stylegan2.load(tmp_path / "both.pt"), stylegan2.load(tmp_path / "both.pt", "D")
    torch.testing.assert_close(after(z, psi=0.7), generator(z, psi=0.7), atol=1e-5, rtol=1e-5)
    images = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(judge(images), discriminator(images), atol=1e-5, rtol=1e-5)
    export(tmp_path / "alone.pt", generator, layout=layout)
    torch.testing.assert_close(stylegan2.load(tmp_path / "alone.pt")(z), generator(z), atol=1e-5, rtol=1e-5)


def test_names_of_the_release_are_those_of_its_modules(networks, tmp_path):
    generator, _ = networks
    export(tmp_path / "release.pt", *networks, "release")
    stored = torch.load(tmp_path / "release.pt", weights_only=True)
    assert list(stored) == ["G_ema", "D"] and stored["G_ema"].keys() == generator.state_dict().keys()


def test_networks_without_a_place_are_refused(networks, tmp_path):
    generator, discriminator = networks
    for changes in ({"z_dim": 4}, {"c_dim": 2}, {"img_channels": 1}, {"architecture": "resnet"}, {"use_noise": False}):
        with pytest.raises(CheckpointError, match="choose the layout release"):
            export(tmp_path / "no.pt", Generator(replace(CONFIG, **changes)))
    with pytest.raises(CheckpointError, match="choose the layout release"):
        export(tmp_path / "no.pt", generator, Discriminator(replace(JUDGE, architecture="skip")))
    with pytest.raises(CheckpointError, match="generators of StyleGAN2, StyleGAN, Progressive GAN are exported, not D"):
        export(tmp_path / "no.pt", discriminator)
    with pytest.raises(CheckpointError, match="the layout is rosinality or release or genforce, not 'lucidrains'"):
        export(tmp_path / "no.pt", generator, layout="lucidrains")
    with pytest.raises(CheckpointError, match="these are of StyleGAN2; choose the layout rosinality or release"):
        export(tmp_path / "no.pt", generator, layout="genforce")
    with pytest.raises(CheckpointError, match="cannot be written"):
        export(tmp_path / "none" / "no.pt", generator)
    assert list(tmp_path.iterdir()) == []
