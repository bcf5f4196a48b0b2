"""Projection on the tiny generator: recovery, the formula of a step, batches, masks, resume after a kill."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab import cards, perceptual
from latentlab.errors import UserError
from latentlab.projection import (
    PUBLISHED_W,
    Phase,
    Projection,
    ProjectionSettings,
    Projector,
    project,
    result,
    search,
    w_statistics,
)
from latentlab.projection.inputs import MaskedImages
from latentlab.projection.losses import Target, losses_of
from latentlab.projection.noise import fresh_maps, noise_regulariser, standardise_
from latentlab.projection.starts import nearest
from latentlab.rendering import Renderer
from tests.conftest import TINY, make_tiny, stage_with
from tests.latentlab.projection.interrupted import kill_at

VARIED = replace(TINY, mapping_lr_multiplier=1.0)
SHORT = ProjectionSettings(
    "w+", (Phase(6, 0.05, resolution=16), Phase(4, 0.02, resolution=16, rampup=0)), pixel_weight=1.0
)


@pytest.fixture(scope="module")
def vgg():
    return perceptual.load_perceptual("vgg")


@pytest.fixture(scope="module")
def tiny():
    """As the shared one, but with a mapping whose w's differ: a code is worth finding."""
    return make_tiny(VARIED)


def pictures_of(generator, seeds, psi=1.0):
    z = torch.stack([torch.randn(generator.z_dim, generator=torch.Generator().manual_seed(s)) for s in seeds])
    ws = generator.mapping(z, psi=psi)
    return ws, generator.synthesis(ws)


# --- schedules ----------------------------------------------------------------------------------------------


def test_the_published_schedule_of_the_learning_rate():
    (phase,) = PUBLISHED_W.phases
    assert (phase.steps, phase.resolution) == (1000, 256)
    rates = [phase.learning_rate_at(k) for k in (0, 25, 50, 400, 750, 875)]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.1, 0.1, 0.05])
    assert phase.learning_rate_at(999) == pytest.approx(0.1 * (0.5 - 0.5 * math.cos(math.pi * 0.004)))


def test_the_published_schedule_of_the_noise_on_w():
    (phase,) = PUBLISHED_W.phases
    assert [phase.w_noise_at(k) for k in (0, 375, 750, 900)] == pytest.approx([0.05, 0.0125, 0, 0])


@given(st.integers(3, 400))
def test_a_shortened_recipe_keeps_its_proportions(steps):
    long = replace(SHORT, phases=(Phase(100), Phase(80), Phase(20)))
    short = long.shortened(steps)
    assert abs(short.steps - steps) <= 2
    assert [phase.steps / short.steps for phase in short.phases] == pytest.approx([0.5, 0.4, 0.1], abs=2 / steps)


def test_settings_survive_json():
    assert ProjectionSettings.from_dict(SHORT.as_dict()) == SHORT


# --- noise maps ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "levels"), [(4, 1), (8, 1), (16, 2), (64, 4)])
def test_the_regulariser_of_a_constant_map(side, levels):
    # Every product of neighbours is c², along two axes and at every level of the pyramid.
    maps = torch.full((2, 1, side, side), 1.5)
    torch.testing.assert_close(noise_regulariser(maps), torch.full((2,), levels * 2 * 1.5**4))


def test_the_regulariser_of_a_chequered_map():
    # Neighbours are opposite at the first level; the averages of the second level are 0.
    maps = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2.0 - 1
    torch.testing.assert_close(noise_regulariser(maps[None, None]), torch.tensor([2.0]))


def test_standardised_maps_have_mean_0_and_mean_square_1():
    maps = torch.rand(3, 1, 8, 8) * 5 + 2
    standardise_(maps)
    torch.testing.assert_close(maps.mean(dim=(1, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(maps.square().mean(dim=(1, 2, 3)), torch.ones(3))


# --- one step -----------------------------------------------------------------------------------------------


@pytest.mark.weights
def test_one_step_equals_the_formula(tiny, vgg):
    """The first step of Adam is lr · g / (|g| + 1e-8), with g the gradient at the noisy code."""
    _, target = pictures_of(tiny, [3])
    rate, seed = 0.03, 5
    recipe = ProjectionSettings(
        "w",
        (Phase(1, rate, 16, rampup=0, rampdown=0, w_noise=0.05),),
        0.5,
        noise_maps="optimised",
        seed=seed,
    )
    found = project(target, tiny, recipe, start="average", perceptual=vgg)

    z = torch.randn(10_000, tiny.z_dim, generator=torch.Generator().manual_seed(123))
    population = tiny.mapping(z)[:, 0]
    w = population.mean(dim=0)[None].requires_grad_()
    sigma = ((population - w.detach()) ** 2).sum(dim=1).mean().sqrt()
    maps = {name: value.requires_grad_() for name, value in fresh_maps(tiny, seed).items()}
    drawn = torch.randn(1, tiny.w_dim, generator=torch.Generator().manual_seed(seed << 32))
    ws = (w + 0.05 * sigma * drawn)[:, None].repeat(1, tiny.num_ws, 1)
    picture = torch.func.functional_call(tiny.synthesis, maps, (ws,))
    loss = vgg.model(picture, target).sum() + 0.5 * (picture - target).square().mean()
    loss = loss + 1e5 * sum(noise_regulariser(value) for value in maps.values()).sum()
    gradient, *others = torch.autograd.grad(loss, [w, *maps.values()])

    expected = w.detach() - rate * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(found.latents["w"], expected, atol=1e-5, rtol=0)
    for (name, value), slope in zip(maps.items(), others, strict=True):
        moved = value.detach() - rate * slope / (slope.abs() + 1e-8)
        moved = moved - moved.mean()
        moved = moved / moved.square().mean().sqrt()
        torch.testing.assert_close(found.noise()[name], moved, atol=2e-4, rtol=0)


@pytest.mark.weights
def test_the_spread_is_the_mean_square_of_rows_from_their_mean(tiny, vgg):
    ws = torch.randn(2, tiny.num_ws, tiny.w_dim)
    _, target = pictures_of(tiny, [1, 2])
    goal = Target.of(target, vgg, 16)
    rendered = Renderer(tiny, 16)({"ws": ws})
    recipe = replace(SHORT, pixel_weight=0.0, spread_weight=3.0)
    loss, distance = losses_of(rendered, {"ws": ws}, {"ws": ws}, goal, vgg, recipe, sigma=2.0)
    expected = 3 * torch.stack([((one - one.mean(0)) ** 2).sum(1).mean() for one in ws]) / 4
    torch.testing.assert_close(loss - distance, expected, rtol=1e-4, atol=1e-4)


# --- what it finds ------------------------------------------------------------------------------------------


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize(("space", "steps", "rate"), [("w", 150, 0.1), ("w+", 220, 0.05), ("s", 300, 0.05)])
def test_it_recovers_the_generators_own_sample(tiny, vgg, space, steps, rate):
    ws, target = pictures_of(tiny, [11])
    recipe = ProjectionSettings(space, (Phase(steps, rate, resolution=16),), pixel_weight=1.0)
    found = project(target, tiny, recipe, start="average", perceptual=vgg)
    start = vgg(tiny.synthesis(w_statistics(tiny).mean.expand(1, tiny.num_ws, -1)), target)
    assert found.distances[0] < 0.05 * start[0]
    assert (found.render(tiny) - target).square().mean() < 0.02 * target.var()
    if space == "w":
        away = (w_statistics(tiny).mean - ws[0, 0]).norm()
        assert (found.latents["w"] - ws[:, 0]).norm() < 0.3 * away


@pytest.mark.weights
def test_a_mask_makes_the_outside_not_count(tiny, vgg):
    _, target = pictures_of(tiny, [11])
    spoilt = target.clone()
    spoilt[..., :8] = -spoilt[..., :8]
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 8:] = 1
    recipe = ProjectionSettings("w+", (Phase(60, 0.05, resolution=16),), pixel_weight=3.0)
    errors = []
    for one in (mask, None):
        picture = project(MaskedImages(spoilt, one), tiny, recipe, "average", vgg).render(tiny)
        errors.append(float((picture - target)[..., 8:].square().mean()))
    assert errors[0] < 0.7 * errors[1]


@pytest.mark.weights
def test_the_best_of_random_pictures_is_found(tiny, vgg):
    rng = torch.Generator().manual_seed(4)
    ws = tiny.mapping(torch.cat([torch.randn(1, tiny.z_dim, generator=rng) for _ in range(5)]), psi=0.7)
    found = nearest(tiny.synthesis(ws[[3, 1]]), tiny, vgg, candidates=5, seed=4)
    torch.testing.assert_close(found, ws[[3, 1]])


# --- batches ------------------------------------------------------------------------------------------------


def three(turn_every, **changes):
    """A generator, three pictures, a recipe, and what gives the projection of some of them."""
    tiny, vgg = make_tiny(VARIED), perceptual.load_perceptual("alex")
    target = torch.nn.functional.interpolate(pictures_of(tiny, [1, 2, 3])[1], (32, 32))
    phases = (Phase(12, 0.05, resolution=32, w_noise=0.05), Phase(4, 0.02, resolution=32))
    recipe = replace(SHORT, phases=phases, noise_weight=1.0, turn_every=turn_every, **changes)
    return lambda rows, size=1: project(target[rows], tiny, recipe, perceptual=vgg, batch_size=size)


@pytest.mark.weights
@settings(max_examples=3)
@given(st.integers(1, 4), st.sampled_from(["optimised", "fixed"]))
def test_a_batch_gives_what_single_runs_give(size, noise_maps):
    found = three(None, noise_maps=noise_maps, patience=3, tolerance=0.05)
    together = found([0, 1, 2], size)
    for k in range(3):
        alone = found([k])
        assert alone.steps[0] == together.steps[k]
        for name, value in alone.latents.items():
            torch.testing.assert_close(together.latents[name][k : k + 1], value, atol=2e-4, rtol=1e-3)


@pytest.mark.weights
def test_where_memory_runs_out_fewer_are_searched_for_at_once(vgg):
    generator = make_tiny(VARIED)
    _, target = pictures_of(generator, [1, 2, 3])
    wanted = project(target, generator, SHORT, perceptual=vgg, progress=False)

    def hold_one_image(synthesis, inputs):
        if len(inputs[0]) > 1:
            raise torch.OutOfMemoryError(f"CUDA out of memory: {len(inputs[0])} images")

    generator.synthesis.register_forward_pre_hook(hold_one_image)
    with pytest.warns(UserWarning, match="not enough memory for 3 images .* going on with 1"):
        found = project(target, generator, SHORT, perceptual=vgg, batch_size=3, progress=False)
    assert torch.equal(found.steps, wanted.steps)
    torch.testing.assert_close(found.latents["ws"], wanted.latents["ws"], atol=2e-4, rtol=1e-3)


@pytest.mark.weights
def test_along_turned_axes_a_batch_finds_pictures_as_near():
    found = three(4)
    one, together = (found([0, 1, 2], size) for size in (1, 3))
    for k in range(3):
        assert torch.equal(found([k]).latents["ws"], one.latents["ws"][k : k + 1])
    torch.testing.assert_close(together.distances, one.distances, rtol=0.3, atol=0)


@pytest.mark.weights
def test_each_picture_stops_on_its_own(tiny, vgg):
    ws, target = pictures_of(tiny, [1, 2])
    recipe = ProjectionSettings("w+", (Phase(40, 0.02, 16, rampup=0, rampdown=0),), 1.0, patience=5, tolerance=0.2)
    start = torch.stack([ws[0], w_statistics(tiny).mean.expand(tiny.num_ws, -1)])
    found = project(target, tiny, recipe, start, perceptual=vgg)
    assert found.steps[0] < found.steps[1]


@pytest.mark.weights
def test_it_is_deterministic_and_leaves_the_generator_alone(vgg):
    generator = make_tiny(VARIED).requires_grad_(True)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    _, target = pictures_of(generator, [5])
    target = target.detach()
    recipe = replace(SHORT, noise_maps="optimised", phases=(Phase(5, 0.05, resolution=16, w_noise=0.1),))
    one, two = (project(target, generator, recipe, perceptual=vgg).latents for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert not torch.equal(one["ws"], project(target, generator, replace(recipe, seed=1)).latents["ws"])


@pytest.mark.weights
def test_progress_and_steps_see_every_step(tiny, vgg):
    _, target = pictures_of(tiny, [1, 2])
    calls = []
    progress = stage_with(lambda *call: calls.append(call))
    found = project(target, tiny, SHORT, perceptual=vgg, batch_size=2, progress=progress)
    projector = Projector(target, tiny, SHORT, perceptual=vgg, batch_size=2)
    with pytest.raises(UserError, match="not done"):
        projector.result()
    steps = list(projector.steps())
    assert [step.steps for step in steps] == [(k, k) for k in range(1, 11)]
    assert all(step.images == (0, 1) and step.rendered.shape == target.shape for step in steps)
    assert steps[-1].distances[0] < steps[0].distances[0]
    assert [(step.done, step.total, f"LPIPS {sum(step.distances) / 2:.3f}") for step in steps] == calls
    assert calls[-1][:2] == (20, 20)
    assert found.steps.tolist() == [10, 10]
    assert torch.equal(projector.result().latents["ws"], found.latents["ws"])


# --- files --------------------------------------------------------------------------------------------------


@pytest.mark.weights
def test_a_saved_projection_renders_the_same(tiny, vgg, tmp_path):
    _, target = pictures_of(tiny, [1])
    for space in ("w", "s"):
        recipe = replace(SHORT, space=space, noise_maps="optimised")
        found = project(target, tiny, recipe, perceptual=vgg)
        found.save(tmp_path / "found.safetensors")
        again = Projection.load(tmp_path / "found.safetensors")
        assert torch.equal(again.render(tiny), found.render(tiny))
        assert again.settings == recipe
        assert set(again.noise()) == {name for name, _ in tiny.synthesis.named_buffers() if "noise_const" in name}


@pytest.mark.weights
def test_a_projection_is_refused_by_another_generator(tiny, vgg, tmp_path):
    _, target = pictures_of(tiny, [1])
    found = project(target, tiny, replace(SHORT, space="w"), perceptual=vgg)
    other = make_tiny(VARIED)
    other.synthesis.b4.const.data += 1
    with pytest.raises(UserError, match="another generator"):
        found.render(other)
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot read .*x.safetensors"):
        Projection.load(tmp_path / "x.safetensors")


@pytest.mark.weights
def test_bad_input_is_told(tiny, vgg):
    _, target = pictures_of(tiny, [1])
    cases = [
        ({"images": target[:, :, :8]}, "are 8×16, which is another shape"),
        ({"images": target * float("nan")}, "finite"),
        ({"images": (target, torch.ones(1, 1, 8, 8))}, "mask"),
        ({"images": (target, torch.zeros(1, 1, 16, 16))}, "mask"),
        ({"start": "middle"}, "start"),
        ({"start": "encoder"}, "no encoder"),
        ({"start": torch.zeros(1, 2, 3)}, "start"),
        ({"settings": "z"}, "settings"),
        ({"batch_size": 0}, "batch_size"),
    ]
    for wrong, message in cases:
        with pytest.raises(UserError, match=message):
            if isinstance(wrong.get("images"), tuple):
                wrong = {"images": MaskedImages(*wrong["images"])}
            project(**{"images": target, "generator": tiny, "settings": SHORT, "perceptual": vgg, **wrong})
    with pytest.raises(UserError, match="space"):
        replace(SHORT, space="q")


# --- resume -------------------------------------------------------------------------------------------------

JOB = """
import sys
from latentlab.projection import projector
from tests.latentlab.projection.test_project import job

projector.SAVE_SECONDS = -1.0  # after every step
for step in job(sys.argv[1]).steps():
    print(step.done, flush=True)
    if step.done == 30:
        sys.stdin.read()  # until it is killed
"""


def job(folder) -> Projector:
    tiny = make_tiny(VARIED)
    target = tiny(torch.randn(3, tiny.z_dim, generator=torch.Generator().manual_seed(0)))
    phases = (Phase(14, 0.05, 16, w_noise=0.05), Phase(6, 0.02, 16))
    recipe = ProjectionSettings("w+", phases, 1.0, noise_maps="optimised", noise_weight=1.0, turn_every=6)
    return Projector(target, tiny, recipe, perceptual=perceptual.load_perceptual("vgg"), batch_size=2, folder=folder)


@pytest.mark.weights
def test_a_killed_run_goes_on_to_the_same_result(tmp_path):
    kill_at(JOB, tmp_path / "killed", "30")
    assert len(list((tmp_path / "killed").glob("search-*"))) == 2
    runs = job(tmp_path / "killed"), job(tmp_path / "whole")
    begun = [[step.done for step in run.steps()][0] for run in runs]
    assert begun == [32, 2]
    again, whole = (run.result() for run in runs)
    assert torch.equal(whole.steps, again.steps)
    for name, value in whole.latents.items():
        torch.testing.assert_close(again.latents[name], value, atol=1e-4, rtol=1e-4)


@pytest.mark.weights
def test_a_projection_of_an_earlier_version_is_read(tiny, vgg, tmp_path):
    _, target = pictures_of(tiny, [1])
    found = project(target, tiny, SHORT, perceptual=vgg, folder=tmp_path)
    found.save(tmp_path / "found.safetensors")
    tensors, card = cards.read(tmp_path / "found.safetensors", result.KIND)
    assert "code.ws" in tensors
    for phase in card["settings"]["phases"]:
        phase["side"] = phase.pop("resolution")
    cards.write(tmp_path / "found.safetensors", result.KIND, tensors, card)
    assert Projection.load(tmp_path / "found.safetensors").settings == SHORT
    (state,) = tmp_path.glob("search-*")
    tensors, card_of_state = cards.read(state, search.KIND)
    card_of_state["key"]["settings"] = card["settings"]
    cards.write(state, search.KIND, tensors, card_of_state)
    again = Projector(target, tiny, SHORT, perceptual=vgg, folder=tmp_path)
    (step,) = again.steps()
    assert (step.images, step.done, step.total) == ((), 10, 10)
    assert torch.equal(again.result().latents["ws"], found.latents["ws"])


@pytest.mark.weights
def test_a_folder_of_another_run_is_refused(tiny, vgg, tmp_path):
    _, target = pictures_of(tiny, [1])
    project(target, tiny, SHORT, perceptual=vgg, folder=tmp_path)
    with pytest.raises(UserError, match="the state of a run whose settings.seed is 0, not 3;"):
        project(target, tiny, replace(SHORT, seed=3), perceptual=vgg, folder=tmp_path)
    project(-target, tiny, SHORT, perceptual=vgg, folder=tmp_path)  # of another picture: another file
    assert len(list(tmp_path.glob("search-*"))) == 2
    for path in tmp_path.glob("search-*"):
        path.write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match="cannot read"):
        project(target, tiny, SHORT, perceptual=vgg, folder=tmp_path)
