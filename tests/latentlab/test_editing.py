"""Editing: both ways to move, how far to go, and what the scorer says of the result."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlab.directions import Direction
from latentlab.editing import (
    default_strengths,
    edit,
    from_sigmas,
    in_sigmas,
    in_w,
    move,
    strength_range,
    walk,
)
from latentlab.errors import UserError
from latentlab.samples import EditTable

DIM, ROWS = 5, 4
NORMAL = np.array([0.6, 0, 0, -0.8, 0], dtype=np.float32)


def direction(**changes) -> Direction:
    return Direction(NORMAL, **{"attribute": "a", "method": "m", "intercept": 0.5, "sigma": 0.25, **changes})


def some_ws(b: int = 3) -> torch.Tensor:
    return torch.randn(b, ROWS, DIM, generator=torch.Generator().manual_seed(0))


def test_adding_is_its_definition():
    ws = some_ws()
    strength = torch.tensor([1.0, -2.0, 0.0])
    moved = edit(ws, direction(), strength)
    torch.testing.assert_close(moved, ws + strength[:, None, None] * torch.from_numpy(NORMAL))
    torch.testing.assert_close(edit(ws, direction(), 1.5)[1:2], edit(ws[1:2], direction(), 1.5))


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_adding_adds_up_and_comes_back(a, b):
    ws = some_ws()
    torch.testing.assert_close(
        edit(edit(ws, direction(), a), direction(), b), edit(ws, direction(), a + b), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(edit(edit(ws, direction(), a), -direction(), a), ws, atol=1e-5, rtol=0)


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_placing_lands_at_the_distance_from_anywhere(before, distance):
    ws = some_ws()
    placed = edit(edit(ws, direction(), before), direction(), distance, mode="place")
    landed = placed @ torch.from_numpy(NORMAL) + 0.5
    torch.testing.assert_close(landed, torch.full_like(landed, distance), atol=1e-5, rtol=0)
    # What is orthogonal to the direction stays.
    torch.testing.assert_close(placed[..., [1, 2, 4]], ws[..., [1, 2, 4]])
    torch.testing.assert_close(placed, edit(ws, direction(), distance, mode="place"), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["add", "place"])
def test_other_layers_stay(mode):
    ws = some_ws()
    moved = edit(ws, direction(layers=(1, 3)), 2.0, mode)
    assert torch.equal(moved[:, [0, 2]], ws[:, [0, 2]])
    torch.testing.assert_close(moved[:, [1, 3]], edit(ws, direction(), 2.0, mode)[:, [1, 3]])


@given(st.floats(-5, 5))
def test_equal_rows_are_their_single_vector(strength):
    single, equal = direction(), direction(space="w+")
    equal = replace(equal, vector=np.tile(NORMAL, (ROWS, 1)))
    ws = some_ws()
    torch.testing.assert_close(edit(ws, equal, strength), edit(ws, single, strength))
    mapped = ws[:, :1].expand(-1, ROWS, -1)  # as the mapping network gives them: placing moves these alike, too
    torch.testing.assert_close(edit(mapped, equal, strength, "place"), edit(mapped, single, strength, "place"))


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_row_a_layer_moves_each_and_places_the_whole(strength, distance):
    rows = np.random.default_rng(0).standard_normal((ROWS, DIM)).astype(np.float32)
    rows[1] = 0
    rows /= np.linalg.norm(rows, axis=1).max()
    layered = direction(space="w+")
    layered = replace(layered, vector=rows)
    ws = some_ws()
    moved = edit(ws, layered, strength)
    torch.testing.assert_close(moved, ws + strength * torch.from_numpy(rows))
    assert torch.equal(moved[:, 1], ws[:, 1])
    torch.testing.assert_close(edit(moved, -layered, strength), ws, atol=1e-5, rtol=0)
    placed = edit(moved, layered, distance, "place")
    landed = (placed * torch.from_numpy(rows)).sum((1, 2)) / np.square(rows).sum() + 0.5
    torch.testing.assert_close(landed, torch.full_like(landed, distance), atol=1e-4, rtol=0)
    torch.testing.assert_close(placed, edit(ws, layered, distance, "place"), atol=1e-4, rtol=0)


@pytest.mark.parametrize("mode", ["add", "place"])
def test_gradients_reach_ws_and_strength(mode):
    ws = some_ws().double().requires_grad_()
    strength = torch.tensor([1.0, -2.0, 0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w, s: edit(w, direction(layers=(0, 2)), s, mode), (ws, strength))


def test_what_does_not_fit_is_refused():
    ws = some_ws()
    layered = replace(direction(space="w+"), vector=np.tile(NORMAL, (ROWS, 1)))
    for bad, words in [
        ({"direction": direction(space="z")}, "do not fit"),
        ({"direction": direction(layers=(4,))}, "4 rows"),
        ({"direction": direction(intercept=None), "mode": "place"}, "no hyperplane"),
        ({"mode": "put"}, "mode"),
        ({"strength": torch.ones(2)}, "strength"),
        ({"ws": ws[:, :3], "direction": layered}, "4 rows, the generator's ws have 3 rows"),
        ({"ws": ws[..., :3]}, "do not fit"),
        ({"ws": ws[0]}, "do not fit"),
    ]:
        with pytest.raises(UserError, match=words):
            edit(**{"ws": ws, "direction": direction(), "strength": 1.0, **bad})
    with pytest.raises(UserError, match="no sigma"):
        in_sigmas(direction(sigma=None), 1.0)


def test_sigmas_and_units_of_w_convert():
    assert in_sigmas(direction(), 1.0) == 4.0
    assert from_sigmas(direction(), in_sigmas(direction(), 0.7)) == pytest.approx(0.7)


@given(st.lists(st.floats(-3, 3), max_size=4), st.randoms())
def test_several_edits_at_once_are_one_after_another_in_any_order(strengths, order):
    ws = some_ws()
    others = [direction(layers=(k,)) if k % 2 else -direction() for k in range(len(strengths))]
    pairs = list(zip(others, strengths, strict=True))
    expected = ws
    for one, strength in pairs:
        expected = edit(expected, one, strength)
    order.shuffle(pairs)
    torch.testing.assert_close(move(ws, pairs, SimpleNamespace(num_ws=ROWS))["ws"], expected, atol=1e-5, rtol=0)
    back = [(one, -strength) for one, strength in pairs]
    torch.testing.assert_close(move(expected, back, SimpleNamespace(num_ws=ROWS))["ws"], ws, atol=1e-5, rtol=0)


def test_a_walk_is_an_edit_for_each_strength():
    ws = some_ws()
    steps = walk(ws, direction(), [-1.0, 0.0, 2.0])
    assert steps.shape == (3, 3, ROWS, DIM)
    torch.testing.assert_close(steps[:, 1], ws)
    torch.testing.assert_close(steps[:, 2], edit(ws, direction(), 2.0))


def make_table() -> EditTable:
    scores = np.random.default_rng(0).random((3, 2, 2)).astype(np.float32)
    return EditTable(np.array([7, 3, 9]), np.array([0.5, -0.5]), scores, ("a", "b"))


def test_the_table_comes_back(tmp_path):
    table = make_table()
    table.save(tmp_path / "edits.parquet")
    back = EditTable.load(tmp_path / "edits.parquet")
    assert back.names == table.names
    for name in ("seeds", "strengths", "scores"):
        np.testing.assert_array_equal(getattr(back, name), getattr(table, name))
    assert back.reached is None


def test_the_table_of_a_target_comes_back_with_each_face_s_own_strength(tmp_path):
    shared = make_table()
    own, reached = np.array([[0, 0.5], [0, -0.25], [0, 0]]), np.array([True, False, True])
    table = replace(shared, strengths=own, reached=reached)
    table.save(tmp_path / "edits.parquet")
    back = EditTable.load(tmp_path / "edits.parquet")
    for name in ("seeds", "strengths", "scores", "reached"):
        np.testing.assert_array_equal(getattr(back, name), getattr(table, name))
    replace(shared, names=("reached", "b")).save(tmp_path / "edits.parquet")  # a score may be called so
    assert EditTable.load(tmp_path / "edits.parquet").names == ("reached", "b")
    for wrong in ({"strengths": own[:2]}, {"reached": reached[:2]}):
        with pytest.raises(ValueError, match="not"):
            replace(table, **wrong)


@pytest.mark.parametrize("content", [b"", b"PAR1PAR1"])
def test_broken_tables_are_refused(tmp_path, content):
    (tmp_path / "edits.parquet").write_bytes(content)
    with pytest.raises(UserError, match="edits.parquet"):
        EditTable.load(tmp_path / "edits.parquet")


def test_default_strengths_are_those_of_the_calibrated_range():
    smile = direction(strength_range=(-1.65611, 1.38009))
    assert default_strengths(smile) == (-1.66, 0, 1.38)
    assert default_strengths(smile, 5) == (-1.66, -0.828, 0, 0.69, 1.38)
    for steps in (1, 4):
        with pytest.raises(UserError, match=f"an odd number, at least 3, not {steps}"):
            default_strengths(smile, steps)
    assert strength_range(direction(sigma=0.5)) == (-1.5, 1.5)
    assert strength_range(direction(sigma=None)) == (-2, 2)


def test_strengths_in_other_units():
    assert in_w(direction(sigma=0.5), 3, "sigma") == 1.5
    assert in_w(direction(statistics={"length": 20.0}), -0.1, "published") == pytest.approx(-2)
    assert in_w(direction(), 3, "w") == 3
