"""Directions for generators with another number of layers, and for some layers alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab.directions import Direction, load_direction, match_layers
from latentlab.editing import edit, from_published
from latentlab.errors import UserError
from tests.latentlab.directions.made_up import DIM, make, unequal


def moved_rows(direction: Direction, num_ws: int, strength: float) -> np.ndarray:
    return edit(torch.zeros(1, num_ws, direction.width), direction, strength)[0].numpy()


@pytest.mark.parametrize("num_ws", [10, 16, 18, 20])
def test_rows_are_matched_by_resolution(data, num_ws):
    path = data / "directions" / "rows_differ_18x512.npy"
    published = np.load(path)
    direction = match_layers(load_direction(path), num_ws)
    wanted = published[[min(row, 17) for row in range(num_ws)]]
    np.testing.assert_allclose(moved_rows(direction, num_ws, from_published(direction, 0.5)), wanted / 2, atol=1e-5)


def test_some_layers_alone_move_as_before(data):
    rows = np.load(data / "directions" / "rows_differ_18x512.npy")
    whole = replace(load_direction(data / "directions" / "rows_differ_18x512.npy"), strength_range=(-2.0, 1.0))
    coarse = match_layers(whole, 16, range(4))
    moved = moved_rows(coarse, 16, from_published(coarse, 1.0))
    np.testing.assert_allclose(moved[:4], rows[:4], atol=1e-5)
    assert not moved[4:].any()
    # The calibrated range, in lengths of the longest row that is left, still goes as far as it did.
    away, _ = coarse.strength_range
    np.testing.assert_allclose(moved_rows(coarse, 16, away)[:4], moved_rows(whole, 18, -2.0)[:4], atol=1e-5)


def test_a_single_vector_moves_the_layers_that_are_chosen():
    assert match_layers(make(), 6, [0, 2]).layers == (0, 2)
    assert match_layers(make(), 6).layers is None
    assert match_layers(make(layers=(1, 9)), 6).layers == (1,)
    assert match_layers(make(), 6, [0, 2]).sigma == make().sigma


def test_layers_that_are_none_are_refused():
    rows = Direction(unequal(3, DIM), "happy", "m", "w+")
    for direction in (make(), rows):
        with pytest.raises(UserError, match="the layers 0 to 5, not 6"):
            match_layers(direction, 6, [1, 6])
        with pytest.raises(UserError, match="moves none"):
            match_layers(direction, 6, [])
    with pytest.raises(UserError, match="moves none"):
        match_layers(make(layers=(8,)), 6)


def test_style_channels_are_no_layers():
    smile = load_direction("smile")
    assert match_layers(smile, 16).channels is smile.channels
    with pytest.raises(UserError, match="leave --layers out, or take a direction of w, such as smile-w"):
        match_layers(smile, 16, [0, 1])
