"""The optimiser steps of each method: their order, their losses, and the weights that the losses are computed with."""

from dataclasses import replace

import pytest
import torch

from latentlab.errors import UserError
from latentlab.translation.data.sources import collate
from latentlab.translation.methods import (
    CycleGAN,
    CycleGANConfig,
    InstaGAN,
    InstaGANConfig,
    Pix2Pix,
    Pix2PixConfig,
    load_method,
)
from latentlab.translation.networks import PatchConfig, ResNetConfig, UNetConfig
from tests.latentlab.translation.toys import Toy

RNG = torch.Generator


def batch(count=2, side=16, instances=0, start=0):
    toy = Toy(16, side, instances)
    return collate([toy.sample(start + k, None) for k in range(count)])


def value(step, name):
    return float(step.losses[name].detach())


def least_squares(real, fake):
    return float(0.5 * ((real - 1).square().mean() + fake.square().mean()).detach())


# --- pix2pix ------------------------------------------------------------------------------------------------


def small_pix2pix(**changes):
    config = replace(Pix2Pix.configure(16, 4), **changes)
    return replace(config, discriminator=replace(config.discriminator, receptive_field=16, norm="instance"))


def test_pix2pix_steps_its_discriminator_first_on_stacked_images():
    method, data = small_pix2pix().build(), batch()
    steps = method.optimiser_steps(data, RNG())
    first = next(steps)
    assert (first.optimiser, set(first.losses)) == ("discriminator", {"d"})
    discriminator = method.networks["D"]
    fake = method.networks["G"](data["a"])
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    real_logits, fake_logits = (discriminator(torch.cat([data["a"], x], 1)) for x in (data["b"], fake))
    expected = 0.5 * (bce(real_logits, torch.ones_like(real_logits)) + bce(fake_logits, torch.zeros_like(fake_logits)))
    torch.testing.assert_close(first.losses["d"], expected)

    with torch.no_grad():  # the generator's loss is that of the discriminator after its step
        for weight in discriminator.parameters():
            weight.mul_(1.5)
    second = next(steps)
    assert second.optimiser == "generator"
    logits = discriminator(torch.cat([data["a"], fake], 1))
    assert value(second, "gan") == pytest.approx(float(bce(logits, torch.ones_like(logits)).detach()), rel=1e-5)
    assert value(second, "l1") == pytest.approx(100 * float((fake - data["b"]).detach().abs().mean()), rel=1e-5)
    assert next(steps, None) is None


def test_the_papers_ablations():
    ablations = {"l1", "cgan", "encoder-decoder", "encoder-decoder-l1", "pixel", "patch-16", "image"}
    assert set(Pix2Pix.variants) >= ablations
    data = batch(side=32)
    l1 = Pix2Pix.configure(32, 4, "l1").build()
    assert list(l1.networks) == ["G"] and [s.optimiser for s in l1.optimiser_steps(data, RNG())] == ["generator"]
    cgan = Pix2Pix.configure(32, 4, "cgan").build()
    assert [set(step.losses) for step in cgan.optimiser_steps(data, RNG())] == [{"d"}, {"gan"}]
    plain = Pix2Pix.configure(64, 8, "encoder-decoder-l1")
    assert plain.generator == UNetConfig(64, 8, skips=False) and plain.gan_weight == 0
    assert Pix2Pix.configure(64, 8, "pixel").discriminator == PatchConfig(1, 8, 6, "batch")
    assert Pix2Pix.configure(256, 64, "image").discriminator.receptive_field == 286


# --- CycleGAN -----------------------------------------------------------------------------------------------


def small_cyclegan(**changes):
    return CycleGANConfig(ResNetConfig(1, 4), PatchConfig(16, 4), **changes)


def test_cyclegan_steps_its_generators_first():
    method, data = small_cyclegan().build(), batch()
    g_a, g_b, d_a, d_b = method.networks.values()
    a, b = data["a"], data["b"]
    generator, discriminator = method.optimiser_steps(data, RNG())
    fake_b, fake_a = g_a(a), g_b(b)
    expected = {
        "gan_b": (d_a(fake_b) - 1).square().mean(),
        "gan_a": (d_b(fake_a) - 1).square().mean(),
        "cycle_a": 10 * (g_b(fake_b) - a).abs().mean(),
        "cycle_b": 10 * (g_a(fake_a) - b).abs().mean(),
        "identity_a": 5 * (g_b(a) - a).abs().mean(),
        "identity_b": 5 * (g_a(b) - b).abs().mean(),
    }
    assert (generator.optimiser, discriminator.optimiser) == ("generator", "discriminator")
    assert set(generator.losses) == set(expected)
    for name, wanted in expected.items():
        assert value(generator, name) == pytest.approx(float(wanted.detach()), rel=1e-5)
    assert float(generator.loss.detach()) == pytest.approx(sum(float(x.detach()) for x in expected.values()), rel=1e-5)
    assert value(discriminator, "d_b") == pytest.approx(least_squares(d_a(b), d_a(fake_b)), rel=1e-5)
    assert value(discriminator, "d_a") == pytest.approx(least_squares(d_b(a), d_b(fake_a)), rel=1e-5)


def test_the_discriminators_see_the_pool():
    method = small_cyclegan(pool_size=2).build()
    rng = torch.Generator().manual_seed(0)
    for start in range(0, 8, 2):
        list(method.optimiser_steps(batch(start=start), rng))
    assert all(pool.images.shape == (2, 3, 16, 16) for pool in method.pools.values())
    for pool in method.pools.values():
        pool.images.fill_(0.25)
    data = batch(8, start=0)
    _, discriminator = method.optimiser_steps(data, torch.Generator().manual_seed(3))
    g_a, _, d_a, _ = method.networks.values()
    assert value(discriminator, "d_b") != pytest.approx(least_squares(d_a(data["b"]), d_a(g_a(data["a"]))), rel=1e-4)


@pytest.mark.parametrize("objective", ["wgan-gp", "hinge", "vanilla"])
def test_other_objectives_are_used(objective):
    steps = list(small_cyclegan(objective=objective).build().optimiser_steps(batch(), RNG()))
    assert ("penalty_a" in steps[1].losses) == (objective == "wgan-gp")
    steps[1].loss.backward()  # the penalty's second derivatives, too


# --- InstaGAN -----------------------------------------------------------------------------------------------


def small_instagan(**changes):
    config = InstaGANConfig.for_resolution(32, 4)
    return replace(config, generator=replace(config.generator, blocks=1), **changes)


def test_instagan_steps_once_for_each_mini_batch_of_instances():
    method = small_instagan().build()
    # Samples 0 … 3 have 0 … 3 instances; two at once.
    for start, count, rounds in [(0, 1, 0), (1, 1, 1), (2, 1, 1), (3, 1, 2), (0, 4, 2)]:
        steps = list(method.optimiser_steps(batch(count, side=32, instances=4, start=start), RNG()))
        assert [step.optimiser for step in steps] == ["generator", "discriminator"] * rounds


def test_instagans_losses_of_the_first_mini_batch():
    method, data = small_instagan().build(), batch(1, side=32, instances=4, start=2)
    g_a, g_b, d_a, _ = method.networks.values()
    generator, discriminator = method.optimiser_steps(data, RNG())
    x, m = data["a"], data["a_masks"][:, :2]
    y, n = g_a(x, m)
    back, back_masks = g_b(y, n)
    same, same_masks = g_b(x, m)
    source = torch.cat([x, m], 1)
    union = ((torch.cat([m, n], 1) + 1) / 2).sum(1, keepdim=True).clamp(max=1)
    expected = {
        "gan_b": (d_a(y, n) - 1).square().mean(),
        "cycle_a": 10 * (torch.cat([back, back_masks], 1) - source).abs().mean(),
        "identity_a": 10 * (torch.cat([same, same_masks], 1) - source).abs().mean(),
        "context_a": 10 * ((1 - union) * (x - y).abs()).mean(),
    }
    for name, wanted in expected.items():
        # Spectral norm goes on estimating at every forward pass.
        assert value(generator, name) == pytest.approx(float(wanted.detach()), rel=2e-2 if "gan" in name else 1e-5)
    assert set(discriminator.losses) == {"d_a", "d_b"}


def test_the_next_mini_batch_starts_from_the_detached_image():
    """The second step of the generators has no gradient into what the first made, and sees its masks."""
    method, data = small_instagan().build(), batch(1, side=32, instances=4, start=3)
    for network in method.networks.values():
        network.eval()  # spectral norm stands still
    g_a, g_b, d_a, _ = method.networks.values()
    steps = method.optimiser_steps(data, RNG())
    next(steps), next(steps)
    second = next(steps)
    with torch.no_grad():
        y1, n1 = g_a(data["a"], data["a_masks"][:, :2])
        y2, n2 = g_a(y1, data["a_masks"][:, 2:])
        logits = d_a(y2, torch.cat([n1, n2], 1))
        back, back_masks = g_b(y2, n2)
        cycle = (torch.cat([back, back_masks], 1) - torch.cat([y1, data["a_masks"][:, 2:]], 1)).abs().mean()
    assert value(second, "gan_b") == pytest.approx(float((logits - 1).square().mean()), rel=1e-5)
    assert value(second, "cycle_a") == pytest.approx(10 * float(cycle), rel=1e-5)


def test_images_without_further_instances_sit_out():
    """The second mini-batch of (1 instance, 3 instances) is that of the second image alone."""
    method = small_instagan().build()
    for network in method.networks.values():
        network.eval()
    both = batch(3, side=32, instances=4, start=1)
    both = {name: x[[0, 2]] for name, x in both.items()}
    alone = {name: x[1:] for name, x in both.items()}
    two, one = list(method.optimiser_steps(both, RNG())), list(method.optimiser_steps(alone, RNG()))
    assert value(two[2], "cycle_a") == pytest.approx(value(one[2], "cycle_a"), rel=1e-4)
    assert value(two[2], "gan_b") == pytest.approx(value(one[2], "gan_b"), rel=1e-4)


def test_instagans_discriminators_see_the_pool():
    method = small_instagan(pool_size=2).build()
    rng = torch.Generator().manual_seed(0)
    list(method.optimiser_steps(batch(2, side=32, instances=4, start=2), rng))
    assert all(pool.images.shape == (2, 3 + 4, 32, 32) for pool in method.pools.values())
    for network in method.networks.values():
        network.eval()
    old = torch.cat([torch.full((2, 3, 32, 32), 0.25), torch.full((2, 4, 32, 32), -1.0)], dim=1)  # no instance
    alone = batch(1, side=32, instances=4, start=1)
    seen = set()
    for seed in range(8):
        for pool in method.pools.values():
            pool.images = old.clone()
        _, discriminator = method.optimiser_steps(alone, torch.Generator().manual_seed(seed))
        seen.add(round(value(discriminator, "d_b"), 5))
    d_a = method.networks["D_A"]
    expected = least_squares(d_a(alone["b"], alone["b_masks"]), d_a(old[:1, :3], old[:1, 3:]))
    assert len(seen) == 2 and any(one == pytest.approx(expected, rel=1e-4) for one in seen)


# --- configurations -----------------------------------------------------------------------------------------


def test_wrong_configurations_are_refused():
    for wrong, message in [
        (lambda: Pix2PixConfig(discriminator=PatchConfig(channels=3)), "6 channels"),
        (lambda: Pix2PixConfig(gan_weight=0, l1_weight=0), "one is not 0"),
        (lambda: Pix2PixConfig(objective="x"), "adversarial objective"),
        (lambda: CycleGANConfig(discriminator=PatchConfig(channels=6)), "the discriminator of B takes its 3 channels"),
        (lambda: CycleGANConfig(ResNetConfig(output_channels=1), PatchConfig(channels=1)), "identity_weight=0"),
        (lambda: CycleGANConfig(pool_size=-1), "0 or more"),
        (lambda: InstaGANConfig(objective="wgan-gp"), "penalty"),
        (lambda: InstaGANConfig(instances=3), "multiple"),
        (lambda: InstaGANConfig(context_weight=-1), "0 or more"),
        (lambda: load_method("pix2pics"), "did you mean pix2pix"),
        (lambda: Pix2Pix.configure(64, 8, "l2"), "paper, l1, cgan, encoder-decoder"),
        (lambda: CycleGAN.configure(64, 8, "l1"), "variants of cyclegan are paper, not 'l1'"),
        (lambda: Pix2PixConfig(ResNetConfig()).without_skips(), "only a U-Net"),
    ]:
        with pytest.raises(UserError, match=message):
            wrong()


def test_paper_configurations():
    assert CycleGAN.configure(128, 64).generator.blocks == 6
    assert CycleGAN.configure(256, 64) == CycleGANConfig()
    assert Pix2Pix.configure(256, 64) == Pix2PixConfig()
    assert InstaGAN.configure(256, 64) == InstaGANConfig()
    assert Pix2Pix.configure(64, 8).generator == UNetConfig(64, 8)
