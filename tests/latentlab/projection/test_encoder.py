"""The encoder: finds its generator's latents better than the mean of w does, and refuses what it cannot read."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import stylegan2
from latentlab import perceptual
from latentlab.errors import UserError
from latentlab.projection import WStatistics
from latentlab.projection.encoder import Encoder, load_encoder
from latentlab.projection.starts import starting_points

SHIPPED = Path(__file__).parents[3] / "latentlab" / "data" / "encoder-mobile-ffhq.safetensors"
UNSEEN = range(800_000, 800_004)


@pytest.fixture(scope="module")
def mobile():
    return stylegan2.load("mobile-ffhq")


@pytest.fixture(scope="module")
def encoder(mobile):
    found = load_encoder(mobile)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def faces(mobile):
    """Pictures of seeds that the encoder was not trained on, and their ws."""
    with torch.no_grad():
        ws = mobile.mapping(stylegan2.z_from_seeds(UNSEEN, mobile.z_dim), psi=0.7)
        return torch.cat([mobile.synthesis(row, resolution=256) for row in ws.split(1)]), ws


@pytest.mark.weights
def test_belongs_to_its_generator_alone(mobile, encoder, tiny):
    assert encoder.generator == mobile.fingerprint
    assert load_encoder(tiny) is None


@pytest.mark.weights
def test_card_and_size():
    card = Encoder.load(SHIPPED).card
    assert {"generator", "trained_on", "made_by", "held_out", "limits", "licence"} <= set(card)
    assert "non-commercial" in card["licence"]
    assert os.path.getsize(SHIPPED) < 5e6


@pytest.mark.weights
@pytest.mark.parametrize("side", [64, 100, 128, 256])
def test_ws_for_pictures_of_any_size(mobile, encoder, faces, side):
    pictures = torch.nn.functional.interpolate(faces[0][:2], (side, side), mode="area")
    with torch.no_grad():
        ws = encoder(pictures)
    assert ws.shape == (2, mobile.num_ws, mobile.w_dim)
    assert ws.isfinite().all()
    # The same face in another size is nearly the same code, and far from another face's.
    with torch.no_grad():
        full = encoder(faces[0][:2])
    assert (ws[0] - full[0]).norm() < 0.7 * (full[1] - full[0]).norm()


@pytest.mark.weights
def test_images_that_are_too_small_for_it_start_from_the_average(mobile):
    small, statistics = torch.zeros(1, 3, 32, 32), WStatistics(mobile.w_avg + 1, 1.0)
    start = starting_points(small, mobile, perceptual.load_perceptual("alex"), statistics)
    assert torch.equal(start, (mobile.w_avg + 1).expand(1, mobile.num_ws, -1))
    with pytest.raises(UserError, match="at least 64 pixels, not 32"):
        starting_points(small, mobile, perceptual.load_perceptual("alex"), statistics, "encoder")


@pytest.mark.weights
def test_nearer_in_w_than_the_mean(mobile, encoder, faces):
    pictures, ws = faces
    with torch.no_grad():
        found = encoder(pictures)
    assert ((found - ws).flatten(1).norm(dim=1) < 0.9 * (mobile.w_avg - ws).flatten(1).norm(dim=1)).all()


@pytest.mark.weights
def test_rendered_start_is_nearer_than_the_mean(mobile, encoder, faces):
    pictures, ws = faces[0][:2], faces[1]
    distance = perceptual.load_perceptual("vgg")
    with torch.no_grad():
        target = distance.pyramid(pictures)
        start = mobile.synthesis(encoder(pictures), resolution=256)
        mean = mobile.synthesis(mobile.w_avg.expand_as(ws[:2]), resolution=256)
        assert (distance(start, target) < 0.85 * distance(mean, target)).all()


@pytest.mark.weights
def test_each_picture_on_its_own(encoder, faces):
    with torch.no_grad():
        together = encoder(faces[0][:3])
        alone = torch.cat([encoder(picture) for picture in faces[0][:3].split(1)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


@pytest.mark.weights
def test_a_start_has_the_same_bits_alone_and_among_others(mobile, faces):
    statistics, distance = WStatistics(mobile.w_avg, 1.0), perceptual.load_perceptual("alex")
    together, *alone = (starting_points(some, mobile, distance, statistics) for some in (faces[0], *faces[0].split(1)))
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.weights
def test_gradient_reaches_the_picture_and_no_weight(encoder, faces):
    picture = faces[0][:1].clone().requires_grad_()
    encoder(picture).square().sum().backward()
    assert picture.grad is not None and picture.grad.isfinite().all() and picture.grad.abs().max() > 0
    assert all(not weight.requires_grad for weight in encoder.parameters())


@pytest.mark.weights
@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (torch.zeros(3, 128, 128), "square"),
        (torch.zeros(1, 1, 128, 128), "square"),
        (torch.zeros(1, 3, 128, 96), "square"),
        (torch.zeros(1, 3, 63, 63), "64 pixels"),
        (torch.full((1, 3, 64, 64), float("nan")), "finite"),
    ],
)
def test_refuses_other_pictures(encoder, pictures, message):
    with pytest.raises(UserError, match=message):
        encoder(pictures)


def test_refuses_other_files(tmp_path):
    missing, broken, other = tmp_path / "none", tmp_path / "broken.safetensors", tmp_path / "other.safetensors"
    broken.write_bytes(SHIPPED.read_bytes()[:1000])
    save_file({"bias": torch.zeros(4)}, other)
    for path in (missing, broken, other):
        with pytest.raises(UserError, match=path.name):
            Encoder.load(path)
