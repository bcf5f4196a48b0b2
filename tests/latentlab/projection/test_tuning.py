"""Pivotal tuning on the tiny generator: the formula, the gain, what it does to others, resuming a killed run."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from latentlab import cards
from latentlab.errors import UserError
from latentlab.images import luma, reduce
from latentlab.perceptual import Pyramid, masked_mean
from latentlab.projection import tuning
from latentlab.projection.deltas import WeightDelta, changed_weights
from latentlab.projection.descent import KIND, Descent, no_change, tunable_weights
from latentlab.projection.drift import measure_drift
from latentlab.projection.inputs import MaskedImages
from latentlab.projection.mesh import mesh
from latentlab.projection.settings import DEFAULTS, FAST_REFINEMENT, PTI, REFINEMENT, TuningSettings
from latentlab.projection.tuning import Tuner, neighbour, tune
from stylegan2.sampling import z_from_seeds
from tests.conftest import make_tiny, stage_with
from tests.latentlab.projection.interrupted import kill_at

QUICK = TuningSettings(
    rank=2,
    last_block=True,
    steps=12,
    resolution=16,
    learning_rate=0.01,
    stop_at=0,
    locality_weight=0,
    drift_seeds=(5, 6),
)


class EdgeDistance:
    """Squared differences of neighbouring pixels' differences: a perceptual distance small enough for 16 pixels."""

    def autocast(self) -> nullcontext[None]:
        return nullcontext()

    def pyramid(self, pictures: Tensor) -> Pyramid:
        return Pyramid((pictures, pictures - pictures.roll(1, 2), pictures - pictures.roll(1, 3)))

    def __call__(self, pictures: Tensor, target: Tensor | Pyramid, mask: Tensor | None = None) -> Tensor:
        other = target if isinstance(target, Pyramid) else self.pyramid(target)
        pairs = zip(self.pyramid(pictures).layers, other.layers, strict=True)
        return sum(masked_mean((a - b).square(), mask) for a, b in pairs)


def inputs(n: int = 1) -> tuple[Tensor, Tensor]:
    """Pictures that the tiny generator does not make, and the codes it makes something near them of."""
    generator, rng = make_tiny(), torch.Generator().manual_seed(11)
    ws = generator.mapping(torch.randn(n, generator.z_dim, generator=rng))
    pictures = generator.synthesis(ws).tanh() + 0.2 * torch.randn(n, 3, 1, 1, generator=rng)
    return pictures.clamp(-1, 1), ws


def test_the_tuned_picture_is_nearer_and_the_figures_are_those_of_the_delta(tiny, tmp_path):
    pictures, ws = inputs()
    tuned = tune(pictures, ws, tiny, EdgeDistance(), QUICK)
    assert tuned.lpips[0] < 0.5 * tuned.before[0]
    tuned.delta.save(tmp_path / "delta.safetensors")
    rendered = WeightDelta.load(tmp_path / "delta.safetensors").apply(tiny).synthesis(ws)
    torch.testing.assert_close(EdgeDistance()(rendered, pictures), tuned.lpips)
    torch.testing.assert_close((rendered - pictures).square().mean().reshape(1), tuned.mse)
    assert tuned.delta.figures["lpips"] == tuned.lpips.tolist()
    assert tuned.delta.settings["rank"] == 2


def test_one_step_is_the_formula(tiny):
    """Adam's first step is the sign of the gradient: of LPIPS + MSE, and of both at a neighbour of the pivot."""
    settings = replace(QUICK, steps=1, rampup=0, rampdown=0, locality_weight=0.3, pixel_weight=2.0, rank=None)
    settings = replace(settings, relative=False, learning_rate=1e-2)
    pictures, ws = inputs()
    distance, originals = EdgeDistance(), tunable_weights(tiny, affines=False)
    changes = {name: value.requires_grad_() for name, value in no_change(originals, settings).items()}
    changed = changed_weights(originals, changes)

    def loss(ws: Tensor, target: Tensor) -> Tensor:
        rendered = torch.func.functional_call(tiny.synthesis, changed, (ws,))
        return distance(rendered, target).sum() + 2.0 * (rendered - target).square().mean()

    near = neighbour(ws, tiny, settings.locality_distance, settings.locality_psi, (settings.seed, 0))
    total = loss(ws, pictures) + 0.3 * loss(near, tiny.synthesis(near))
    total.backward()

    tuner = Tuner(pictures, ws, tiny, distance, settings)
    (step,) = tuner.steps()
    tuned = tuner.result()
    assert step.loss == pytest.approx(total.item(), rel=1e-5)
    for name, value in changes.items():
        large = value.grad.abs() > 1e-4 * value.grad.abs().max()  # elsewhere rounding decides about the sign
        expected = (-0.01 * value.grad.sign()).half()
        torch.testing.assert_close(tuned.delta.tensors[name][large], expected[large], rtol=1e-2, atol=0)


def test_a_neighbour_lies_at_the_distance_on_the_way_to_a_truncated_code(tiny):
    _, ws = inputs()
    near = neighbour(ws, tiny, 30.0, 0.0, (0, 0))  # at psi 0 every code is w_avg
    way = tiny.w_avg - ws
    torch.testing.assert_close(near, ws + 30 * way / way.square().sum().sqrt())


def test_a_generator_in_training_is_left_alone():
    generator = make_tiny().requires_grad_(True)
    pictures, ws = inputs()
    tune(pictures, ws, generator, EdgeDistance(), replace(QUICK, steps=2, locality_weight=0.1))
    assert all(weight.grad is None for weight in generator.parameters())
    assert generator.fingerprint == make_tiny().fingerprint


def test_the_learning_rate_rises_and_falls():
    settings = TuningSettings(steps=10, learning_rate=2.0, rampup=0.2, rampdown=0.5)
    rates = [settings.learning_rate * settings.ramp_at(step) for step in range(10)]
    assert rates[:6] == pytest.approx([1, 2, 2, 2, 2, 2])
    assert rates[6:] == sorted(rates[6:], reverse=True) and 0 < rates[9] < 0.3
    assert [PTI.learning_rate * PTI.ramp_at(step) for step in (0, 100, 349)] == pytest.approx([3e-4] * 3)


def test_relative_rates_change_large_and_small_weights_by_the_same_share():
    originals = {"large": torch.full((4,), 50.0), "small": torch.full((4,), -0.01), "none": torch.zeros(4)}
    state = Descent(originals, replace(QUICK, rank=None, rampup=0, rampdown=0))
    for value in state.tensors.values():
        value.grad = torch.ones_like(value)
    state.descend()
    for name, value in state.values().items():
        torch.testing.assert_close(value, -0.01 * originals[name].abs())


def test_several_pictures_share_one_delta(tiny):
    pictures, ws = inputs(3)
    tuned = tune(pictures, ws, tiny, EdgeDistance(), replace(QUICK, steps=20))
    assert (tuned.lpips < 0.8 * tuned.before).all()


def test_the_size_of_batches_does_not_matter(tiny):
    pictures, ws = inputs(3)
    settings = replace(QUICK, steps=3, locality_weight=0.1)
    tuners = [Tuner(pictures, ws, tiny, EdgeDistance(), settings, batch_size=size) for size in (1, 3)]
    for tuner in tuners:
        assert len(list(tuner.steps())) == 3
    one, all_at_once = (tuner.result() for tuner in tuners)
    torch.testing.assert_close(one.lpips, all_at_once.lpips, rtol=1e-3, atol=1e-5)


def test_where_memory_runs_out_batches_are_halved(tiny):
    pictures, ws = inputs(4)
    settings = replace(QUICK, steps=3)
    wanted = tune(pictures, ws, tiny, EdgeDistance(), settings)
    generator, rendered = make_tiny(), []

    def hold_few_images(synthesis, inputs):
        if len(inputs[0]) > (2 if len(rendered) < 3 else 1):  # as if another program took some of the memory
            raise torch.OutOfMemoryError(f"CUDA out of memory: {len(inputs[0])} images")
        rendered.append(len(inputs[0]))

    generator.synthesis.register_forward_pre_hook(hold_few_images)
    with pytest.warns(UserWarning, match="not enough memory for 2 images .* going on with 1"):
        found = tune(pictures, ws, generator, EdgeDistance(), settings)
    torch.testing.assert_close(found.lpips, wanted.lpips, rtol=1e-3, atol=1e-5)
    assert rendered[:3] == [2, 2, 2] and rendered[-1] == 1


def test_a_step_can_take_some_of_the_images_in_turns(tiny):
    pictures, ws = inputs(5)
    some = replace(QUICK, steps=10, images_per_step=2, stop_at=1e9)
    tuner = Tuner(pictures, ws, tiny, EdgeDistance(), some)
    batches = [tuner._batches_at(step) for step in range(10)]
    order = sum(batches, [])
    assert sorted(order[:5]) == sorted(order[5:10]) == list(range(5)) and order[:5] != order[5:10]
    assert [len(step.distances) for step in tuner.steps()] == [2] * 10  # it does not stop by those that it sees
    tuned = tuner.result()
    assert tuned.lpips.shape == (5,) and (tuned.lpips < tuned.before).all()
    # Taken all at once, they are what they were.
    every = tune(pictures, ws, tiny, EdgeDistance(), replace(QUICK, images_per_step=5))
    assert every.delta.figures["lpips"] == pytest.approx(
        tune(pictures, ws, tiny, EdgeDistance(), QUICK).delta.figures["lpips"], rel=1e-3
    )
    with pytest.raises(UserError, match="1 image"):
        replace(QUICK, images_per_step=0)


def test_it_stops_when_it_is_near_enough(tiny):
    pictures, ws = inputs()
    calls = []
    progress = stage_with(lambda *call: calls.append(call))
    whole = tune(pictures, ws, tiny, EdgeDistance(), QUICK, progress=progress)
    assert whole.steps == 12
    assert [call[:2] for call in calls] == [(step, 12) for step in range(1, 13)]
    steps = list(Tuner(pictures, ws, tiny, EdgeDistance(), QUICK).steps())
    assert [step.step for step in steps] == list(range(1, 13))
    assert [call[2] for call in calls] == [f"LPIPS {step.distances[0]:.3f}" for step in steps]
    stopped = tune(pictures, ws, tiny, EdgeDistance(), replace(QUICK, stop_at=steps[5].distances[0]))
    assert stopped.steps == 5


def test_only_what_the_mask_shows_counts(tiny):
    pictures, ws = inputs()
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 4:12] = 1
    other = pictures.clone()
    other[..., :3] = 1  # outside, and further away than the edges reach
    one, two = (tune(MaskedImages(x, mask), ws, tiny, EdgeDistance(), QUICK) for x in (pictures, other))
    assert all(torch.equal(two.delta.tensors[name], value) for name, value in one.delta.tensors.items())


def test_noise_maps_of_the_pictures_are_rendered(tiny):
    pictures, ws = inputs(2)
    maps = {"b16.conv1.noise_const": torch.randn(2, 1, 16, 16)}
    rendered = torch.func.functional_call(tiny.synthesis, maps, (ws,))
    for size in (1, 2):
        tuner = Tuner(pictures, ws, tiny, EdgeDistance(), replace(QUICK, steps=0), maps, size)
        torch.testing.assert_close(tuner.result().before, EdgeDistance()(rendered, pictures))


def test_no_change_has_no_drift_and_a_change_has_one(tiny):
    pictures, ws = inputs()
    still = tune(pictures, ws, tiny, EdgeDistance(), replace(QUICK, steps=0))
    assert still.drift.figures() == dict.fromkeys(still.drift.figures(), 0.0)
    tuned = tune(pictures, ws, tiny, EdgeDistance(), QUICK)
    figures = tuned.drift.figures()
    assert 0 < figures["drift_lpips_mean"] <= figures["drift_lpips_largest"]
    a, b = (g.synthesis(tiny.mapping(z_from_seeds(5, tiny.z_dim), psi=0.7)) for g in (tiny, tuned.generator))
    drift = measure_drift(tiny, tuned.generator, EdgeDistance(), (5,), 0.7, 16)
    assert float(drift.rms) == pytest.approx(float((a - b).square().mean().sqrt()) * 127.5, rel=1e-5)


def test_locality_holds_others_in_place(tiny):
    pictures, ws = inputs()
    settings = replace(QUICK, steps=20)
    free, held = (tune(pictures, ws, tiny, EdgeDistance(), replace(settings, locality_weight=x)) for x in (0, 3.0))
    assert held.drift.lpips.mean() < 0.9 * free.drift.lpips.mean()


_KILLED = """
import sys
from tests.latentlab.projection import test_tuning as t
from latentlab.projection import tuning

tuning.SAVE_SECONDS = -1.0  # after every step
images, ws = t.inputs(2)
for step in t.Tuner(images, ws, t.make_tiny(), t.EdgeDistance(), t.RESUMED, folder=sys.argv[1]).steps():
    print(step.step, flush=True)
    if step.step == 4:
        sys.stdin.read()  # until it is killed
"""
RESUMED = replace(QUICK, steps=8, locality_weight=0.1)


def test_a_killed_run_goes_on_to_the_same_result(tiny, tmp_path):
    kill_at(_KILLED, tmp_path, "4")
    images, ws = inputs(2)
    tuner = Tuner(images, ws, tiny, EdgeDistance(), RESUMED, folder=tmp_path)
    assert [step.step for step in tuner.steps()] == list(range(5, 9))
    resumed, straight = tuner.result(), tune(images, ws, tiny, EdgeDistance(), RESUMED)
    assert all(torch.equal(resumed.delta.tensors[name], value) for name, value in straight.delta.tensors.items())
    assert resumed.delta.figures == straight.delta.figures


def test_the_state_of_an_earlier_version_is_read(tiny, tmp_path):
    images, ws = inputs()
    steps = iter(Tuner(images, ws, tiny, EdgeDistance(), RESUMED, folder=tmp_path).steps())
    tuning_state = tmp_path / tuning.STATE
    for _ in steps:
        pass
    tensors, card = cards.read(tuning_state, KIND)
    card["key"]["settings"]["side"] = card["key"]["settings"].pop("resolution")
    card["key"]["pictures, codes, noise or mask"] = card["key"].pop("images, latents, noise or mask")
    cards.write(tuning_state, KIND, tensors, card)
    assert list(Tuner(images, ws, tiny, EdgeDistance(), RESUMED, folder=tmp_path).steps()) == []


def test_a_folder_of_another_run_is_refused(tiny, tmp_path):
    pictures, ws = inputs()
    settings = replace(QUICK, steps=1)
    tune(pictures, ws, tiny, EdgeDistance(), settings, folder=tmp_path)
    with pytest.raises(UserError, match="the state of a run whose settings.steps is 1, not 2; ask for the same"):
        tune(pictures, ws, tiny, EdgeDistance(), replace(settings, steps=2), folder=tmp_path)
    with pytest.raises(UserError, match="whose images, latents, noise or mask is"):
        tune(-pictures, ws, tiny, EdgeDistance(), settings, folder=tmp_path)
    (tmp_path / tuning.STATE).write_bytes(b"broken")
    with pytest.raises(UserError, match="cannot read"):
        tune(pictures, ws, tiny, EdgeDistance(), settings, folder=tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ws": torch.zeros(2, 6, 32)}, "latents must be"),
        ({"images": torch.zeros(1, 3, 16, 8)}, "are 16×8, which is another shape"),
        ({"images": torch.full((1, 3, 16, 16), float("nan"))}, "not finite"),
        ({"mask": torch.zeros(1, 1, 16, 16)}, "not be 0 everywhere"),
        ({"mask": torch.ones(1, 1, 8, 8)}, "mask must be"),
        ({"noise": {"b8.conv0.noise_const": torch.zeros(1, 8, 8)}}, "no noise map"),
        ({"settings": replace(QUICK, learning_rate=1e30, steps=3)}, "lower"),
    ],
)
def test_bad_input_is_refused(tiny, change, words):
    images, ws = inputs()
    arguments = {"images": images, "ws": ws, "generator": tiny, "perceptual": EdgeDistance()} | change
    mask = arguments.pop("mask", None)
    with pytest.raises(UserError, match=words):
        tune(**(arguments if mask is None else arguments | {"images": MaskedImages(images, mask)}))


def test_an_empty_batch_is_refused(tiny):
    images, ws = inputs()
    with pytest.raises(UserError, match="batch_size"):
        Tuner(images, ws, tiny, EdgeDistance(), batch_size=0)


def test_bad_settings_are_refused():
    for change in (
        {"rank": 0},
        {"steps": -1},
        {"learning_rate": 0},
        {"rampup": 2},
        {"drift_seeds": ()},
    ):
        with pytest.raises(UserError):
            TuningSettings(**change)


# --- features -----------------------------------------------------------------------------------------------

REFINED = replace(QUICK, weights=False, features=8, feature_rate=0.1)


def test_a_residual_of_features_brings_the_image_nearer_and_leaves_the_weights(tiny, tmp_path):
    pictures, ws = inputs()
    refined = tune(pictures, ws, tiny, EdgeDistance(), REFINED)
    assert refined.lpips[0] < 0.8 * refined.before[0]
    assert set(refined.delta.tensors) == {"b8.residual", "b8.reference"} and refined.delta.refined == 8
    refined.delta.save(tmp_path / "delta.safetensors")
    again = WeightDelta.load(tmp_path / "delta.safetensors").apply(tiny)
    torch.testing.assert_close(EdgeDistance()(again.synthesis(ws), pictures), refined.lpips)
    assert not torch.equal(again.synthesis(ws), tiny.synthesis(ws)), "the original has no residual"


def test_features_and_weights_change_together(tiny):
    pictures, ws = inputs()
    both = tune(pictures, ws, tiny, EdgeDistance(), replace(REFINED, weights=True))
    names = set(both.delta.tensors)
    assert "b8.residual" in names and len(names) > 1
    one = tune(pictures, ws, tiny, EdgeDistance(), REFINED)
    assert both.lpips[0] < one.lpips[0]


def features_before_16(generator, ws: Tensor) -> Tensor:
    seen: list[Tensor] = []
    handle = generator.synthesis.b16.register_forward_pre_hook(lambda block, given: seen.append(given[0]))
    generator.synthesis(ws)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("away", [0.0, 0.3, 1.0, 10.0])
def test_a_residual_is_kept_where_an_edit_leaves_the_features_and_goes_where_it_moves_them(tiny, away):
    """All features are `away` from the reference, in its root mean squares: 1 / (1 + (away / 0.8)⁴) is left."""
    pictures, ws = inputs()
    delta = tune(pictures, ws, tiny, EdgeDistance(), REFINED).delta
    plain, added = features_before_16(tiny, ws), delta.tensors["b8.residual"].float()
    torch.testing.assert_close(delta.tensors["b8.reference"].float(), plain, atol=2e-3, rtol=2e-3)
    # A reference of this root mean square, from which all features differ by as much.
    shift = away * plain.square().mean().sqrt()
    reference = plain + shift * torch.where(plain.cumsum(1) > 0, -1.0, 1.0)
    share = shift / reference.square().mean().sqrt()
    moved = WeightDelta(delta.tensors | {"b8.reference": reference}, delta.generator)
    left = features_before_16(moved.apply(tiny), ws) - plain
    torch.testing.assert_close(left, added / (1 + (share / 0.8) ** 4), atol=1e-2, rtol=1e-2)


def test_a_penalty_holds_the_residual_back(tiny):
    pictures, ws = inputs()
    sizes = [
        tune(pictures, ws, tiny, EdgeDistance(), replace(REFINED, feature_penalty=penalty))
        .delta.tensors["b8.residual"]
        .float()
        .square()
        .mean()
        for penalty in (0.0, 10.0)
    ]
    assert sizes[1] < 0.5 * sizes[0]


def test_the_last_block_can_be_left_as_it_is(tiny):
    every, fewer = (set(tunable_weights(tiny, last_block=last)) for last in (True, False))
    assert fewer < every and {name.partition(".")[0] for name in every - fewer} == {"b16"}


@pytest.mark.parametrize(("seen", "changes"), [(8, False), (16, True)])
def test_the_last_block_changes_where_the_comparison_sees_all_of_it(tiny, seen, changes):
    pictures, ws = inputs(1)
    tuned = tune(pictures, ws, tiny, EdgeDistance(), TuningSettings(steps=1, resolution=seen))
    assert any(name.startswith("b16.") for name in tuned.delta.tensors) == changes


def test_by_default_a_tuning_holds_the_mesh_down_and_leaves_the_last_block():
    for settings in (TuningSettings(), REFINEMENT, FAST_REFINEMENT):
        assert settings.mesh_weight == DEFAULTS["w+"].mesh_weight == 30 and not settings.last_block
    assert PTI.mesh_weight == 0 and PTI.last_block, "which is as published"


def test_features_that_are_not_there_are_refused(tiny):
    pictures, ws = inputs()
    with pytest.raises(UserError, match="has no features of 64 pixels to refine"):
        tune(pictures, ws, tiny, EdgeDistance(), replace(REFINED, features=64))
    with pytest.raises(UserError, match="one image at a time, not for 2"):
        tune(*inputs(2), tiny, EdgeDistance(), REFINED)
    with pytest.raises(UserError, match="weights, features, or both"):
        replace(QUICK, weights=False)


@pytest.mark.parametrize("changes", ["weights", "features"])
def test_the_loss_of_a_tuning_of_weights_sees_colours_and_a_weave_of_two_cells(tiny, changes):
    pictures, ws = inputs()
    settings = replace(QUICK, resolution=8, mesh_weight=30.0, pixel_weight=2.0)
    if changes == "features":
        settings = replace(settings, weights=False, features=8, feature_penalty=0.0)
    step = next(Tuner(pictures, ws, tiny, EdgeDistance(), settings).steps())
    rendered = tiny.synthesis(ws).detach()
    error = (reduce(rendered, 8) - reduce(pictures, 8)).square().mean()
    pattern = mesh(rendered, 4) if changes == "weights" else mesh(luma(rendered), 2)
    assert step.loss == pytest.approx(float(step.distances[0] + 2.0 * error + 30.0 * pattern), rel=1e-4)


def test_a_mesh_weight_holds_the_mesh_back(tiny):
    """Compared at half the resolution, the pixels of a cell are free."""
    pictures, ws = inputs()
    found = [
        tune(pictures, ws, tiny, EdgeDistance(), replace(QUICK, resolution=8, steps=30, mesh_weight=weight))
        for weight in (0.0, 100.0)
    ]
    meshes = [float(mesh(one.generator.synthesis(ws), 2)) for one in found]
    assert meshes[1] < 0.5 * meshes[0] and found[1].lpips[0] < 0.7 * found[1].before[0]
