"""Seeds to latents: the same bits in whatever company."""

from dataclasses import replace

import pytest
import torch

from latentlab.mapping import map_z, ws_of_seeds
from tests.conftest import TINY, make_tiny

SEEDS = range(600, 740)


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("config", [TINY, replace(TINY, z_dim=512, w_dim=512), replace(TINY, c_dim=3)])
def test_a_latent_is_the_same_to_the_bit_in_whatever_company(threads, config):
    generator = make_tiny(config)
    label = 1 if config.c_dim else None
    whole = ws_of_seeds(generator, SEEDS, 0.7, label)
    assert whole.shape == (len(SEEDS), generator.num_ws, config.w_dim)
    for size in (1, 2, 7, 64, 65):
        parts = [ws_of_seeds(generator, SEEDS[k : k + size], 0.7, label) for k in (0, size, 2 * size)]
        assert torch.equal(torch.cat(parts), whole[: 3 * size])


def test_as_many_rows_as_the_network_sees_at_a_time_are_what_it_gives_alone(tiny):
    z = torch.randn(64, tiny.z_dim, generator=torch.Generator().manual_seed(0))
    assert torch.equal(map_z(tiny, z, 0.5), tiny.mapping(z, psi=0.5))
    assert map_z(tiny, z[:0]).shape == (0, tiny.num_ws, tiny.w_dim)
