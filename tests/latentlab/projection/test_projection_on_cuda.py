"""Projection and tuning on a GPU: every tensor of a step is there, and the steps are those of the CPU."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from latentlab.mapping import ws_of_seeds
from latentlab.projection import Phase, ProjectionSettings, project, w_statistics
from latentlab.projection.clips import ClipSettings, project_clip
from latentlab.projection.encoder import GRID, Backbone, Encoder
from latentlab.projection.inputs import MaskedImages
from latentlab.projection.mixing import mixed_delta
from latentlab.projection.settings import TuningSettings
from latentlab.projection.starts import nearest, starting_points
from latentlab.projection.tuning import Tuner, neighbour, tune
from tests.conftest import TINY, make_tiny
from tests.latentlab.random_networks import random_distance
from tests.pretended import check_alike, make_mobile, on_cuda

pytestmark = pytest.mark.usefixtures("cuda")

SILENT = {"progress": False}
SHORT = ProjectionSettings(
    "w+",
    (Phase(2, 0.05, resolution=32, rampup=0, w_noise=0.05), Phase(1, 0.02, resolution=48, rampup=0)),
    pixel_weight=1.0,
    spread_weight=0.01,
    mesh_weight=30.0,
)


@pytest.fixture(scope="module")
def generators():
    here = make_mobile()
    return here, on_cuda(here)


@pytest.fixture(scope="module")
def distances():
    here = random_distance("alex")
    return here, on_cuda(here)


@pytest.fixture(scope="module")
def images(generators):
    """Two images that the generator does not make."""
    rng = torch.Generator().manual_seed(11)
    rendered = generators[0].synthesis(ws_of_seeds(generators[0], [0, 1], 1.0)).tanh()
    return (rendered + 0.3 * torch.randn(rendered.shape, generator=rng)).clamp(-1, 1)


def test_statistics_and_starts(generators, distances, images):
    here, there = (w_statistics(generator, 50) for generator in generators)
    check_alike(there.mean, here.mean)
    assert there.sigma == pytest.approx(here.sigma, rel=1e-4)
    far = on_cuda(images)
    check_alike(nearest(far, generators[1], distances[1], 3, 0), nearest(images, generators[0], distances[0], 3, 0))
    check_alike(
        starting_points(far, generators[1], distances[1], there),
        starting_points(images, generators[0], distances[0], here),
    )
    given = torch.zeros(2, generators[0].num_ws, generators[0].w_dim)
    assert starting_points(far, generators[1], distances[1], there, given).device.type == "cuda"


def test_an_encoder(images):
    rng = torch.Generator().manual_seed(0)
    backbone = Backbone.__new__(Backbone)  # without weights that are fetched
    nn.Module.__init__(backbone)
    backbone.vgg = random_distance("vgg")
    features = backbone(images).shape[1]
    assert features == GRID**2 * (128 + 256 + 512)
    tensors = {
        "reduce": torch.randn(3, features, generator=rng),
        "expand": torch.randn(2 * 12, 3, generator=rng),
        "bias": torch.randn(2 * 12, generator=rng),
        "rows": torch.tensor([0, 0, 1, 1, 0]),
    }
    here = Encoder(tensors, {"generator": "made up"}, backbone)
    check_alike(on_cuda(here)(on_cuda(images)), here(images))


@pytest.mark.parametrize("space", ["w", "w+", "s"])
def test_projections(generators, distances, images, space):
    noise_maps = "fixed" if space == "w" else "optimised"
    settings = replace(SHORT, space=space, noise_maps=noise_maps, patience=1 if space == "s" else None)
    found = [
        project(images, generator, settings, perceptual=distance, batch_size=2, **SILENT)
        for generator, distance in zip(generators, distances, strict=True)
    ]
    torch.testing.assert_close(found[1].distances, found[0].distances, rtol=1e-2, atol=0)
    for name, latent in found[0].latents.items():
        assert found[1].latents[name].device.type == "cpu"
        torch.testing.assert_close(found[1].latents[name], latent, rtol=0, atol=0.02 * float(latent.abs().max()))


def test_a_projection_with_a_mask_and_turned_axes_is_kept_in_a_folder(generators, distances, images, tmp_path):
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 10:50, 10:50] = 1
    given = MaskedImages(images[:1], mask), generators[1], replace(SHORT, turn_every=1)
    options = {"perceptual": distances[1], "folder": tmp_path, **SILENT}
    done = project(*given, **options)
    assert done.distances.isfinite().all()
    again = project(*given, **options)  # found done in the folder
    assert torch.equal(done.latents["ws"], again.latents["ws"])


def test_the_search_in_half_precision(generators, images):
    fast = on_cuda(random_distance("alex", torch.bfloat16))
    short = replace(SHORT, phases=(Phase(1, resolution=32),))
    assert project(images[:1], generators[1], short, perceptual=fast, **SILENT).distances.isfinite().all()


FAST = TuningSettings(rank=2, steps=1, resolution=32, mesh_weight=3.0, stop_at=0, drift_seeds=(5,))
TUNINGS = {
    "low rank": replace(FAST, steps=2, last_block=False, locality_weight=0.1),
    "features": replace(FAST, weights=False, features=16),
    "both, and noise maps": replace(FAST, features=8, rank=None, affines=True, relative=False),
}


@pytest.mark.parametrize("name", TUNINGS)
def test_tunings(generators, distances, images, name):
    settings, ws, found = TUNINGS[name], ws_of_seeds(generators[0], [0], 0.7), []
    noise = None
    if "noise" in name:
        noise = {"b16.conv0.noise_const": torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))}
    for generator, distance in zip(generators, distances, strict=True):
        found.append(tune(images[:1], ws, generator, distance, settings, noise, **SILENT))
    here, there = found
    torch.testing.assert_close(there.lpips, here.lpips, rtol=2e-2, atol=0)
    torch.testing.assert_close(there.drift.lpips, here.drift.lpips, rtol=0.1, atol=1e-4)
    rendered = there.generator.synthesis(on_cuda(ws))
    check_alike(rendered, here.generator.synthesis(ws), 0.05)


def test_several_images_share_a_tuning_that_goes_on(generators, distances, images, tmp_path):
    settings = replace(FAST, steps=2, images_per_step=1)
    ws, given = ws_of_seeds(generators[0], [0, 1], 0.7), MaskedImages(images, torch.ones(2, 1, 64, 64))
    here = tune(given, ws, generators[0], distances[0], settings, **SILENT)
    stopped = Tuner(given, ws, generators[1], distances[1], settings, folder=tmp_path)
    next(stopped.steps())
    stopped._store.save(stopped._state)  # as an interrupted run leaves it
    there = tune(given, ws, generators[1], distances[1], settings, folder=tmp_path, **SILENT)
    torch.testing.assert_close(there.lpips, here.lpips, rtol=2e-2, atol=0)
    mixed = mixed_delta([there.delta, here.delta, None], [0.5, 0.25, 0.25])
    assert mixed.apply(generators[1]).synthesis(on_cuda(ws)).device.type == "cuda"


def test_weights_of_a_stylegan2(distances):
    """In its layers, too."""
    here = make_tiny(replace(TINY, resolution=32))
    there, ws = on_cuda(here), ws_of_seeds(here, [0], 0.7)
    settings = replace(FAST, features=8)
    image = here.synthesis(ws_of_seeds(here, [3], 0.7)).tanh()
    found = [tune(image, ws, *networks, settings, **SILENT) for networks in zip((here, there), distances, strict=True)]
    torch.testing.assert_close(found[1].lpips, found[0].lpips, rtol=2e-2, atol=0)
    pivot = on_cuda(ws)
    check_alike(neighbour(pivot, there, 2.0, 0.5, (0, 1)), neighbour(ws, here, 2.0, 0.5, (0, 1)))


def test_a_clip(generators, distances, images, tmp_path):
    frames = torch.stack([torch.lerp(images[0], images[1], t) for t in (0.0, 0.5, 1.0)])
    settings = ClipSettings(replace(SHORT, phases=(Phase(2, 0.05, resolution=32, rampup=0),)), steps=1, sweeps=1)
    found = [
        project_clip(frames, generator, distance, settings, folder=tmp_path / str(k), **SILENT)
        for k, (generator, distance) in enumerate(zip(generators, distances, strict=True))
    ]
    assert found[1].ws.device.type == "cpu"
    torch.testing.assert_close(found[1].ws, found[0].ws, rtol=0, atol=0.02 * float(found[0].ws.abs().max()))
