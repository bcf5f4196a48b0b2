"""Rendering at a generator's resolutions: ws, and latents of W, W+ and S with noise maps of their own."""

import pytest
import torch
from torch.func import functional_call

from latentlab.errors import UserError
from latentlab.rendering import Renderer, from_styles, noise_maps_in, styles_in, with_noise_maps, ws_in
from stylegan2.sampling import z_from_seeds


class Reduced:
    """A generator with a preview: its image averaged down to half the resolution."""

    def __init__(self, full) -> None:
        self.full, self.resolution, self.resolutions, self.num_ws = full, 16, (8, 16), full.num_ws

    def synthesis(self, ws, noise_mode="const", rng=None, resolution=None):
        image = self.full.synthesis(ws, noise_mode=noise_mode, rng=rng)
        return torch.nn.functional.avg_pool2d(image, 2) if resolution == 8 else image


@pytest.fixture(scope="module")
def ws(tiny):
    return tiny.mapping(z_from_seeds([0, 1], tiny.z_dim))


@pytest.fixture(scope="module")
def maps(tiny):
    """Noise maps for one layer, an own one for each of two images."""
    return {"b16.conv1.noise_const": torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))}


def test_images_are_the_generators(tiny, ws):
    assert torch.equal(Renderer(tiny, 16)(ws), tiny.synthesis(ws))
    assert torch.equal(Renderer(tiny, 16, "none")(ws), tiny.synthesis(ws, noise_mode="none"))
    assert not torch.equal(Renderer(tiny, 16, "none")(ws), Renderer(tiny, 16)(ws))


def test_each_resolution_is_rendered(tiny, ws):
    generator = Reduced(tiny)
    for resolution in generator.resolutions:
        assert Renderer(generator, resolution)(ws).shape == (2, 3, resolution, resolution)
    assert torch.equal(Renderer(generator, 8)({"ws": ws}), Renderer(generator, 8)(ws))


@pytest.mark.parametrize("resolution", [0, 8, 15, 32, -16])
def test_a_resolution_it_has_not_is_refused(tiny, resolution):
    with pytest.raises(UserError, match=f"renders at 16 pixels, not at {resolution}$"):
        Renderer(tiny, resolution)


def test_the_refusal_names_all_there_are(tiny):
    with pytest.raises(UserError, match="renders at 8, 16 pixels, not at 12"):
        Renderer(Reduced(tiny), 12)


def test_latents_of_every_space_give_the_image_of_their_ws(tiny, ws):
    same = ws[:, :1].expand_as(ws)
    for noise_mode in ("const", "none"):
        render, expected = Renderer(tiny, 16, noise_mode), tiny.synthesis(ws, noise_mode=noise_mode)
        assert torch.equal(render({"ws": ws}), expected)
        assert torch.equal(render(from_styles(tiny.synthesis.styles(ws))), expected)
        assert torch.equal(render({"w": ws[:, 0]}), tiny.synthesis(same, noise_mode=noise_mode))


def test_each_image_has_its_own_noise_maps(tiny, ws, maps):
    expected = functional_call(tiny.synthesis, maps, (ws,))
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    for latents in ({"ws": ws}, from_styles(tiny.synthesis.styles(ws))):
        assert torch.equal(Renderer(tiny, 16)(with_noise_maps(latents, maps)), expected)
    assert not torch.equal(expected, tiny.synthesis(ws))
    assert all(torch.equal(value, before[name]) for name, value in tiny.state_dict().items())


def test_latents_can_be_taken_apart(tiny, ws, maps):
    styles = tiny.synthesis.styles(ws)
    latents = with_noise_maps(from_styles(styles), maps)
    assert styles_in(latents).keys() == styles.keys() and noise_maps_in(latents).keys() == maps.keys()
    assert ws_in(latents, tiny.num_ws) is None
    assert torch.equal(ws_in({"w": ws[:, 0]}, tiny.num_ws), ws[:, :1].expand_as(ws))


def test_what_a_generator_cannot_render_is_refused(tiny, ws, maps):
    generator = Reduced(tiny)
    with pytest.raises(UserError, match="no space s"):
        Renderer(generator, 16)(from_styles(tiny.synthesis.styles(ws)))
    with pytest.raises(UserError, match="torch module"):
        Renderer(generator, 16)(with_noise_maps({"ws": ws}, maps))
