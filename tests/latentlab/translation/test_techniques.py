"""Techniques beyond the papers: decoders that resize, several scales, spectral norm, augmentation, LPIPS, two rates."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from latentlab.errors import UserError
from latentlab.perceptual import load_perceptual
from latentlab.translation import CUT, CycleGAN, InstaGAN, Pix2Pix, Techniques, TrainingSettings, Translator, published
from latentlab.translation.augment import augment
from latentlab.translation.data.sources import collate
from latentlab.translation.networks import InstaDiscriminatorConfig, PatchConfig, ResNetConfig, UNetConfig, initialise_
from latentlab.translation.training import take_step
from latentlab.translation.training.loop import launch
from latentlab.translation.training.state import TrainingState
from tests.latentlab.translation.toys import Toy

METHODS = (Pix2Pix, CycleGAN, InstaGAN, CUT)
RNG = torch.Generator


def batch(side=64, instances=0):
    toy = Toy(4, side, instances)
    return collate([toy.sample(2 + k, None) for k in range(2)])


def inner(x, border):
    return x[..., border:-border, border:-border]


@pytest.mark.parametrize("config", [UNetConfig(16, 4, norm="none", dropout=False), ResNetConfig(0, 4, norm="none")])
def test_decoders_that_resize_leave_no_checkerboard_where_there_is_nothing_to_see(config):
    nothing = torch.full((1, 3, 64, 64), 0.3)
    for upsampling, flat in (("resize", True), ("transposed", False)):
        network = replace(config, upsampling=upsampling).build().eval()
        initialise_(network, spread=0.2, seed=1)
        made = inner(network(nothing).detach(), 31 if isinstance(config, UNetConfig) else 12)
        spread = float((made - made.mean(dim=(2, 3), keepdim=True)).abs().max())
        assert (spread < 1e-5) is flat, spread


def test_discriminators_at_several_scales_each_weigh_the_same():
    config = PatchConfig(16, 4, scales=2)
    network = config.build().eval()
    initialise_(network, seed=1)
    images = torch.randn(2, 3, 32, 32, generator=RNG().manual_seed(0))
    logits = network(images)
    fine, coarse = network.scales
    torch.testing.assert_close(logits[:, :1], fine(images))
    halved = F.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
    assert logits.shape[1] == 2
    assert set(logits[0, 1].detach().flatten().tolist()) <= set(coarse(halved)[0].detach().flatten().tolist())


def test_instances_are_judged_at_several_scales_too():
    network = InstaDiscriminatorConfig(4, scales=2).build()
    data = batch(48, instances=4)
    assert network(data["a"], data["a_masks"]).shape[:2] == (2, 2)


def test_spectral_norm_bounds_the_gain_of_every_convolution():
    network = PatchConfig(16, 4, norm="spectral").build()
    initialise_(network, spread=1.0, seed=0)
    for _ in range(30):  # of the power iteration, one a pass
        network(torch.zeros(1, 3, 16, 16))
    for conv in (network.stem, *network.body, network.head):
        assert float(torch.linalg.matrix_norm(conv.weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "network",
    [
        UNetConfig(16, 4, upsampling="resize"),
        ResNetConfig(0, 4, upsampling="resize"),
        PatchConfig(16, 4, norm="spectral"),
        PatchConfig(16, 4, scales=2),
    ],
)
def test_the_published_code_has_none_of_them(network, tmp_path):
    with pytest.raises(UserError, match="the published code has no"):
        published.save(network.build(), tmp_path / "net.pth")
    assert not list(tmp_path.iterdir())


def test_images_and_what_belongs_to_them_are_moved_and_cut_alike():
    images = torch.rand(6, 3, 32, 48, generator=RNG().manual_seed(1)) + 0.5
    moved, beside = augment(images, torch.ones(6, 2, 32, 48), -1.0, RNG().manual_seed(2))
    left = moved.ne(0).any(dim=1)
    assert torch.equal(beside[:, 0], torch.where(left, 1.0, -1.0)) and torch.equal(beside[:, 0], beside[:, 1])
    # A cutout of a half takes up to a quarter of the pixels, and a shift by an eighth up to a quarter of the rest.
    shares = left.float().mean(dim=(1, 2))
    assert shares.min() > 0.5 and shares.max() <= 1 and len(set(shares.tolist())) > 1


def test_augmentation_differs_by_image_repeats_by_its_generator_and_passes_gradients():
    one = torch.rand(1, 3, 16, 16, generator=RNG().manual_seed(1))
    images, none = one.repeat(2, 1, 1, 1).requires_grad_(), torch.empty(2, 0, 16, 16)
    made, nothing = augment(images, none, 0.0, RNG().manual_seed(3))
    assert nothing.shape == none.shape and not torch.equal(made[0], made[1])
    assert torch.equal(made, augment(images, none, 0.0, RNG().manual_seed(3))[0])
    made.sum().backward()
    assert images.grad.abs().sum() > 0


@pytest.mark.weights
@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_all_of_them(method):
    wanted = Techniques("resize", 5.0, scales=2, spectral_norm=True, diff_augment=True)
    config = method.configure(64, 4).with_techniques(wanted)
    assert config.generator.upsampling == "resize" and config.discriminator.scales == 2 and config.diff_augment
    state = TrainingState(config.build(), TrainingSettings(learning_rate=1e-3, discriminator_rate=3))
    before = {name: value.clone() for name, value in state.method.networks.state_dict().items()}
    losses = take_step(launch("cpu"), state, [batch(instances=config.masks_per_image)], 1e-3)
    assert any(name.startswith("lpips") for name in losses["generator"])
    after = state.method.networks.state_dict()
    for name in state.method.networks:
        assert any(not torch.equal(before[k], after[k]) for k in before if k.startswith(f"{name}."))
    rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in state.optimisers.items()}
    assert rates == pytest.approx({"generator": 1e-3, "discriminator": 3e-3})


@pytest.mark.weights
def test_lpips_is_that_of_the_distance_times_its_weight():
    method = Pix2Pix.configure(32, 4).with_techniques(Techniques(perceptual_weight=7.0)).build()
    data = batch(32)
    *_, generator = method.optimiser_steps(data, RNG())
    fake = method.networks["G"](data["a"])
    expected = 7 * load_perceptual("alex")(fake, data["b"]).mean()
    assert float(generator.losses["lpips"].detach()) == pytest.approx(float(expected.detach()), rel=1e-4)


def test_translators_are_saved_with_their_upsampling(tmp_path):
    network = UNetConfig(16, 4, upsampling="resize").build()
    Translator({"a2b": network}, {"method": "pix2pix"}).save(tmp_path / "t.safetensors")
    loaded = Translator.load(tmp_path / "t.safetensors")
    image = torch.zeros(1, 3, 16, 16)
    assert torch.equal(loaded(image, dropout=False)[0], Translator({"a2b": network}, {})(image, dropout=False)[0])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: UNetConfig(16, 4, upsampling="bilinear"), "transposed or resize"),
        (lambda: PatchConfig(16, 4, scales=9), "1 to 4 scales"),
        (lambda: Pix2Pix.configure(32, 4).with_techniques(Techniques(perceptual_weight=-1)), "0 or more"),
        (lambda: TrainingSettings(discriminator_rate=0), "positive learning rates"),
    ],
)
def test_impossible_techniques_are_refused(build, message):
    with pytest.raises(UserError, match=message):
        build()
