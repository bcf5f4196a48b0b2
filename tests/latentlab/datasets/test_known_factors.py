"""The generator with known factors keeps what it promises."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch

import stylegan2
from latentlab.datasets import KnownFactors, KnownFactorScorer, known_factors
from latentlab.errors import UserError
from latentlab.rendering import Renderer, from_styles
from latentlab.scorers import score_images


@pytest.fixture(scope="module")
def known():
    return KnownFactors()


@pytest.fixture(scope="module")
def ws(known):
    return known.mapping(stylegan2.z_from_seeds(range(300), known.z_dim))


def logits(known, images):
    return known.scorer().logits(images).numpy() / KnownFactorScorer.SHARPNESS


@pytest.mark.parametrize("resolution", [32, 64])
def test_the_scorer_reads_the_factors_off_the_image(known, ws, resolution):
    values = known.values(ws[:, 0])
    found = logits(known, Renderer(known, resolution)(ws))
    assert np.abs(found - values)[np.abs(values) < 3].max() < 1e-3


def test_values_are_standardised_over_the_population(known):
    w = known.mapping(torch.randn(20000, 16, generator=torch.Generator().manual_seed(1)))[:, 0]
    values = known.values(w)
    np.testing.assert_allclose(values.mean(0), [0, 0, 0, 0, 0, -0.8], atol=0.04)
    np.testing.assert_allclose(values.std(0), 1, atol=0.03)
    assert 0.18 < (values[:, 5] > 0).mean() < 0.25


@pytest.mark.parametrize("name", KnownFactors.factors)
def test_directions_are_the_gradients_through_the_image(known, ws, name):
    z = stylegan2.z_from_seeds(range(4), known.z_dim).requires_grad_()
    w = ws[:4, 0].clone().requires_grad_()
    for x, images, space in (
        (z, known(z), "z"),
        (w, known.synthesis(w[:, None].expand(-1, known.num_ws, -1), resolution=32), "w"),
    ):
        (gradient,) = torch.autograd.grad(known.scorer(name).logits(images).sum(), x)
        cosines = torch.nn.functional.normalize(gradient, dim=1).double() @ torch.from_numpy(
            known.direction(name, space)
        )
        assert cosines.min() > 0.9999


def test_only_mouth_and_stripe_are_entangled(known):
    normals = np.stack([known.direction(name) for name in known.factors])
    expected = np.eye(6)
    expected[4, 5] = expected[5, 4] = 0.5
    np.testing.assert_allclose(normals @ normals.T, expected, atol=1e-9)


@pytest.mark.parametrize("name", KnownFactors.factors)
def test_a_factor_has_one_channel_and_a_channel_one_factor(known, ws, name):
    styles = known.synthesis.styles(ws)
    layer, index = known.channel(name)
    moved = {key: value.clone() for key, value in styles.items()}
    moved[layer][:, index] += styles[layer][:, index].std()
    column = known.factors.index(name)
    step = (logits(known, known.synthesis.from_styles(moved)) - known.values(ws[:, 0]))[:100]
    expected = np.eye(6)[column] * known.values(ws[:, 0])[:, column].std()
    near = np.abs(known.values(ws[:100, 0])).max(1) < 2
    np.testing.assert_allclose(step[near], np.tile(expected, (near.sum(), 1)), atol=2e-3)


def test_the_other_channels_do_nothing(known, ws):
    styles = known.synthesis.styles(ws[:2])
    driving = {known.channel(name) for name in known.factors}
    for layer, values in styles.items():
        still = [k for k in range(values.shape[1]) if (layer, k) not in driving]
        values[:, still] += 5
    assert torch.equal(Renderer(known, 64)(from_styles(styles)), Renderer(known, 64)(ws[:2]))


def test_it_is_the_seed_that_makes_it(known):
    again, other = KnownFactors(), KnownFactors(seed=1)
    z = stylegan2.z_from_seeds([3], 16)
    assert torch.equal(again(z), known(z)) and again.fingerprint == known.fingerprint
    assert not torch.equal(other(z), known(z)) and other.fingerprint != known.fingerprint


def test_images_of_anything_get_scores(known):
    for images in (torch.zeros(2, 3, 64, 64), torch.rand(2, 3, 40, 40), -torch.ones(1, 3, 8, 8)):
        assert np.isfinite(score_images(known.scorer(), images)).all()


def test_unknown_factors_are_refused(known):
    for wrong in (known.direction, known.channel, known.scorer, known.scorer().of):
        with pytest.raises(UserError, match="no factor is called 'nose'; there are position, size"):
            wrong("nose")


def test_its_example_runs():
    assert doctest.testmod(known_factors).failed == 0
