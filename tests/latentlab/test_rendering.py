"""A generator at one of its resolutions."""

import pytest
import torch

from latentlab.errors import UserError
from latentlab.rendering import Renderer
from stylegan2.sampling import z_from_seeds


class Reduced:
    """A generator with a preview: its picture averaged down to half the side."""

    def __init__(self, full) -> None:
        self.full, self.resolution, self.resolutions = full, 16, (8, 16)

    def synthesis(self, ws, noise_mode="const", rng=None, resolution=None):
        picture = self.full.synthesis(ws, noise_mode=noise_mode, rng=rng)
        return torch.nn.functional.avg_pool2d(picture, 2) if resolution == 8 else picture


@pytest.fixture(scope="module")
def ws(tiny):
    return tiny.mapping(z_from_seeds([0, 1], tiny.z_dim))


def test_pictures_are_the_generators(tiny, ws):
    assert torch.equal(Renderer(tiny, 16)(ws), tiny.synthesis(ws))
    assert torch.equal(Renderer(tiny, 16, "none")(ws), tiny.synthesis(ws, noise_mode="none"))
    assert not torch.equal(Renderer(tiny, 16, "none")(ws), Renderer(tiny, 16)(ws))


def test_each_resolution_is_rendered(tiny, ws):
    generator = Reduced(tiny)
    for side in generator.resolutions:
        assert Renderer(generator, side)(ws).shape == (2, 3, side, side)


@pytest.mark.parametrize("resolution", [0, 8, 15, 32, -16])
def test_a_resolution_it_has_not_is_refused(tiny, resolution):
    with pytest.raises(UserError, match=f"renders at 16 pixels, not at {resolution}$"):
        Renderer(tiny, resolution)


def test_the_refusal_names_all_there_are(tiny):
    with pytest.raises(UserError, match="renders at 8, 16 pixels, not at 12"):
        Renderer(Reduced(tiny), 12)
