"""The translator of drawings that comes with the package, on faces that it has not seen."""

import pytest
import torch

import stylegan2
from latentlab import images
from latentlab.datasets.pencil import Pencil, reduce_drawing
from latentlab.translation import load_translator
from latentlab.translation.shipped import DRAWING, shipped_translator


@pytest.mark.weights
@torch.no_grad()
def test_a_painted_face_is_nearest_to_the_face_that_was_drawn():
    generator = stylegan2.load("mobile-ffhq")
    faces = generator(stylegan2.z_from_seeds(range(330_000, 330_008), generator.z_dim), psi=0.7).clamp(-1, 1)
    faces = images.resize(faces, 512, 512)
    drawings = torch.cat([reduce_drawing(Pencil().draw(face), 128) for face in faces.split(1)])
    painted = load_translator(DRAWING)(drawings, dropout=False)[0].mean(dim=1)  # grey: colours are guessed
    truth = images.resize(faces, 128, 128).mean(dim=1)
    apart = (painted[:, None] - truth).square().mean(dim=(2, 3))
    assert (apart.argmin(dim=1) == torch.arange(8)).sum() >= 7


def test_its_file_is_small():
    with shipped_translator(DRAWING) as path:
        assert path.stat().st_size < 4e6
