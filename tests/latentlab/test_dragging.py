"""Dragging: on features that are known to move, where the end is known; and on real networks, tiny ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import latentlab
from latentlab.dragging import DragSettings, drag, steps
from latentlab.dragging.features import InnerFeatures, sample
from latentlab.dragging.tracking import Tracker
from latentlab.errors import UserError
from latentlab.mapping import OneClass
from latentlab.projection import TunedGenerator, WeightDelta
from latentlab.projection.features import features_of, reference_name, residual_name, with_residual
from stylegan2 import Generator, StyleGANConfig, StyleGANGenerator, optimize
from stylegan2.progressive import ProgressiveConfig, ProgressiveGenerator
from tests.conftest import TINY, make_tiny, stage_with
from tests.pretended import check_alike, make_mobile, on_cuda

DEFAULTS = DragSettings()
SHORT = DragSettings(steps=4, arrived=0)


# --- features that are known to move ------------------------------------------------------------------------


def blob(places: Tensor, centre: Tensor) -> Tensor:
    """Features `(1, 6, r, r)` of a blob around a centre `(2,)`: bumps at six places of it, in units."""
    around = torch.tensor([[0.0, 0], [14, 0], [-14, 0], [0, 14], [0, -14], [9, 9]])
    distances = (places[..., None, :] - centre - around).square().sum(dim=-1)  # (r, r, 6)
    return torch.exp(-distances / (2 * 10**2)).permute(2, 0, 1)[None]


def places_of(resolution: int) -> Tensor:
    """Centres `(r, r, 2)` of the pixels, in units."""
    line = (torch.arange(resolution) + 0.5) * (256 / resolution)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1)


class BlobBlock(nn.Module):
    """The blob, moved 10 units for 1 of w's first two numbers, and another to its right; the third moves both."""

    def forward(self, ws: Tensor) -> Tensor:
        places = places_of(64)
        right = blob(places, torch.tensor([88.0, 128.0]) + 10 * ws[0, 0, :2] + 10 * ws[0, 0, 2:3])
        return torch.cat([right, blob(places, torch.tensor([188.0, 128.0]) + 10 * ws[0, 0, 2:3])], dim=1)


class BlobSynthesis(nn.Module):
    def __init__(self):
        super().__init__()
        self.b64 = BlobBlock()

    def forward(self, ws, noise_mode="const", rng=None, resolution=None):
        return self.b64(ws).mean(dim=1, keepdim=True).repeat(1, 3, 4, 4)


class BlobGenerator:
    """A generator whose image is the blobs: the fourth number of w, which no image has, would move nothing."""

    z_dim = w_dim = 4
    c_dim, num_ws, resolution, resolutions, fingerprint = 0, 3, 512, (512,), "blobs"

    def __init__(self):
        self.w_avg, self.synthesis = torch.zeros(4), BlobSynthesis()

    def mapping(self, z, c=None, psi=1.0, cutoff=None):
        return (z * torch.tensor([1.0, 1, 1, 0]))[:, None].repeat(1, 3, 1)


@pytest.fixture(scope="module")
def blobs():
    return BlobGenerator()


def test_a_blob_arrives_where_it_is_dragged(blobs):
    found = drag(torch.zeros(1, 3, 4), [[176, 256]], [[236, 216]], blobs, progress=False)
    assert found.arrived and found.steps < DEFAULTS.steps
    # 60 and -40 pixels of 512 are 30 and -20 units, which are 3 and -2 of w; its third number adds to both.
    w = found.ws[0, 0]
    torch.testing.assert_close(w[:2] + w[2], torch.tensor([3.0, -2.0]), rtol=0, atol=0.08)
    torch.testing.assert_close(found.points, torch.tensor([[236.0, 216.0]]), rtol=0, atol=1.0)
    assert found.distances.shape == (found.steps + 1, 1)
    assert float(found.distances[0]) == pytest.approx((60**2 + 40**2) ** 0.5)


def test_what_no_image_varies_in_is_left_alone(blobs):
    found = drag(torch.zeros(1, 3, 4), [[176, 256]], [[216, 256]], blobs, progress=False)
    assert float(found.ws[..., 3].abs().max()) == 0


def test_points_that_are_held_stay(blobs):
    """The blob to the right can be held, for the first number of w moves the left one alone."""
    points, targets = [[176, 256], [376, 256]], [[216, 256], [376, 256]]
    free = drag(torch.zeros(1, 3, 4), points[:1], targets[:1], blobs, progress=False)
    held = drag(torch.zeros(1, 3, 4), points, targets, blobs, progress=False)
    assert held.arrived
    assert abs(float(held.ws[0, 0, 2])) < 0.12 < abs(float(free.ws[0, 0, 2]))


def test_outside_of_the_mask_less_moves(blobs):
    mask = torch.zeros(512, 512)
    mask[:, :256] = 1
    ends = [
        drag(torch.zeros(1, 3, 4), [[176, 256]], [[216, 256]], blobs, mask=one, progress=False)
        for one in (None, mask, mask[None], mask[None, None])
    ]
    assert all(end.arrived for end in ends)
    free, *masked = (abs(float(end.ws[0, 0, 2])) for end in ends)
    assert max(masked) < 0.6 * free and len(set(masked)) == 1


def test_a_point_that_is_there_already_takes_no_step(blobs):
    ws = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0))
    found = drag(ws, [[100, 100]], [[100, 100]], blobs, progress=False)
    assert found.arrived and found.steps == 0 and torch.equal(found.ws, ws)


def test_steps_are_told_as_they_are_taken(blobs):
    told = []
    found = drag(
        torch.zeros(1, 3, 4), [[176, 256]], [[216, 256]], blobs, progress=stage_with(lambda *step: told.append(step))
    )
    assert [step[0] for step in told] == list(range(found.steps + 1))
    assert told[0][1:] == (DEFAULTS.steps, "40.0 px left")


# --- tracking -----------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    x=st.floats(0, 256), y=st.floats(0, 256), dx=st.floats(-5, 5), dy=st.floats(-5, 5), ways=st.sampled_from([-1, 1])
)
def test_a_point_is_found_again_where_it_went(x, y, dx, dy, ways):
    """To a part of a unit, where the blob around it went along with it; and never outside of the image."""
    point, shift = torch.tensor([[x, y]]), torch.tensor([[dx, dy]])
    places = places_of(64)
    tracker = Tracker(blob(places, point[0]), point, point + ways * 3 * shift, replace(DEFAULTS, line_weight=0.0))
    found = tracker(blob(places, point[0] + shift[0]), point)
    assert float(found.min()) >= 0 and float(found.max()) <= 256
    if (point + shift).min() > 24 and (point + shift).max() < 232 and point.min() > 24 and point.max() < 232:
        assert float((found - point - shift).norm()) < 0.75


def test_a_point_without_features_around_stays():
    features = torch.zeros(1, 3, 16, 16)
    point = torch.tensor([[128.0, 128.0], [0.0, 256.0]])
    assert torch.equal(Tracker(features, point, point + 10, DEFAULTS)(features, point), point)


def test_features_are_sampled_where_their_pixels_are():
    features = places_of(32).permute(2, 0, 1)[None]  # every pixel says where it is
    places = torch.tensor([[[4.0, 4.0], [100.0, 57.25], [252.0, 128.0]]])
    torch.testing.assert_close(sample(features, places), places, rtol=0, atol=1e-3)
    beyond = sample(features, torch.tensor([[[-50.0, 300.0]]]))
    torch.testing.assert_close(beyond, torch.tensor([[[4.0, 252.0]]]), rtol=0, atol=1e-3)


# --- real networks ------------------------------------------------------------------------------------------


def make_stylegan() -> StyleGANGenerator:
    config = StyleGANConfig(16, z_dim=8, w_dim=8, hidden_dim=8, mapping_layers=2, channel_base=64, channel_max=8)
    rng, network = torch.Generator().manual_seed(3), StyleGANGenerator(config).eval().requires_grad_(False)
    for value in network.state_dict().values():
        value.add_(0.5 * torch.randn(value.shape, generator=rng))
    return network


def make_tuned(network: Generator) -> TunedGenerator:
    """A network with a weight of the dragged features changed, as tuning on a photo does."""
    weights = {name: 0.1 * torch.ones_like(value) for name, value in network.synthesis.named_parameters()}
    name = next(name for name in weights if name.startswith("b8.") and name.endswith("weight"))
    return TunedGenerator(network, WeightDelta({name: weights[name]}, network.fingerprint, {}, {}))


def make_refined(network: Generator) -> TunedGenerator:
    """A network with a residual on features before the dragged ones, as refining them on a photo gives it."""
    reference = features_of(network.synthesis, ws_of(network), 8, {})
    residual = 0.4 * torch.randn(reference.shape, generator=torch.Generator().manual_seed(2))
    tensors = {residual_name(8): residual, reference_name(8): reference}
    return TunedGenerator(network, WeightDelta(tensors, network.fingerprint, {}, {}))


NETWORKS = {"stylegan2": make_tiny, "stylegan": make_stylegan, "mobile": make_mobile}
NETWORKS["optimised"] = lambda: optimize(make_tiny())
NETWORKS["tuned"] = lambda: make_tuned(make_tiny())
NETWORKS["refined"] = lambda: make_refined(make_tiny())
NETWORKS["of one class"] = lambda: OneClass(make_tiny(replace(TINY, c_dim=3)), 1)


@pytest.fixture(params=list(NETWORKS))
def network(request):
    return NETWORKS[request.param]()


def ws_of(network, seed: int = 0) -> Tensor:
    z = torch.randn(1, network.z_dim, generator=torch.Generator().manual_seed(seed))
    return network.mapping(z)


def test_networks_of_all_kinds_are_dragged_to_the_same_bits_each_time(network):
    side = network.resolution
    chosen, ws = replace(SHORT, rows=2), ws_of(network)
    points, targets = [[side / 3, side / 2], [side / 2, side / 2]], [[side / 2, side / 2], [side / 2, side / 3]]
    before = network.synthesis(ws)
    first = drag(ws, points, targets, network, chosen, progress=False)
    again = drag(ws, np.array(points), torch.tensor(targets), network, chosen, progress=False)
    assert torch.equal(first.ws, again.ws) and torch.equal(first.distances, again.distances)
    assert first.ws.isfinite().all() and not first.ws.requires_grad
    assert not torch.equal(first.ws[:, :2], ws[:, :2]) and torch.equal(first.ws[:, 2:], ws[:, 2:])
    assert torch.equal(network.synthesis(ws), before)  # neither the network nor ws was changed


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_it_works_without_gradients_around(tiny, mode):
    ws = ws_of(tiny)
    wanted = drag(ws, [[4, 4]], [[8, 8]], tiny, SHORT, progress=False)
    with mode():
        found = drag(ws_of(tiny), [[4, 4]], [[8, 8]], tiny, SHORT, torch.ones(16, 16), progress=False)
        assert not torch.is_grad_enabled()
    torch.testing.assert_close(found.ws, wanted.ws, rtol=0, atol=1e-4)


def test_other_defaults_of_torch_change_nothing(tiny):
    ws = ws_of(tiny)
    wanted = drag(ws, [[4, 4]], [[8, 8]], tiny, SHORT, progress=False)
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        found = drag(ws, [[4, 4]], [[8, 8]], tiny, SHORT, progress=False)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert torch.equal(found.ws, wanted.ws)


def test_steps_are_previewed_and_may_be_left():
    network = make_mobile()
    preview, full = network.resolutions
    ws = ws_of(network)
    taken = steps(ws, [[20, 20]], [[30, 20]], network, SHORT, preview=preview)
    first, second = next(taken), next(taken)
    taken.close()
    assert (first.done, second.done, first.total) == (0, 1, 4) and torch.equal(first.ws, ws)
    assert float(first.distances) == pytest.approx(10, rel=1e-4) and not first.arrived
    for step in (first, second):
        assert step.image.shape == (1, 3, preview, preview)
        assert torch.equal(step.image, network.synthesis(step.ws, resolution=preview))
    whole = list(steps(ws, [[20, 20]], [[30, 20]], network, SHORT))
    assert [step.done for step in whole] == [0, 1, 2, 3, 4] and whole[0].image is None
    assert torch.equal(whole[1].ws, second.ws)
    with pytest.raises(UserError, match="renders at"):
        steps(ws, [[20, 20]], [[30, 20]], network, SHORT, preview=full + 1)


def test_features_are_the_finest_up_to_the_wanted_ones(tiny):
    ws = ws_of(tiny)
    for wanted, found in ((64, 16), (16, 16), (9, 8), (4, 4)):
        features = InnerFeatures(tiny, wanted)
        assert features.resolution == found and features(ws).shape[-1] == found


@pytest.mark.parametrize("resolution", [8, 16])
def test_features_have_the_residual_that_the_image_has(tiny, resolution):
    refined, ws = make_refined(tiny), ws_of(tiny)
    shown = features_of(refined.synthesis, ws, resolution, {})
    alike = torch.nn.functional.cosine_similarity
    found, bare = (InnerFeatures(one, resolution)(ws).flatten(2) for one in (refined, tiny))
    torch.testing.assert_close(alike(found, shown.flatten(2), dim=2), torch.ones(found.shape[:2]))
    assert float(alike(bare, shown.flatten(2), dim=2).min()) < 0.99


def test_a_residual_whose_features_have_not_moved_at_all_is_dragged():
    """Where the distance to the reference is 0, its root has no finite slope."""
    network = make_tiny()
    ws = ws_of(network)
    reference = features_of(network.synthesis, ws, 8, {})
    network.synthesis = with_residual(network.synthesis, 8, fades=True)
    network.synthesis.b8.residual.fill_(0.1)
    network.synthesis.b8.reference.copy_(reference)
    found = drag(ws, [[4, 4]], [[8, 8]], network, SHORT, progress=False)
    assert found.ws.isfinite().all() and not torch.equal(found.ws, ws)


@pytest.mark.usefixtures("cuda")
def test_a_gpu_drags_as_the_cpu_does():
    here = make_mobile()
    there, ws, mask = on_cuda(here), ws_of(here), torch.ones(here.resolution, here.resolution)
    mask[:4] = 0
    wanted = drag(ws, [[20, 20]], [[30, 20]], here, SHORT, mask, progress=False)
    for latent, area in ((on_cuda(ws), on_cuda(mask)), (ws, mask)):
        found = drag(latent, [[20, 20]], [[30, 20]], there, SHORT, area, progress=False)
        check_alike([found.ws, found.points, found.distances], [wanted.ws, wanted.points, wanted.distances], 1e-3)


# --- what is refused ----------------------------------------------------------------------------------------

WS, POINTS, TARGETS = torch.zeros(1, TINY.num_ws, 32), [[4, 4]], [[8, 8]]
NAN = float("nan")


@pytest.mark.parametrize(
    ("ws", "points", "targets", "mask", "message"),
    [
        (WS, [], [], None, r"points are one or more pairs"),
        (WS, [4, 4], TARGETS, None, r"points are one or more pairs \(x, y\), of shape \(n, 2\), not \(2,\)"),
        (WS, [[4, 4], [5]], TARGETS, None, "points are pairs"),
        (WS, "4,4", TARGETS, None, "points are pairs"),
        (WS, None, TARGETS, None, "points are one or more pairs"),
        (WS, POINTS, [[8, 8], [9, 9]], None, "1 points and 2 targets"),
        (
            WS,
            [[16.5, 4]],
            TARGETS,
            None,
            r"points must lie in the image, 0 … 16 in both .*unlike \(16.5, 4\)",
        ),
        (WS, POINTS, [[8, -1]], None, "targets must lie in the image"),
        (WS, [[NAN, 4]], TARGETS, None, r"unlike \(nan, 4\)"),
        (WS, POINTS, [[float("inf"), 8]], None, r"unlike \(inf, 8\)"),
        (WS, POINTS, TARGETS, torch.ones(8, 8), r"the image's shape \(16, 16\), not \(8, 8\)"),
        (WS, POINTS, TARGETS, torch.ones(3, 16, 16), r"not \(3, 16, 16\)"),
        (WS, POINTS, TARGETS, torch.zeros(16, 16), "not 0 everywhere"),
        (WS, POINTS, TARGETS, torch.full((16, 16), 2.0), "1 where the image may move"),
        (WS, POINTS, TARGETS, torch.full((16, 16), NAN), "1 where the image may move"),
        (WS, POINTS, TARGETS, np.ones((16, 16)), "not ndarray"),
        (WS.repeat(2, 1, 1), POINTS, TARGETS, None, r"one image is dragged at a time.*not \(2, 6, 32\)"),
        (WS[:, :1], POINTS, TARGETS, None, r"not \(1, 1, 32\)"),
        (WS.long(), POINTS, TARGETS, None, "must be float"),
        (WS + NAN, POINTS, TARGETS, None, "ws holds numbers that are not finite"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_step(tiny, ws, points, targets, mask, message):
    with pytest.raises(UserError, match=message):
        steps(ws, points, targets, tiny, mask=mask)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": 0}, "steps of a drag must be a whole number of 1 or more, not 0"),
        ({"rows": 1.5}, "rows of a drag must be a whole number"),
        ({"patch": True}, "patch of a drag must be a whole number"),
        ({"step_size": 0}, "nothing would move"),
        ({"pull": NAN}, "pull of a drag must be a finite number"),
        ({"mask_weight": -1.0}, "mask_weight of a drag must be a finite number of 0 or more"),
        ({"arrived": "near"}, "arrived of a drag must be"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changed, message):
    with pytest.raises(UserError, match=message):
        DragSettings(**changed)


def test_generators_without_w_or_features_are_refused(tiny, blobs):
    config = ProgressiveConfig(resolution=16, z_dim=8, channel_base=64, channel_max=8)
    with pytest.raises(UserError, match="dragging works in W, and this generator"):
        drag(torch.zeros(1, 8), POINTS, TARGETS, ProgressiveGenerator(config), progress=False)
    bare = BlobGenerator()
    bare.synthesis = nn.Identity()
    with pytest.raises(UserError, match="no blocks of features"):
        drag(torch.zeros(1, 3, 4), POINTS, TARGETS, bare, progress=False)
    bare.synthesis = lambda ws: ws
    with pytest.raises(UserError, match="torch module"):
        drag(torch.zeros(1, 3, 4), POINTS, TARGETS, bare, progress=False)


def test_features_that_leave_the_finite_numbers_end_in_a_line():
    network = make_tiny()
    network.synthesis.b4.conv1.weight.fill_(float("inf"))
    with pytest.raises(UserError, match="features are not finite"):
        drag(ws_of(network), POINTS, TARGETS, network, progress=False)


def test_the_front_door_has_it():
    assert latentlab.drag is drag and latentlab.DragSettings is DragSettings and latentlab.dragging.steps is steps
