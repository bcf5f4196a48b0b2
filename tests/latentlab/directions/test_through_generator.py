"""Directions through the generator, against the truth that a generator with known factors has."""

import numpy as np
import pytest
import torch

from latentlab.datasets import KnownFactors
from latentlab.directions import (
    MeanGradient,
    Optimised,
    SeFa,
    StyleGradient,
    StyleSpace,
    cosine,
    face_direction,
    fit,
)
from latentlab.directions.gradients import images_at
from latentlab.directions.optimised import optimal_step
from latentlab.directions.style_affines import style_affines
from latentlab.editing import edit
from latentlab.errors import UserError
from latentlab.rendering import Renderer
from latentlab.scorers import FunctionScorer
from stylegan2.mobile import MobileConfig, MobileGenerator
from tests.latentlab.directions.known import known_table, population

KNOWN = KnownFactors()
MOUTH, STRIPE = (KNOWN.factors.index(name) for name in ("mouth", "stripe"))
SCENE = {"renderer": Renderer(KNOWN, 32), "scorer": KNOWN.scorer(), "progress": False}


@pytest.fixture(scope="module")
def samples():
    """w, standardised styles and their space, and whether the mouth is positive."""
    w = population(KNOWN, 300)
    space = StyleSpace.measure(KNOWN, w)
    return w, space.standardise_w(KNOWN, w), space, KNOWN.values(w)[:, MOUTH] > 0


def lower_part(images):
    """Region that holds the mouth and nothing of the stripe."""
    mask = torch.zeros(1, 1, *images.shape[2:])
    mask[:, :, images.shape[2] // 2 :] = 1
    return mask


# --- gradients ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN.factors)
def test_the_mean_gradient_is_the_factors_normal(name):
    w = population(KNOWN, 100)
    positive = KNOWN.values(w)[:, KNOWN.factors.index(name)] > 0
    fitted = MeanGradient(faces=16, attribute=name, **SCENE).fit(w, positive)
    assert np.linalg.norm(fitted.direction_) == pytest.approx(1)
    assert cosine(fitted.direction_, KNOWN.direction(name)) > 0.999
    decisions = fitted.decision_function(w)
    assert decisions[positive].mean() == pytest.approx(-decisions[~positive].mean())


def test_in_w_plus_only_the_row_of_the_driving_layer_moves(samples):
    w, _, _, positive = samples
    fitted = MeanGradient(space="w+", faces=8, attribute="mouth", **SCENE).fit(w, positive)
    lengths = np.linalg.norm(fitted.direction_, axis=1)
    np.testing.assert_allclose(lengths, [0, 0, 1, 0], atol=1e-3)  # b8.conv1 takes row 2
    assert cosine(fitted.direction_[2], KNOWN.direction("mouth")) > 0.999
    decisions = fitted.decision_function(w)
    np.testing.assert_allclose(
        decisions, w @ fitted.direction_.sum(0) / (fitted.direction_**2).sum() + fitted.intercept_
    )


def test_the_gradient_in_s_is_that_of_the_driving_channel_alone(samples):
    _, x, space, positive = samples
    finder = StyleGradient(channels=5, faces=8, attribute="mouth", style_space=space, **SCENE).fit(x, positive)
    driving = space.names.index("{}:{}".format(*KNOWN.channel("mouth")))
    assert finder.direction_[driving] == pytest.approx(1, abs=1e-4)
    assert np.count_nonzero(finder.direction_) <= 5


def test_the_direction_of_one_face_moves_that_face(samples):
    w = samples[0]
    ws = torch.from_numpy(w[:1])[:, None].repeat(1, KNOWN.num_ws, 1)
    scorer, renderer = SCENE["scorer"], SCENE["renderer"]
    direction = face_direction(ws, renderer, scorer, "mouth")
    assert cosine(direction, KNOWN.direction("mouth")) > 0.999
    direction.check(KNOWN)
    by_row = face_direction(ws[0], renderer, scorer, "mouth", space="w+")
    before, after = (scorer.logits(renderer(latents))[0, MOUTH] for latents in (ws, edit(ws, by_row, 0.2)))
    assert after > before + 0.1
    with pytest.raises(UserError, match="one face takes its ws"):
        face_direction(torch.cat([ws, ws]), renderer, scorer, "mouth")


@pytest.mark.parametrize("resolution", [32, 64])
def test_the_points_of_s_have_the_images_of_their_w(resolution):
    """Also the layers that S leaves out, which make colours, and in W+."""
    torch.manual_seed(0)
    generator = MobileGenerator(
        MobileConfig(64, z_dim=8, w_dim=8, mapping_layers=1, channel_base=256, channel_max=16, preview_resolution=32)
    ).requires_grad_(False)
    generator.synthesis.preview.colour.normal_()
    generator.synthesis.preview.kernels.normal_()
    renderer, w = Renderer(generator, resolution), torch.randn(3, 8)
    space = StyleSpace.measure(generator, np.random.default_rng(0).standard_normal((20, 8)))
    points = torch.from_numpy(space.standardise_w(generator, w.numpy()))
    expected = renderer({"w": w})
    close = 1e-4 * float(expected.abs().max())
    torch.testing.assert_close(images_at(renderer, "s", space)(points), expected, atol=close, rtol=0)
    torch.testing.assert_close(images_at(renderer, "w+")(w.repeat(1, generator.num_ws)), expected)


# --- optimised ----------------------------------------------------------------------------------------------


def test_the_optimal_step_solves_its_equation():
    rng = np.random.default_rng(0)
    gradient, felt, root = rng.standard_normal(6), rng.standard_normal((4, 6)), rng.standard_normal((6, 6))
    covariance, change = root @ root.T, felt.T @ felt / len(felt)
    weight = 0.3 * np.trace(change @ covariance) / 6
    expected = np.linalg.solve(weight * np.linalg.inv(covariance) + change, gradient)
    found = optimal_step(gradient, felt, lambda rows: rows @ covariance, 0.3) / weight
    np.testing.assert_allclose(found, expected)


def test_the_optimised_direction_leaves_what_is_outside_the_region(samples):
    """The gradient of the mouth moves the stripe by cos 60°; the optimised direction moves no other factor."""
    w, _, _, positive = samples
    settings = {"faces": 32, "projections": 4, "attribute": "mouth", **SCENE}
    optimised = Optimised(region=lower_part, regularisation=1e-4, **settings).fit(w, positive)
    moved = KNOWN.slopes @ optimised.direction_
    np.testing.assert_allclose(np.delete(moved / moved[MOUTH], MOUTH), 0, atol=0.05)
    steepest = KNOWN.slopes @ KNOWN.direction("mouth")
    assert steepest[STRIPE] / steepest[MOUTH] > 0.3
    # Where nothing may change, the mouth costs as well; where all may, it is the covariance times the gradient.
    plausible = Optimised(region=lambda images: torch.ones_like(images[:, :1]), **settings).fit(w, positive)
    assert cosine(plausible.direction_, np.cov(w.T) @ KNOWN.direction("mouth")) > 0.999


def test_the_optimised_direction_in_w_plus_and_s_is_the_driving_layer_and_channel(samples):
    w, x, space, positive = samples
    settings = {"faces": 16, "projections": 2, "region": lower_part, "attribute": "mouth", **SCENE}
    rows = Optimised(space="w+", **settings).fit(w, positive)
    np.testing.assert_allclose(np.linalg.norm(rows.direction_, axis=1), [0, 0, 1, 0], atol=0.1)
    driving = space.names.index("{}:{}".format(*KNOWN.channel("mouth")))
    for count in (None, 3):
        channels = Optimised(space="s", channels=count, style_space=space, **settings).fit(x, positive)
        assert channels.direction_[driving] > 0.99
    assert np.count_nonzero(channels.direction_) <= 3
    assert np.corrcoef(channels.decision_function(x), x[:, driving])[0, 1] > 0.99


def test_the_region_is_that_of_the_attribute_unless_it_is_named():
    regions = {
        attribute: Optimised(region=region, attribute=attribute, **SCENE)._region()
        for attribute, region in (("fer:happy", "attribute"), ("smiling", "mouth"), ("young", "attribute"))
    }
    images = torch.zeros(1, 3, 32, 32)
    assert regions["young"] is None
    torch.testing.assert_close(regions["fer:happy"](images), regions["smiling"](images))
    assert 0 < float(regions["smiling"](images).mean()) < 0.2


def test_faces_are_moved_along_a_start_of_ones_own(samples):
    w, _, _, positive = samples
    still = Optimised(start=np.zeros(16), faces=4, attribute="mouth", **SCENE)
    points = still._along(w.astype(float), positive)
    assert all((w == point).all(1).any() for point in points)
    with pytest.raises(UserError, match="the start is a step"):
        Optimised(start=np.zeros(3), attribute="mouth", **SCENE).fit(w, positive)


@pytest.mark.parametrize("method", ["style-gradient", "gradient-w+", "optimised-s"])
def test_a_sample_table_gives_them_by_name(method):
    """`fit` gives the finder what it looks through, and the direction moves the mouth alone."""
    table = known_table(KNOWN, 200)
    found = fit(table, "mouth", method, renderer=SCENE["renderer"], scorer=SCENE["scorer"])
    direction = found.direction
    assert found.held_out.auc > 0.99
    if direction.space == "s":
        assert dict(zip(direction.channels.names, direction.vector, strict=True))["b8.conv1:7"] > 0.99
    else:
        assert cosine(direction.vector[2], KNOWN.direction("mouth")) > 0.999


# --- SeFa ---------------------------------------------------------------------------------------------------


def test_the_affine_maps_are_those_of_the_network(tiny):
    found = style_affines(tiny)
    for block in tiny.synthesis._blocks():
        for name, affine in block.affines().items():
            weight, bias = found[f"b{block.resolution}.{name}"]
            w = torch.randn(5, tiny.w_dim)
            np.testing.assert_allclose(w.numpy() @ weight.T + bias, affine(w).numpy(), atol=1e-4)


@pytest.mark.parametrize("layers", [None, [2, 3]])
def test_sefa_is_the_eigenvectors_of_the_weights(layers):
    fitted = SeFa(count=5, layers=layers, renderer=SCENE["renderer"]).fit()
    rows = KNOWN.synthesis.affine[list(range(4)) if layers is None else layers].double().flatten(0, 1)
    rows = rows / rows.norm(dim=1, keepdim=True)
    left, values, _ = torch.linalg.svd(rows.T)
    np.testing.assert_allclose(fitted.eigenvalues_, values[:5] ** 2, rtol=1e-4)
    components = fitted.components_
    if layers is not None:
        np.testing.assert_array_equal(components[:, :2], 0)
        np.testing.assert_array_equal(components[:, 2], components[:, 3])
        components = components[:, 2]
    np.testing.assert_allclose(np.abs((components * left.T[:5].numpy()).sum(1)), 1, atol=1e-3)
    assert (np.take_along_axis(components, np.abs(components).argmax(1)[:, None], 1) > 0).all()


# --- bad input ----------------------------------------------------------------------------------------------


def test_finders_say_what_they_look_through(samples):
    w, x, space, positive = samples
    with pytest.raises(UserError, match="needs renderer, scorer, attribute"):
        MeanGradient().fit(w, positive)
    with pytest.raises(UserError, match="needs attribute"):
        Optimised(**SCENE).fit(w, positive)
    with pytest.raises(UserError, match="style_space"):
        StyleGradient(attribute="mouth", **SCENE).fit(x, positive)
    with pytest.raises(UserError, match="give it a renderer"):
        SeFa().fit(w)


def test_scorers_without_gradients_and_numbers_are_refused(samples):
    w, _, _, positive = samples
    blind = FunctionScorer(("x",), lambda images: torch.from_numpy(images.detach().numpy().mean((1, 2, 3))))
    broken = FunctionScorer(("x",), lambda images: (images - images).mean((1, 2, 3)).sqrt())
    for scorer, message in ((blind, "passes no gradients"), (broken, "not finite")):
        with pytest.raises(UserError, match=message):
            MeanGradient(attribute="x", **{**SCENE, "scorer": scorer}).fit(w, positive)
    with pytest.raises(UserError, match="0 positive and 300 negative"):
        MeanGradient(attribute="mouth", **SCENE).fit(w, np.zeros(300, bool))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"region": "moth"}, "no region is called 'moth'"),
        ({"regularisation": 0}, "above 0"),
        ({"faces": 1}, "two"),
        ({"channels": 3}, "in space s"),
    ],
)
def test_optimised_refuses_settings_out_of_range(samples, settings, message):
    w, _, _, positive = samples
    with pytest.raises(UserError, match=message):
        Optimised(attribute="mouth", **settings, **SCENE).fit(w, positive)


@pytest.mark.parametrize(("settings", "message"), [({"count": 17}, "1 to 16"), ({"layers": [4]}, "layers 0 to 3, not")])
def test_sefa_refuses_what_the_generator_lacks(settings, message):
    with pytest.raises(UserError, match=message):
        SeFa(renderer=SCENE["renderer"], **settings).fit()
