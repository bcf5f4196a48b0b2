"""The space S: style channels, directions of them, and edits in every space."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import stylegan2
from latentlab.directions import Direction, StyleChannels, StyleSpace, cosine, directions_of
from latentlab.directions.styles import styles_of_w
from latentlab.editing import edit, edit_styles, move
from latentlab.errors import UserError
from latentlab.mapping import latents_of_seeds, ws_of_seeds
from latentlab.pipelines.edits import latents_of, render_edits
from latentlab.rendering import Renderer, from_styles, styles_of, ws_of

SEEDS = range(40)


@pytest.fixture(scope="module")
def w(tiny):
    with torch.no_grad():
        return ws_of_seeds(tiny, SEEDS, 0.7)[:, 0].numpy()


@pytest.fixture(scope="module")
def space(tiny, w):
    return StyleSpace.measure(tiny, w)


def channels(*names, scales=None):
    layers, indices = zip(*(name.split(":") for name in names), strict=True)
    return StyleChannels(layers, [int(index) for index in indices], [1.0] * len(names) if scales is None else scales)


def in_s(vector, chosen, **card):
    vector = np.asarray(vector, dtype=np.float32)
    return Direction(vector / np.linalg.norm(vector), "smile", "m", "s", channels=chosen, **card)


def test_the_space_leaves_out_what_makes_colours(tiny, w, space):
    styles = styles_of_w(tiny, w)
    assert any(name.endswith("torgb") for name in styles) and not any(name.endswith("torgb") for name in space.layers)
    assert len(space.names) == len(space) == sum(space.widths)
    rows = space.standardise(styles)
    moving = space.scale > 0
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(rows[:, moving].std(axis=0), 1, atol=1e-5)
    column = space.names.index("b8.conv1:3")
    np.testing.assert_allclose(space.flatten(styles)[:, column], styles["b8.conv1"][:, 3], atol=1e-6)
    with pytest.raises(UserError, match="0 channels of b8.conv0, not 16: of another generator"):
        space.flatten({name: style for name, style in styles.items() if name != "b8.conv0"})


def test_a_direction_of_styles_comes_back_from_its_file(tmp_path):
    chosen = channels("b8.conv1:3", "b4.conv1:7", scales=[0.5, 2.0])
    direction = in_s([1, -2], chosen, intercept=0.25, sigma=1.5, strength_range=(-1, 3), generator="g")
    direction.save(tmp_path / "a.safetensors")
    back = Direction.load(tmp_path / "a.safetensors")
    assert back.channels.names == chosen.names == ("b8.conv1:3", "b4.conv1:7")
    np.testing.assert_array_equal(back.channels.scales, chosen.scales)
    np.testing.assert_array_equal(back.vector, direction.vector)
    assert replace(back, vector=direction.vector, channels=chosen).__dict__ == direction.__dict__
    assert "s, 2 style channels" in back.card() and "b8.conv1, b4.conv1" in back.card()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Direction(np.eye(1, 4)[0], "a", "m", "s"), "of space s, and no other, has style channels"),
        (lambda: Direction(np.eye(1, 4)[0], "a", "m", "w", channels=channels("b4:1")), "of space s, and no other"),
        (lambda: in_s([1, 1], channels("b4:1")), "not 2 for 1"),
        (lambda: in_s([1], channels("b4:1"), layers=(0,)), "takes no layers"),
        (lambda: channels("b4:1", "b4:1"), "distinct"),
        (lambda: channels("b4:-1"), "from 0"),
        (lambda: channels("b4:1", scales=[0.0]), "above 0"),
        (lambda: StyleChannels(("b4",), [1, 2], [1.0]), "a scale each"),
    ],
)
def test_impossible_channels_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_channels_must_fit_the_generator(tiny):
    in_s([1], channels("b8.conv1:3")).check(tiny, force=True)
    with pytest.raises(UserError, match="no layer b64.conv1; its styles are of b4.conv1"):
        in_s([1], channels("b64.conv1:3")).check(tiny, force=True)
    with pytest.raises(UserError, match="no channel b8.conv1:4000: b8.conv1 has"):
        in_s([1], channels("b8.conv1:4000")).check(tiny, force=True)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_strengths_in_s_add_up_and_move_the_coordinate_by_as_much(first, second):
    styles = {"b4": torch.randn(2, 5, generator=torch.Generator().manual_seed(0)), "b8": torch.zeros(2, 3)}
    direction = in_s([1, 2, -2], channels("b4:1", "b8:2", "b4:4", scales=[0.5, 2.0, 1.0]), intercept=0.3)
    moved = edit_styles(edit_styles(styles, direction, first), direction, second)
    at_once = edit_styles(styles, direction, first + second)
    for layer in styles:
        torch.testing.assert_close(moved[layer], at_once[layer], atol=1e-5, rtol=0)
    shift = direction.coordinates(at_once) - direction.coordinates(styles)
    np.testing.assert_allclose(shift, first + second, atol=1e-5)
    placed = edit_styles(styles, direction, torch.tensor([first, second]), "place")
    np.testing.assert_allclose(direction.decision_function(placed), [first, second], atol=1e-5)
    assert torch.equal(at_once["b4"][:, [0, 2, 3]], styles["b4"][:, [0, 2, 3]]), "other channels stay"


def test_moves_go_down_from_z_to_styles(tiny):
    unit = np.eye(1, tiny.z_dim, 2, dtype=np.float32)[0]
    in_z = Direction(unit, "a", "m", "z")
    in_w = Direction(np.eye(1, tiny.w_dim, 1, dtype=np.float32)[0], "b", "m", layers=(0, 1))
    of_s = in_s([1, 1], channels("b4.conv1:1", "b8.conv1:2", scales=[0.5, 0.25]))
    latents = latents_of_seeds(tiny, [1, 2], 0.7)
    torch.testing.assert_close(ws_of(latents, tiny), ws_of_seeds(tiny, [1, 2], 0.7))
    with torch.no_grad():
        moved = move(latents, 2 * of_s + in_z * 0.5 - in_w, tiny)
        ws = tiny.mapping(latents["z"] + 0.5 * torch.from_numpy(unit), psi=0.7)
        styles = tiny.synthesis.styles(edit(ws, in_w, -1.0))
        styles["b4.conv1"][:, 1] += 2 * 0.5 / 2**0.5
        styles["b8.conv1"][:, 2] += 2 * 0.25 / 2**0.5
        torch.testing.assert_close(Renderer(tiny, 16)(moved), tiny.synthesis.from_styles(styles), atol=1e-5, rtol=0)


def test_what_latents_do_not_have_cannot_be_moved(tiny, w):
    ws = torch.from_numpy(w[:2])[:, None].repeat(1, tiny.num_ws, 1)
    in_z = Direction(np.eye(1, tiny.z_dim, dtype=np.float32)[0], "a", "m", "z")
    in_w = Direction(np.eye(1, tiny.w_dim, dtype=np.float32)[0], "b", "m")
    with pytest.raises(UserError, match="the a direction moves z, which these latents do not have"):
        move(ws, 1 * in_z, tiny)
    with pytest.raises(UserError, match="the b direction moves ws, and styles come from none"):
        move(from_styles(styles_of({"ws": ws}, tiny)), 1 * in_w, tiny)
    with pytest.raises(UserError, match="takes all spaces"):
        edit(ws, in_s([1], channels("b4.conv1:1")), 1.0)


def test_edits_of_samples_in_every_space_are_rendered(tiny, w):
    from latentlab.samples import SampleTable

    table = SampleTable(np.arange(2), np.full(2, 0.7, np.float32), w[:2], np.zeros((2, 1), np.float32), ("a",))
    for direction in (
        Direction(np.eye(1, tiny.z_dim, dtype=np.float32)[0], "a", "m", "z"),
        Direction(np.eye(1, tiny.w_dim, dtype=np.float32)[0], "a", "m"),
        in_s([1], channels("b4.conv1:1")),
    ):
        made = list(render_edits(latents_of(table, direction, tiny), direction, [0.0, 2.0], Renderer(tiny, 16), None))
        assert len(made) == 4
        with torch.no_grad():
            plain = tiny.synthesis(torch.from_numpy(w[:1])[:, None].repeat(1, tiny.num_ws, 1))
        torch.testing.assert_close(made[0].image, plain, atol=1e-4, rtol=0)
        assert not torch.equal(made[1].image, made[0].image), direction.space


def test_orthogonality_in_s_holds_channel_by_channel():
    smile = in_s([1, 1, 1], channels("b4:1", "b4:2", "b8:1", scales=[1.0, 2.0, 3.0]), generator="g")
    other = in_s([1, 5], channels("b4:2", "b16:1", scales=[4.0, 1.0]), generator="g")
    found = smile.orthogonal_to(other)
    assert found.channels is smile.channels
    np.testing.assert_allclose(found.vector, np.array([1, 0, 1]) / 2**0.5, atol=1e-6)
    assert cosine(found, other) == pytest.approx(0, abs=1e-6)
    assert cosine(smile, smile) == pytest.approx(1)
    with pytest.raises(UserError, match="space s and one of w have no cosine"):
        cosine(smile, Direction(np.eye(1, 3)[0], "a", "m"))


def test_the_plane_of_an_orthogonal_direction_is_the_old_one_where_the_condition_has_its_mean():
    rng = np.random.default_rng(0)
    w = rng.normal(1.0, [1, 2, 0.5], (400, 3))
    smile = Direction(np.array([0.6, 0.8, 0]), "smile", "m", intercept=-0.7)
    other = Direction(np.array([0.0, 1.0, 0]), "other", "m", intercept=-2.0)
    found = smile.orthogonal_to(other, w=w)
    assert found.sigma == pytest.approx(w[:, 0].std(), rel=1e-5)
    on_plane = np.array([[(0.7 - 0.8 * w[:, 1].mean()) / 0.6, w[:, 1].mean(), 0.3]])
    assert smile.decision_function(on_plane) == pytest.approx(0, abs=1e-6)
    assert found.decision_function(on_plane) == pytest.approx(0, abs=1e-6)
    fixed = np.array([[(0.7 - 0.8 * 2.0) / 0.6, 2.0, 0.0]])  # on both old planes
    assert smile.orthogonal_to(other).decision_function(fixed) == pytest.approx(0, abs=1e-6)


def test_a_finder_in_s_gives_a_direction_of_the_channels_that_it_moves(tiny, w, space):
    count = len(space)

    class Two:
        space = "s"
        direction_ = np.zeros(count)
        intercept_ = -0.5

    Two.direction_[[5, 40]] = 3, -4  # of length 5: scaled to 1, with its intercept
    x = space.standardise_w(tiny, w)
    (direction,) = directions_of(Two(), x, "smile", styles=space)
    assert direction.channels.names == (space.names[5], space.names[40])
    np.testing.assert_allclose(direction.vector, [0.6, -0.8], atol=1e-6)
    expected = (x @ Two.direction_ - 0.5) / 5
    np.testing.assert_allclose(direction.decision_function(styles_of_w(tiny, w)), expected, atol=1e-4)
    assert direction.sigma == pytest.approx(expected.std(), rel=1e-5)
    with pytest.raises(UserError, match="the style space that it learnt in"):
        directions_of(Two(), x, "smile")


def test_what_carries_a_direction(tiny):
    one = in_s([1], channels("b8.conv1:3", scales=[0.5])).explain(tiny)
    assert one.layers["b8.conv1"] == pytest.approx(1) and list(one.channels) == ["b8.conv1:3"]
    layered = Direction(np.eye(1, tiny.w_dim, dtype=np.float32)[0], "a", "m", layers=(1,)).explain(tiny)
    assert layered.layers["b8.conv0"] == pytest.approx(1), "row 1 is that of b8.conv0"
    everywhere = Direction(np.eye(1, tiny.w_dim, dtype=np.float32)[0], "a", "m").explain(tiny)
    assert sum(everywhere.layers.values()) == pytest.approx(1) and min(everywhere.layers.values()) > 0
    sizes = np.abs(list(everywhere.channels.values()))
    assert (np.diff(sizes) <= 0).all() and len(everywhere.top(3)) == 3
    assert "| b8.conv1 | 100.0% |" in str(one)


@pytest.mark.weights
def test_previews_of_styles_are_those_of_ws():
    generator = stylegan2.load("mobile-ffhq")
    ws = ws_of_seeds(generator, [3], 0.7)
    with torch.no_grad():
        expected = generator.synthesis(ws, resolution=256)
        styles = generator.synthesis.styles(ws)
        assert torch.equal(generator.synthesis.from_styles(styles, resolution=256), expected)
        assert torch.equal(Renderer(generator, 256)(from_styles(styles)), expected)
    with pytest.raises(ValueError, match="missing: preview"):
        generator.synthesis.from_styles({k: v for k, v in styles.items() if k != "preview"}, resolution=256)
