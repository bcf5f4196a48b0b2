"""Weight deltas: nothing changed is nothing seen, files hold all of them, other generators are refused."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.errors import UserError
from latentlab.projection.deltas import DOWN, UP, WeightDelta, changed_weights, is_low_rank
from latentlab.projection.descent import no_change, tunable_weights
from latentlab.projection.settings import PTI, TuningSettings
from latentlab.rendering import Renderer
from stylegan2.config import GeneratorConfig
from stylegan2.mobile import MobileConfig, MobileGenerator
from stylegan2.networks import Generator
from tests.conftest import make_tiny

MOBILE_FFHQ = MobileConfig(resolution=1024)


def random_delta(generator: Generator, rank: int | None = 2, size: float = 0.1) -> WeightDelta:
    rng = torch.Generator().manual_seed(1)
    zero = no_change(tunable_weights(generator, affines=True), TuningSettings(rank=rank))
    tensors = {name: size * torch.randn(value.shape, generator=rng) for name, value in zero.items()}
    return WeightDelta(tensors, generator.fingerprint, {"rank": rank}, {"lpips": [0.1]})


def some_ws(generator: Generator, n: int = 2) -> torch.Tensor:
    return generator.mapping(torch.randn(n, generator.z_dim, generator=torch.Generator().manual_seed(3)))


def test_no_change_renders_the_same_picture(tiny):
    zero = no_change(tunable_weights(tiny, affines=True), TuningSettings(rank=2))
    tuned = WeightDelta(zero, tiny.fingerprint).apply(tiny)
    ws = some_ws(tiny)
    assert torch.equal(tuned.synthesis(ws), tiny.synthesis(ws))


def test_a_change_is_seen_and_leaves_the_original_alone(tiny):
    before, ws = tiny.fingerprint, some_ws(tiny)
    picture = tiny.synthesis(ws)
    tuned = random_delta(tiny).apply(tiny)
    assert (tuned.synthesis(ws) - picture).abs().mean() > 0.01
    assert torch.equal(tiny.synthesis(ws), picture)
    assert tiny.fingerprint == before != tuned.fingerprint


def test_what_is_not_changed_is_not_copied(tiny):
    name = "b8.conv0.weight"
    change = torch.ones_like(tiny.synthesis.get_parameter(name))
    tuned = WeightDelta({name: change}, tiny.fingerprint).apply(tiny)
    own = dict(tiny.synthesis.named_parameters())
    for other, weight in tuned.synthesis.named_parameters():
        assert (weight.data_ptr() == own[other].data_ptr()) == (other != name)
    assert torch.equal(tuned.synthesis.get_parameter(name), own[name] + 1)


def test_factors_stand_for_their_product():
    weight = torch.randn(5, 3, 2, 2)
    up, down = torch.randn(5, 2), torch.randn(2, 12)
    changed = changed_weights({"a": weight, "b": weight}, {"a" + UP: up, "a" + DOWN: down})
    assert list(changed) == ["a"]
    expected = weight + torch.einsum("or,rikl->oikl", up, down.view(2, 3, 2, 2))
    torch.testing.assert_close(changed["a"], expected)


@given(st.lists(st.integers(1, 40), max_size=4), st.integers(1, 20))
def test_low_rank_only_where_it_is_smaller(shape, rank):
    numbers = no_change({"w": torch.zeros(shape)}, TuningSettings(rank=rank)).values()
    size = torch.Size(shape)
    assert sum(value.numel() for value in numbers) <= size.numel()
    assert len(numbers) == (2 if is_low_rank(size, rank) else 1)


@settings(max_examples=20)
@given(st.sampled_from([1, 3, None]), st.floats(1e-3, 10))
def test_saved_and_loaded_it_is_the_same(tmp_path_factory, rank, size):
    path = tmp_path_factory.mktemp("delta") / "delta.safetensors"
    delta = random_delta(make_tiny(), rank, size)
    delta.save(path)
    loaded = WeightDelta.load(path)
    assert (loaded.generator, loaded.settings, loaded.figures) == (delta.generator, delta.settings, delta.figures)
    assert loaded.tensors.keys() == delta.tensors.keys()
    assert all(torch.equal(loaded.tensors[name], value) for name, value in delta.tensors.items())


def test_it_meets_the_protocol(tiny):
    tuned = random_delta(tiny).apply(tiny)
    ws = some_ws(tiny)
    z = torch.randn(1, tiny.z_dim)
    assert torch.equal(Renderer(tuned, 16)(ws), tuned.synthesis(ws))
    assert torch.equal(tuned(z, psi=0.5), tuned.synthesis(tiny.mapping(z, psi=0.5)))
    assert torch.equal(tuned.w_avg, tiny.w_avg)
    assert (tuned.num_ws, tuned.w_dim, tuned.z_dim, tuned.c_dim) == (tiny.num_ws, tiny.w_dim, tiny.z_dim, 0)


def test_deltas_of_one_generator_have_fingerprints_of_their_own(tiny):
    one, other = random_delta(tiny, size=0.1).apply(tiny), random_delta(tiny, size=0.2).apply(tiny)
    assert one.fingerprint == random_delta(tiny, size=0.1).apply(tiny).fingerprint != other.fingerprint


def test_a_preview_head_is_not_offered():
    """It was fitted to the weights as they were, and would show another picture."""
    config = MobileConfig(resolution=32, z_dim=8, w_dim=8, channel_base=128, channel_max=8, preview_resolution=16)
    generator = MobileGenerator(config).eval()
    tuned = random_delta(generator).apply(generator)
    assert (generator.resolutions, tuned.resolutions) == ((16, 32), (32,))
    with pytest.raises(UserError, match="32"):
        Renderer(tuned, 16)


def test_another_generator_is_refused_unless_forced(tiny):
    other = make_tiny()
    with torch.no_grad():
        other.synthesis.b4.const += 1
    delta = random_delta(tiny)
    with pytest.raises(UserError, match="tuned on generator"):
        delta.apply(other)
    assert delta.apply(other, force=True).resolution == 16


def test_a_generator_of_another_shape_is_refused_even_if_forced(tiny):
    narrow = Generator(GeneratorConfig(resolution=8, z_dim=32, w_dim=32, mapping_layers=2, channel_base=64))
    with pytest.raises(UserError, match="no counterpart"):
        random_delta(tiny).apply(narrow, force=True)


@pytest.mark.parametrize("content", [b"", b"not a file of tensors", b"\x08\0\0\0\0\0\0\0{}      "])
def test_what_is_no_delta_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "delta.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"delta\.safetensors"):
        WeightDelta.load(path)


def test_a_change_too_large_for_half_precision_is_refused(tiny):
    with pytest.raises(UserError, match="half precision"):
        WeightDelta({"b4.const": torch.full((16, 4, 4), 1e6)}, tiny.fingerprint)


@pytest.mark.parametrize("kind", ["config-f", "mobile"])
def test_by_default_it_is_small(kind):
    """Under 5 MB where the published recipe takes a network; counted on shapes alone."""
    with torch.device("meta"):
        generator = (
            MobileGenerator(MOBILE_FFHQ)
            if kind == "mobile"
            else Generator(GeneratorConfig.preset("config-f", resolution=1024))
        )

    def size(chosen: TuningSettings) -> int:
        originals = tunable_weights(generator, chosen.affines)
        return sum(2 * value.numel() for value in no_change(originals, chosen).values())

    assert size(TuningSettings()) < 5e6 < 14e6 < size(PTI)
