"""CUT: its steps, its contrast of patches, and its way through the registry and the command line."""

import math

import pytest
import torch

from latentlab import registry
from latentlab.errors import UserError
from latentlab.translation import CUT, Techniques
from latentlab.translation.data.sources import collate
from latentlab.translation.losses import patch_nce
from tests.latentlab.translation.toys import Toy


def batch(side=32):
    toy = Toy(4, side)
    return collate([toy.sample(k, None) for k in range(2)])


def small(**changes):
    from dataclasses import replace

    config = CUT.configure(32, 4)
    return replace(config, discriminator=replace(config.discriminator, receptive_field=16), features=8, **changes)


def test_patches_that_are_all_different_have_the_loss_of_their_number():
    same = torch.eye(8)[None]
    expected = -math.log(math.exp(1 / 0.07) / (math.exp(1 / 0.07) + 7))
    assert float(patch_nce(same, same, 0.07)) == pytest.approx(expected, abs=1e-6)
    alike = torch.ones(1, 8, 4) / 2
    assert float(patch_nce(alike, alike, 0.07)) == pytest.approx(math.log(8))  # chance
    assert float(patch_nce(same, same.roll(1, dims=1), 0.5)) == pytest.approx(
        2 + math.log(1 + 7 / math.exp(2)), rel=1e-6
    )


def test_only_what_was_made_comes_towards_what_was_given():
    queries, keys = (torch.randn(1, 6, 4, requires_grad=True) for _ in range(2))
    patch_nce(queries, keys, 0.07).backward()
    assert queries.grad.abs().sum() > 0 and keys.grad is None


def test_the_discriminator_steps_first_and_the_projections_with_the_generator():
    method = small().build()
    steps = list(method.optimiser_steps(batch(), torch.Generator()))
    assert [(step.optimiser, set(step.losses)) for step in steps] == [
        ("discriminator", {"d"}),
        ("generator", {"gan", "contrast", "identity"}),
    ]
    steps[1].loss.backward()
    gradients = {name: any(p.grad is not None for p in method.networks[name].parameters()) for name in "GF"}
    assert gradients == {"G": True, "F": True} and method.generators == {"a2b": "G"}


def test_the_fast_variant_does_without_the_patches_of_b():
    fast = CUT.configure(32, 4, "fast")
    assert (fast.contrast_weight, fast.identity_weight) == (10, 0)
    *_, generator = small(identity_weight=0.0).build().optimiser_steps(batch(), torch.Generator())
    assert set(generator.losses) == {"gan", "contrast"}


def test_a_translation_that_keeps_its_input_has_less_contrast_than_one_of_another_image():
    method = small().build()
    a = batch()["a"]
    kept, lost = (
        float(method.contrast(made, a, torch.Generator().manual_seed(0)).detach()) for made in (a + 0.01, a.flip(0))
    )
    assert kept < lost


def test_it_is_a_method_of_the_registry_like_any_other(run, tmp_path):
    assert registry.translators.load("cut") is CUT
    code, out, _ = run("translate", "make", "shapes", "--scenes", 4, "--size", 32, "--out", tmp_path / "set")
    assert code == 0, out
    words = ("--size", 32, "--base-channels", 4, "--epochs", 0.5, "--upsampling", "resize", "--accelerator", "cpu")
    code, out, err = run("translate", "train", "cut", tmp_path / "set", *words, "--out", tmp_path / "made")
    assert code == 0, err
    picture = next((tmp_path / "set" / "trainA").glob("*.png"))
    code, out, err = run("translate", "apply", tmp_path / "made" / "translator.safetensors", picture, "--out", tmp_path)
    assert code == 0, err


def test_unlike_channels_are_refused():
    with pytest.raises(UserError, match="take CycleGAN"):
        CUT.configure(32, 4).for_channels(1, 3)
    assert small().with_techniques(Techniques("resize")).generator.upsampling == "resize"
