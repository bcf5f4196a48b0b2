"""The distilled editor: what it leaves alone, its losses, and the strips that it learns from."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlab.errors import UserError
from latentlab.images import save_image
from latentlab.translation.data.flaws import Flaws
from latentlab.translation.data.sources import collate
from latentlab.translation.data.strips import strips_in
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods.distilled import Distilled, DistilledConfig
from latentlab.translation.networks import EditorConfig, PatchConfig, config_from_dict, config_to_dict, initialise_

LEVELS = (-1.0, -0.5, 0.0, 0.5, 1.0)
NONE = Flaws(0, 0, 0, 0, 0, 0)


def editor(**changes):
    network = EditorConfig(("smile", "age"), 4, 2, 1, **changes).build()
    initialise_(network, 0.3)
    return network


def faces(count=2, side=32, seed=0):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_an_edit_by_nothing_is_the_image_bit_for_bit():
    network, x = editor(), faces()
    made, mask = network(x, torch.zeros(2, 2))
    assert torch.equal(made, x) and not mask.any()


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_the_mask_is_no_larger_than_the_strength_and_bounds_the_edit(one, other):
    network, x = editor(), faces()
    made, mask = network(x, torch.tensor([[one, other]]).expand(2, -1))
    assert mask.min() >= 0 and mask.max() <= max(abs(one), abs(other)) + 1e-6
    assert ((made - x).abs() <= 3 * mask + 1e-5).all() and made.abs().max() <= 1
    layers = network.layers(x, torch.tensor([[one, other]]).expand(2, -1))
    assert (1 - layers.kept <= mask + 1e-6).all() and (layers.added.abs() <= 2 * mask + 1e-6).all()


def test_strengths_and_their_signs_tell():
    network, x = editor(), faces(1)
    edits = [network(x, torch.tensor([strengths]))[0] for strengths in ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0))]
    assert all(not torch.allclose(a, b, atol=1e-4) for k, a in enumerate(edits) for b in edits[:k])


def test_sizes_strengths_and_shapes_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="multiples of 4"):
        editor()(faces(side=30), torch.zeros(2, 2))
    with pytest.raises(UserError, match=r"strengths \(2, 2\), one for each attribute, not \(2, 1\)"):
        editor()(faces(), torch.zeros(2, 1))
    for wrong in ({"attributes": ()}, {"attributes": ("a", "a")}, {"base_channels": 6}, {"blocks": 0}):
        with pytest.raises(UserError, match="an editor has"):
            EditorConfig(**wrong)


def test_its_configuration_goes_through_json():
    config = EditorConfig(("smile", "age"), 8)
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


# --- training -----------------------------------------------------------------------------------------------


def strips(folder, parts=("train",), count=3, side=32):
    """Faces whose red is the level: what a sample shows can be read off its pixels."""
    for part in parts:
        for n, name in enumerate(("smile", "age")):
            for k in range(count):
                tiles = [torch.full((1, 3, side, side), 0.2 * n - 0.1) for _ in LEVELS]
                for level, tile in zip(LEVELS, tiles, strict=True):
                    tile[:, 0] = level
                save_image(torch.cat(tiles, dim=3), folder / part / name / f"{k:06d}.png")
    (folder / "manifest.json").write_text(json.dumps({"kind": "strips", "levels": LEVELS}))
    return folder


def test_samples_go_from_the_sampled_face_to_all_levels_and_from_ends_to_ends(tmp_path):
    source = strips_in(strips(tmp_path), "train", ("smile", "age"), Augmentation((32, 32), (36, 36)))
    source = replace(source, flaws=NONE)
    assert len(source) == 6
    seen = set()
    for index in range(6):
        for seed in range(60):
            sample = source.sample(index, np.random.default_rng(seed))
            before, after = (round(2 * float(sample[name][0, 0].mean())) / 2 for name in "ab")
            own, other = (0, 1) if index < 3 else (1, 0)
            assert sample["strengths"][0, own] == after and sample["strengths"][0, other] == 0
            seen.add((before, after))
    assert seen == {(0.0, level) for level in LEVELS if level} | {(-1.0, 1.0), (1.0, -1.0)}


def test_samples_at_random_have_the_flaws_of_photos(tmp_path):
    source = strips_in(strips(tmp_path), "train", ("smile",), Augmentation.none(32))
    channels = [1, 2]  # an edit changes red alone
    plain = source.sample(0, None)
    for seed in range(5):
        sample = source.sample(0, np.random.default_rng(seed))
        assert not torch.equal(sample["a"][:, channels], plain["a"][:, channels])
    without = replace(source, flaws=NONE).sample(0, np.random.default_rng(0))
    assert torch.equal(without["a"][:, channels], plain["a"][:, channels])


@given(st.integers(0, 1000))
def test_flaws_stay_within_their_limits_and_are_alike_for_both(seed):
    image, rng = faces(1, seed=seed), np.random.default_rng(seed)
    drawn = replace(NONE, contrast=0.25, tint=0.06, brightness=0.1).draw(rng)
    expected = torch.tensor(drawn.gains)[:, None, None] * image + drawn.brightness
    for made in drawn.pair(image, image):
        torch.testing.assert_close(made, expected.clamp(-1, 1))
    assert 0.75 * 0.94 <= min(drawn.gains) <= max(drawn.gains) <= 1.25 * 1.06 and abs(drawn.brightness) <= 0.1
    assert all(torch.equal(made, image) for made in NONE.draw(rng).pair(image, image))
    before, after = Flaws().draw(rng).pair(image, image)
    assert torch.equal(before, after)


def test_a_photo_is_softer_or_sharper_and_never_both():
    image, before = faces(1) / 8, []
    for seed in range(30):
        drawn = replace(NONE, softness=0.6, sharpness=1.0).draw(np.random.default_rng(seed))
        made, _ = drawn.pair(image, image)
        edges = float(made.diff().abs().mean() / image.diff().abs().mean())
        assert (drawn.softness > 0) != (drawn.sharpness > 0)
        assert edges < 1.001 if drawn.softness else edges > 1
        before.append(edges)
    assert min(before) < 0.7 and max(before) > 1.5


def test_grain_goes_where_an_edit_shows_something_else_and_stays_elsewhere():
    before = torch.zeros(1, 3, 32, 32)
    after = before.clone()
    after[..., :10], after[..., 20:] = 0.5, 0.1
    drawn = replace(replace(NONE, grain=0.1).draw(np.random.default_rng(0)), grain=0.1)
    grainy, edited = drawn.pair(before, after)
    assert float(grainy.std()) == pytest.approx(0.1, rel=0.05)
    assert torch.equal(edited[..., :8], after[..., :8])
    torch.testing.assert_close(edited[..., 22:], after[..., 22:] + grainy[..., 22:])


def test_both_ways_are_shown_without_a_random_generator(tmp_path):
    source = strips_in(strips(tmp_path), "train", ("smile",), Augmentation.none(32))
    shown = collate([source.sample(k, None) for k in range(3)])
    assert shown["strengths"].tolist() == [[-1.0], [1.0], [-1.0]]


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="manifest.json"):
        strips_in(tmp_path, "train", ("smile",), Augmentation.none(32))
    strips(tmp_path)
    with pytest.raises(UserError, match="no folder .*glasses"):
        strips_in(tmp_path, "train", ("glasses",), Augmentation.none(32))
    (tmp_path / "manifest.json").write_text('{"kind": "shapes"}')
    with pytest.raises(UserError, match="no strips of edited faces"):
        strips_in(tmp_path, "train", ("smile",), Augmentation.none(32))


def config(**changes):
    small = DistilledConfig(EditorConfig(("smile", "age"), 4, 2, 1), PatchConfig(16, 4), **changes)
    return replace(small, perceptual_weight=changes.get("perceptual_weight", 0.0))


def test_its_losses(tmp_path):
    source = strips_in(strips(tmp_path), "train", ("smile", "age"), Augmentation.none(32))
    batch = collate([source.sample(k, None) for k in range(2)])
    method = config(mask_weight=0.5, gan_weight=2.0).build()
    first, second = method.optimiser_steps(batch, torch.Generator())
    assert (first.optimiser, second.optimiser) == ("discriminator", "generator")
    assert set(second.losses) == {"l1", "l2", "mask", "gan"}
    losses = {name: float(loss.detach()) for name, loss in second.losses.items()}
    with torch.no_grad():
        made, mask = method.networks["G"](batch["a"], batch["strengths"])
    assert losses["l1"] == pytest.approx(float((made - batch["b"]).abs().mean()), rel=1e-5)
    assert losses["l2"] == pytest.approx(20 * float((made - batch["b"]).square().mean()), rel=1e-5)
    assert losses["mask"] == pytest.approx(0.5 * float(mask.mean()), rel=1e-5)
    only = list(config().build().optimiser_steps(batch, torch.Generator()))
    assert [step.optimiser for step in only] == ["generator"] and set(only[0].losses) == {"l1", "l2", "mask"}
    assert [column.shape for column in method.preview(batch)] == [(2, 3, 32, 32)] * 4
    with pytest.raises(UserError, match="weights of losses"):
        DistilledConfig(mask_weight=-1.0)


def test_it_learns_what_the_strips_show(tmp_path):
    """Red becomes the level: after a hundred steps the edit is nearer to it than the input is."""
    source = Distilled.open_folder(strips(tmp_path), "train", config(), Augmentation.none(32)).source
    method = config().build()
    optimiser = torch.optim.Adam(method.parameters_of("generator"), 1e-2)
    batch = collate([source.sample(k, np.random.default_rng(k)) for k in range(6)] * 2)
    for _ in range(100):
        (step,) = method.optimiser_steps(batch, torch.Generator())
        optimiser.zero_grad()
        step.loss.backward()
        optimiser.step()
    made, _ = method.networks["G"](batch["a"], batch["strengths"])
    assert (made - batch["b"]).abs().mean() < 0.3 * (batch["a"] - batch["b"]).abs().mean()
