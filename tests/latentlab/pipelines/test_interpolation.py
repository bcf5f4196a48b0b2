"""Animations between keyframes: what lies between seeds, codes and photos, and at the seam of a loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

import stylegan2
from latentlab import save_latents
from latentlab.errors import UserError
from latentlab.images import reduce
from latentlab.pipelines import Components, InterpolationSettings, Keyframe, interpolate, keyframes_of
from latentlab.pipelines.interpolation import between_seeds, frame_shares, frames_between
from latentlab.projection import DEFAULTS, Projection, WeightDelta
from latentlab.projection.mixing import mixed_delta
from latentlab.projection.noise import fresh_maps
from latentlab.rendering import Renderer, with_noise_maps
from tests.conftest import TINY, make_tiny, stage_with
from tests.processes import run_command

LIVELY = replace(TINY, mapping_lr_multiplier=1.0)


@pytest.fixture(scope="module")
def generator():
    return make_tiny(LIVELY)


@pytest.fixture(scope="module")
def components(generator):
    return Components.load(generator)


def linear(**fields):
    return InterpolationSettings(psi=1.0, **fields)


def every(frames):
    return frames[list(range(len(frames)))]


# --- where the frames lie -----------------------------------------------------------------------------------


def test_frames_are_evenly_spaced_from_the_first_keyframe_to_the_last():
    positions = linear(frames=9).positions(3)
    assert positions.tolist() == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
    assert len(linear().positions(4)) == 151 and len(linear(loop=True).positions(4)) == 200


def test_the_seam_of_a_loop_has_no_frame_twice():
    positions = linear(frames=8, loop=True).positions(2)
    assert positions.tolist() == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]
    for mode in ("linear", "smooth"):
        shares = frame_shares(positions, 2, mode, loop=True)
        steps = np.diff(np.concatenate([shares, shares[:1]]), axis=0)
        assert np.abs(steps).sum(1).min() > 0.1, "the step from the last frame to the first is one like the others"


@pytest.mark.parametrize("mode", ["linear", "smooth"])
@pytest.mark.parametrize("loop", [False, True])
def test_keyframes_are_passed_and_shares_add_up(mode, loop):
    settings = linear(frames=16 if loop else 13, loop=loop)
    shares = frame_shares(settings.positions(4), 4, mode, loop)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(shares[::4], np.eye(4), atol=1e-12)


def test_linear_keeps_its_speed_and_smooth_has_no_corner():
    codes = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0], [4.0, 2.0]])
    positions = linear(frames=3001).positions(4)
    steps = {mode: np.diff(frame_shares(positions, 4, mode, False) @ codes, axis=0) for mode in ("linear", "smooth")}
    np.testing.assert_allclose(np.linalg.norm(steps["linear"], axis=1), np.repeat([1, 2, 3], 1000) / 1000, atol=1e-9)
    turns = {mode: np.abs(np.diff(step, axis=0)).max() for mode, step in steps.items()}
    assert turns["smooth"] < 0.01 * turns["linear"]
    np.testing.assert_allclose(steps["smooth"][1000] * 1000, (codes[2] - codes[0]) / 2, atol=0.01)


def test_seeds_are_joined_on_great_circles():
    z = stylegan2.z_from_seeds([1, 2, 3], 512).double()
    found = between_seeds(z, linear(frames=21).positions(3), loop=False)
    torch.testing.assert_close(found[[0, 10, 20]], z)
    lengths = found.norm(dim=1)
    torch.testing.assert_close(lengths[:11], torch.linspace(float(z[0].norm()), float(z[1].norm()), 11).double())
    unit = found / lengths[:, None]
    angles = (unit[1:] * unit[:-1]).sum(1).clamp(-1, 1).acos()
    for part in (angles[:10], angles[10:]):
        torch.testing.assert_close(part, part.mean().expand(10))
    whole = float((z[0] @ z[1] / z[0].norm() / z[1].norm()).acos())
    assert float(angles[:10].sum()) == pytest.approx(whole)
    closed = between_seeds(z, linear(frames=6, loop=True).positions(3), loop=True)
    middle = z[2] / z[2].norm() + z[0] / z[0].norm()
    assert float(torch.cosine_similarity(closed[5], middle, dim=0)) == pytest.approx(1)


# --- what they show -----------------------------------------------------------------------------------------


def test_seeds_and_codes_become_images(generator, components, tmp_path):
    ws = generator.mapping(stylegan2.z_from_seeds([5, 6], generator.z_dim), psi=0.5)
    ws[:, 3] += 1
    save_latents(ws, tmp_path / "codes.npy")
    keyframes = keyframes_of(4, tmp_path / "codes.npy", ws[:1, :1])
    assert [keyframe.title for keyframe in keyframes] == [
        "seed 4",
        f"{tmp_path / 'codes.npy'}, code 0",
        f"{tmp_path / 'codes.npy'}, code 1",
        "code",
    ]
    frames = every(frames_between(keyframes, components, InterpolationSettings(frames=7, psi=0.7)))
    seed = generator.mapping(stylegan2.z_from_seeds([4], generator.z_dim), psi=0.7)
    wanted = [seed, (seed + ws[:1]) / 2, ws[:1], ws.mean(0, keepdim=True), ws[1:]]
    wanted += [(ws[1:] + ws[:1, :1]) / 2, ws[:1, :1].expand_as(seed)]
    torch.testing.assert_close(frames, generator.synthesis(torch.cat(wanted)), atol=1e-4, rtol=1e-4)


def test_spherical_passes_the_seeds_of_a_class():
    conditional = make_tiny(replace(LIVELY, c_dim=3))
    settings = InterpolationSettings("spherical", frames=5, class_label=2, psi=0.7)
    frames = frames_between(keyframes_of(1, 2), Components.load(conditional), settings)[[0, 4]]
    wanted = conditional(stylegan2.z_from_seeds([1, 2], 32), torch.eye(3)[[2, 2]], psi=0.7)
    torch.testing.assert_close(frames, wanted, atol=1e-4, rtol=1e-4)


def delta_of(generator, seed, rank=2):
    """A change of two weights: one by thin factors, the other whole."""
    rng = torch.Generator().manual_seed(seed)
    weights = dict(generator.synthesis.named_parameters())
    bias = weights["b8.conv1.bias"]
    (out, inner) = weights["b8.conv1.weight"].flatten(1).shape
    tensors = {
        "b8.conv1.weight:up": torch.randn(out, rank, generator=rng),
        "b8.conv1.weight:down": torch.randn(rank, inner, generator=rng),
        "b8.conv1.bias": torch.randn(bias.shape, generator=rng),
    }
    return WeightDelta({name: 0.3 * value for name, value in tensors.items()}, generator.fingerprint)


def photo_in(folder, generator, seed, delta=None, maps=None):
    """What `latentlab project` keeps of a photo."""
    ws = generator.mapping(stylegan2.z_from_seeds([seed], generator.z_dim))
    latents = with_noise_maps({"ws": ws}, maps or {})
    Projection(latents, DEFAULTS["w+"], torch.ones(1, dtype=torch.int64), torch.ones(1), generator.fingerprint).save(
        folder / "projection.safetensors"
    )
    if delta is not None:
        delta.save(folder / "delta.safetensors")
    return ws


def test_between_photos_the_tuned_weights_change_along(generator, components, tmp_path):
    deltas = [delta_of(generator, 1), delta_of(generator, 2, rank=3)]
    a, b = (photo_in(tmp_path / str(k), generator, k, delta) for k, delta in enumerate(deltas))
    keyframes = keyframes_of(tmp_path / "0", tmp_path / "1", 5, tmp_path / "1" / "projection.safetensors")
    frames = every(frames_between(keyframes, components, linear(frames=7)))
    seed = generator.mapping(stylegan2.z_from_seeds([5], generator.z_dim))
    for row, ws, delta in ((0, a, deltas[0]), (2, b, deltas[1])):
        torch.testing.assert_close(frames[[row]], delta.apply(generator).synthesis(ws), atol=1e-3, rtol=1e-3)
    for row, ws in ((4, seed), (5, (seed + b) / 2), (6, b)):  # of which nothing is tuned
        torch.testing.assert_close(frames[[row]], generator.synthesis(ws), atol=1e-4, rtol=1e-4)
    # Halfway, the weights are the mean of those of both photos.
    halved = make_tiny(LIVELY)
    with torch.no_grad():
        for delta in deltas:
            for name, weight in delta.weights(generator.synthesis).items():
                own = generator.synthesis.get_parameter(name)
                halved.synthesis.get_parameter(name).add_((weight - own) / 2)
    torch.testing.assert_close(frames[[1]], halved.synthesis((a + b) / 2), atol=1e-3, rtol=1e-3)


def test_refined_features_fade_to_where_there_are_none(generator, components, tmp_path):
    refined = WeightDelta({"b8.residual": torch.randn(1, 16, 8, 8)}, generator.fingerprint)
    ws = photo_in(tmp_path / "a", generator, 1, refined)
    frames = every(frames_between(keyframes_of(tmp_path / "a", ws), components, linear(frames=3)))
    half = WeightDelta({"b8.residual": refined.tensors["b8.residual"].float() / 2}, generator.fingerprint)
    for row, delta in ((0, refined), (1, half)):
        torch.testing.assert_close(frames[[row]], delta.apply(generator).synthesis(ws), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(frames[[2]], generator.synthesis(ws), atol=1e-4, rtol=1e-4)


def test_a_whole_change_and_one_of_low_rank_add_up(generator):
    thin = delta_of(generator, 1)
    weight = generator.synthesis.get_parameter("b8.conv1.weight")
    whole = WeightDelta({"b8.conv1.weight": torch.ones_like(weight)}, generator.fingerprint)
    mixed = mixed_delta([thin, None, whole], [0.5, 1.0, 2.0])
    wanted = weight + 0.5 * (thin.weights(generator.synthesis)["b8.conv1.weight"] - weight) + 2
    torch.testing.assert_close(mixed.weights(generator.synthesis)["b8.conv1.weight"], wanted, atol=2e-3, rtol=2e-3)
    assert mixed_delta([None, thin], [1.0, 0.0]) is None


def test_noise_maps_keep_their_size(generator, components, tmp_path):
    maps = [fresh_maps(generator, seed) for seed in (1, 2)]
    a, b = (photo_in(tmp_path / str(k), generator, k, maps=own) for k, own in enumerate(maps))
    keyframes = keyframes_of(tmp_path / "0", tmp_path / "1", 5, 6)
    frames = every(frames_between(keyframes, components, linear(frames=7)))
    between = {}
    for name in maps[0]:
        added = maps[0][name] + maps[1][name]
        size = sum(own[name].square().mean().sqrt() for own in maps) / 2
        between[name] = added * size / added.square().mean().sqrt()
    for row, ws, own in ((0, a, maps[0]), (1, (a + b) / 2, between), (2, b, maps[1])):
        wanted = Renderer(generator, 16)(with_noise_maps({"ws": ws}, own))
        torch.testing.assert_close(frames[[row]], wanted, atol=1e-4, rtol=1e-4)
    seeds = generator.mapping(stylegan2.z_from_seeds([5, 6], generator.z_dim))  # both have the generator's own maps
    torch.testing.assert_close(frames[[5]], generator.synthesis(seeds.mean(0, keepdim=True)), atol=1e-4, rtol=1e-4)


def test_frames_have_the_size_that_is_asked_for(generator, components):
    small = every(frames_between(keyframes_of(1, 2), components, linear(frames=3, resolution=8)))
    large = every(frames_between(keyframes_of(1, 2), components, linear(frames=3)))
    assert large.shape == (3, 3, 16, 16)
    torch.testing.assert_close(small, reduce(large, 8))


def test_every_frame_is_rendered_once_and_a_batch_at_a_time(components, tmp_path):
    steps = []
    settings = linear(frames=40, resolution=8, batch_size=8)
    interpolate(keyframes_of(1, 2), tmp_path / "a.gif", components, settings, stage_with(lambda *s: steps.append(s)))
    assert steps == [(8 * k, 40) for k in range(1, 6)]
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.size) == (40, (8, 8))


# --- what cannot be -----------------------------------------------------------------------------------------


def refusal(keyframes, components, **fields):
    with pytest.raises(UserError) as refused:
        frames_between(keyframes, components, InterpolationSettings(**fields))
    return str(refused.value)


def test_what_does_not_go_together_is_refused(generator, components, tmp_path):
    assert "between two keyframes or more, and 1 is given" in refusal(keyframes_of(1), components)
    assert "2 frames cannot show 3 keyframes" in refusal(keyframes_of(1, 2, 3), components, frames=2)
    assert "1 to 16 pixels" in refusal(keyframes_of(1, 2), components, resolution=32)
    assert "has no class 1" in refusal(keyframes_of(1, 2), components, class_label=1)
    code = torch.zeros(1, generator.num_ws, generator.w_dim)
    assert "between seeds, in Z, and code is a code of W" in refusal(
        keyframes_of(1, code), components, mode="spherical"
    )
    wide = keyframes_of(1, torch.zeros(1, 3, 7))
    assert "code has a latent code of 3 rows of 7 numbers, and this generator takes" in refusal(wide, components)
    long = keyframes_of(1, torch.randn(1, generator.num_ws + 2, generator.w_dim))
    assert "match them by resolution with --match-rows" in refusal(long, components)
    fitting = [keyframe.with_rows(generator.num_ws) for keyframe in long]
    assert len(frames_between(fitting, components, InterpolationSettings(frames=3))) == 3
    assert torch.equal(fitting[1].codes["ws"], long[1].codes["ws"][:, : generator.num_ws])
    photo_in(tmp_path / "a", make_tiny(replace(TINY, w_dim=16)), 1)
    other = keyframes_of(1, tmp_path / "a")
    assert f"{tmp_path / 'a'} was projected with another generator" in refusal(other, components)
    refined = [
        Keyframe("a", codes={"ws": code}, delta=WeightDelta({f"b{size}.residual": torch.zeros(1, 16, size, size)}, ""))
        for size in (8, 16)
    ]
    for keyframe in refined:
        object.__setattr__(keyframe.delta, "generator", generator.fingerprint)
    assert "refined at 8 and 16 pixels" in refusal(refined, components)
    with pytest.raises(UserError, match="the mode is one of linear, smooth, spherical"):
        InterpolationSettings("cubic")


def test_folders_that_are_no_photos_say_which_are(generator, tmp_path):
    photo_in(tmp_path / "out" / "me", generator, 1)
    with pytest.raises(UserError, match=r"no projection\.safetensors; give those of photos in it, such as .*me"):
        keyframes_of(tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="latentlab project writes one"):
        keyframes_of(tmp_path / "empty")
    in_s = Projection(
        {"style.b4": torch.ones(1, 8)}, DEFAULTS["s"], torch.ones(1, dtype=torch.int64), torch.ones(1), ""
    )
    in_s.save(tmp_path / "s" / "projection.safetensors")
    with pytest.raises(UserError, match=r"is of space s.*project the photo into w or w\+"):
        keyframes_of(tmp_path / "s")


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(generator, tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    stylegan2.save(generator, path)
    return path


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_the_command_writes_an_animation(network, generator, tmp_path, suffix):
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg")
    photo_in(tmp_path / "me", generator, 1)
    words = ["600-601", "me", "--network", network, "--frames", "6", "--fps", "10", "--loop", "--out", f"a{suffix}"]
    done = run_command("interpolate", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"6 frames between 3 keyframes are written to a{suffix}\n"
    if suffix == ".gif":
        with Image.open(tmp_path / "a.gif") as gif:
            assert (gif.n_frames, gif.size) == (6, (16, 16))
            assert {frame.info["duration"] for frame in ImageSequence.Iterator(gif)} == {100}
    else:
        header = next(__import__("imageio_ffmpeg").read_frames(str(tmp_path / "a.mp4")))
        assert (header["fps"], header["size"]) == (10, (16, 16)) and header["duration"] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["600"], "two keyframes or more, and 1 is given"),
        (["600-"], "seeds are numbers and ranges"),
        (["600", "missing.pt"], "cannot read missing.pt"),
        (["600,601", "--out", "a.png"], "ends in .gif or .mp4"),
        (["600,601", "--fps", "60"], "at most 50"),
        (["600,601", "--frames", "2", "--class", "0"], "it has no class 0"),
        (["codes.npy", "codes.npy", "--psi", "0.5"], "--psi has no effect without seeds"),
        (["codes.npy", "600", "--mode", "spherical"], "between seeds, in Z, and codes.npy is a code of W"),
        (["codes.npy", "600", "--out", "codes.npy"], "codes.npy is what is read"),
    ],
)
def test_what_cannot_be_animated_is_refused(refused, network, generator, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    np.save("codes.npy", np.zeros((generator.num_ws, generator.w_dim), np.float32))
    assert message in refused("interpolate", *words, "--network", network)
    assert [path.name for path in tmp_path.iterdir()] == ["codes.npy"]
