"""Polygons as pixels, against matplotlib's test of each pixel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from latentlab.errors import UserError
from latentlab.translation.data.outlines import Outlines
from latentlab.translation.data.polygons import fill


def by_matplotlib(corners, height, width):
    rows, columns = np.mgrid[:height, :width] + 0.5
    middles = np.stack([columns.ravel(), rows.ravel()], axis=1)
    return Outline(corners, closed=False).contains_points(middles).reshape(height, width)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 40), st.integers(1, 40))
def test_pixels_whose_middle_is_inside_are_filled(seed, corners, height, width):
    places = np.random.default_rng(seed).uniform(-20, 50, (corners, 2))  # no middle lies on an edge
    assert (fill(places, height, width) == by_matplotlib(places, height, width)).all()


def test_a_rectangle_along_the_pixels_has_its_area():
    assert (fill([(2, 1), (6, 1), (6, 4), (2, 4)], 8, 8).nonzero()[1].tolist()) == [2, 3, 4, 5] * 3


def test_an_edge_on_the_middles_belongs_to_one_of_two_neighbours():
    left = fill([(0, 0), (3.5, 0), (3.5, 8), (0, 8)], 8, 8)
    right = fill([(3.5, 0), (8, 0), (8, 8), (3.5, 8)], 8, 8)
    assert (left ^ right).all()


def test_places_far_outside_are_cut_off():
    assert fill([(-1e7, -1e7), (1e7, -1e7), (1e7, 1e7), (-1e7, 1e7)], 5, 7).all()


def test_outlines_of_millions_of_turns_are_refused():
    zigzag = [(k % 7, 999 * (k % 2)) for k in range(10_000)]
    with pytest.raises(UserError, match=r"drawn\.json: an outline crosses the rows .* simplify it"):
        Outlines("drawn.json", "drawn", ((zigzag,),), None).read(1000, 10)


def test_thousands_of_outlines_are_refused_and_many_parts_of_one_take_the_memory_of_one():
    square = ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0))
    with pytest.raises(UserError, match=r"drawn\.json: 10001 outlines in one picture, and up to 10000"):
        Outlines("drawn.json", "drawn", ((square,) * 10_001,), None).read(4, 4)
    assert torch.equal(
        Outlines("drawn.json", "drawn", ((square,) * 1000,), None).read(4, 4),
        Outlines("drawn.json", "drawn", ((square,),), None).read(4, 4),
    )
