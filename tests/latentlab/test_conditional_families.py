"""Conditional StyleGAN and Progressive GAN through the library, from the pickles that TensorFlow's code writes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import latentlab as ll
import stylegan2
from latentlab import editing, images
from latentlab.errors import UserError
from latentlab.mapping import OneClass, latents_of_codes, latents_of_seeds, map_z, typical_latents
from latentlab.pipelines import (
    Components,
    InterpolationSettings,
    LabelSettings,
    SeedSettings,
    edit_seeds,
    fit_samples,
    interpolate,
    keyframes_of,
    label_samples,
    walk_seeds,
)
from latentlab.rendering import Renderer
from latentlab.scorers import FunctionScorer
from tests.stylegan2 import growing_files as files
from tests.stylegan2.test_labels import write_progressive, write_stylegan

SCORER = FunctionScorer(("bright",), lambda pictures: torch.sigmoid(pictures.mean(dim=(1, 2, 3))), "brightness")


@pytest.fixture(scope="module", params=[write_stylegan, write_progressive], ids=["stylegan", "progressive"])
def path(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "network.pkl"
    request.param(path)
    return path


@pytest.fixture(scope="module")
def network(path):
    return ll.load_generator(path)


@pytest.fixture(scope="module")
def psi(network):
    return 0.7 if network.num_ws else 1.0


def made(network, seeds, k, psi):
    return network(ll.z_from_seeds(seeds, files.Z), torch.eye(3)[[k] * len(seeds)], psi=psi)


def test_the_command_generates_images_of_a_class(run, refused, path, network, psi, tmp_path):
    words = ("generate", "--network", path, "--psi", psi, "--seeds", "1,2", "--out", tmp_path / "out")
    assert "choose one of its classes 0 … 2, with --class N" in refused(*words)
    code, _, err = run(*words, "--class", "2")
    assert code == 0, err
    for k, expected in zip((1, 2), made(network, [1, 2], 2, psi), strict=True):
        written = images.load_image(tmp_path / "out" / f"seed{k:06d}.png")
        assert torch.equal(images.to_bytes(written), images.to_bytes(expected[None]))


def test_codes_of_a_class_are_rendered_whatever_their_form(network, psi):
    renderer, expected = Renderer(network, 16), made(network, [3, 4], 1, psi)
    codes = map_z(network, ll.z_from_seeds([3, 4], files.Z), psi, 1)
    latents = latents_of_seeds(network, [3, 4], psi, 1)
    for found in (renderer(codes), renderer(latents), renderer(latents_of_codes(codes, network))):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    one = OneClass(network, 1)
    own = latents_of_codes(map_z(one, ll.z_from_seeds([3, 4], files.Z), psi), one)
    torch.testing.assert_close(Renderer(one, 16)(own), expected, rtol=0, atol=1e-4)
    assert renderer(typical_latents(network)).shape == (1, 3, 16, 16)
    optimized = stylegan2.optimize(network)
    torch.testing.assert_close(made(optimized, [3, 4], 1, psi), expected, rtol=0, atol=1e-4)


def test_a_direction_is_learnt_and_moves_images_of_a_class(network, psi, tmp_path):
    components = Components.load(network, SCORER)
    settings = LabelSettings(200, psi=psi, threshold="median", class_label=2, precision="float32")
    table = label_samples(components, settings, tmp_path / "samples", progress=False)
    with torch.no_grad():
        expected = SCORER(made(network, table.seeds[:3].tolist(), 2, psi))
    torch.testing.assert_close(torch.from_numpy(table.scores[:3]), expected, rtol=0, atol=1e-4)
    direction = fit_samples(tmp_path / "samples", ["bright"], "svm", components)["bright"].direction
    assert direction.space == ("w" if network.num_ws else "z")
    latents = latents_of_seeds(network, [5], psi, 2)
    moved = Renderer(network, 16)(editing.move(latents, 2 * direction, network))
    settings = SeedSettings(psi=psi, class_label=2)
    edits = edit_seeds(range(6), direction, [-4, 4], components, settings, tmp_path / "edits", progress=False)
    assert np.diff(edits.scores[:, :, 0].mean(axis=0)) > 0
    walk = walk_seeds([5], direction, [2], components, settings, progress=False)
    torch.testing.assert_close(walk.images[0], moved, rtol=0, atol=1e-4)


def test_animations_are_of_a_class(network, psi, tmp_path):
    components = Components.load(network, SCORER)
    settings = InterpolationSettings("spherical", frames=3, psi=psi, class_label=0)
    interpolate(keyframes_of(5, 6), tmp_path / "x.gif", components, settings, progress=False)
    assert (tmp_path / "x.gif").stat().st_size > 100
    with pytest.raises(UserError, match="the classes of this generator are 0 … 2, not 7"):
        interpolate(
            keyframes_of(5, 6),
            tmp_path / "y.gif",
            components,
            InterpolationSettings("spherical", frames=3, psi=psi, class_label=7),
            progress=False,
        )
