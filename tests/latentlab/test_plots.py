"""Figures: what is drawn where. (How they look was judged by eye.)"""

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab.errors import UserError
from latentlab.plots import grid_figure, interval_figure, response_figure, tradeoff_figure, walk_figure

LEVELS = torch.linspace(-0.9, 0.9, 6).reshape(2, 3)


def flat_pictures(side: int = 64) -> torch.Tensor:
    """Two faces at three strengths, each of one grey level of its own."""
    return LEVELS[:, :, None, None, None].expand(2, 3, 3, side, side)


def draw(path, side=64, strengths=(-1.0, 0.0, 1.0), **options):
    walk_figure(flat_pictures(side), np.full((2, 3), 0.5), strengths, ["one", "two"], path, **options)
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize("side", [16, 64, 400])
def test_every_picture_is_in_its_place(tmp_path, side):
    image = draw(tmp_path / "walk.png", side)
    levels = ((LEVELS + 1) * 127.5).round().int()
    places = {}
    for row in range(2):
        for column in range(3):
            hits = np.argwhere((np.abs(image - int(levels[row, column])) <= 1).all(-1))
            # The flat square is by far the largest patch of its grey; letters share some greys.
            places[row, column] = np.median(hits, axis=0)
            assert len(hits) > 0.9 * 180**2
    for row in range(2):
        assert places[row, 0][1] < places[row, 1][1] < places[row, 2][1]
    for column in range(3):
        assert places[0, column][0] < places[1, column][0]


def test_the_unedited_column_alone_is_framed(tmp_path):
    blue = np.array([0x00, 0x72, 0xB2])

    def framed(strengths):
        image = draw(tmp_path / "walk.png", strengths=strengths)
        return (np.abs(image - blue).sum(-1) < 30).any(axis=0).nonzero()[0]

    columns = framed((-1.0, 0.0, 1.0))
    assert 150 < np.ptp(columns) < 200  # one picture wide
    assert not len(framed((-1.0, 0.5, 1.0)))


def test_the_resolution_follows_dpi(tmp_path):
    small, large = draw(tmp_path / "a.png", dpi=50), draw(tmp_path / "b.png", dpi=100)
    assert large.shape[0] == pytest.approx(2 * small.shape[0], abs=2)


def test_pictures_beyond_the_range_are_clamped(tmp_path):
    pictures = flat_pictures() * 10
    walk_figure(pictures, np.zeros((2, 3)), [-1, 0, 1], ["a", "b"], tmp_path / "walk.png")
    image = np.asarray(Image.open(tmp_path / "walk.png").convert("RGB"))
    assert (image == 0).all(-1).sum() > 2.9 * 180**2  # the lower three levels, less the frame


def test_wrong_counts_are_refused(tmp_path):
    for scores, strengths, titles in [
        (np.zeros((3, 2)), [1, 2, 3], ["a", "b"]),
        (np.zeros((2, 3)), [1, 2], ["a", "b"]),
        (np.zeros((2, 3)), [1, 2, 3], ["a"]),
    ]:
        with pytest.raises(ValueError, match="2 × 3 pictures"):
            walk_figure(flat_pictures(), scores, strengths, titles, tmp_path / "walk.png")


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_response_figures_are_drawn_in_every_format(tmp_path, suffix):
    strengths = np.array([2.0, -1.0, 0.0])
    scores = np.random.default_rng(0).random((20, 3))
    path = tmp_path / f"response.{suffix}"
    response_figure({"LinearSVM": (strengths, scores), "MeanDifference": (strengths, scores)}, path, "happy")
    start = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[suffix]
    assert path.read_bytes().startswith(start)


def test_unknown_formats_and_places_are_refused(tmp_path):
    with pytest.raises(UserError, match="ends in one of.*png"):
        draw(tmp_path / "walk.bmp2")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        draw(tmp_path / "file" / "walk.png")


@pytest.mark.parametrize("width", [40, 80])
def test_every_picture_of_a_grid_is_in_its_place(tmp_path, width):
    pictures = LEVELS[:, :, None, None, None].expand(2, 3, 3, 40, width)
    grid_figure(pictures, ["a", "b", "c"], ["one", "two\nlines"], tmp_path / "grid.png")
    image = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB")).astype(int)
    places = {}
    for row in range(2):
        for column in range(3):
            hits = np.argwhere((np.abs(image - int((LEVELS[row, column] + 1) * 127.5)) <= 1).all(-1))
            places[row, column] = np.median(hits, axis=0)
            assert len(hits) > 0.9 * 165 * 165 * width / 40
    assert places[0, 0][1] < places[0, 1][1] < places[0, 2][1] and places[0, 0][0] < places[1, 0][0]


def test_curves_points_and_intervals_are_drawn(tmp_path):
    """What is drawn more changes the picture, what is not a number does not end it, and many names find a colour."""
    curves = {f"method {k}": [(0.1 * k, 0.9), (0.2 * k, 0.7)] for k in range(9)}
    for name, points in (("few", {}), ("more", {f"point {k}": (0.1 * k, 0.5) for k in range(9)})):
        tradeoff_figure(curves, points, ("gained", "kept"), tmp_path / f"{name}.png")
    few, more = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("few", "more"))
    assert few.shape == more.shape and (few != more).any()
    panels = {"a title that is much too long for a panel of this width": {"one": (0.5, 0.4, 0.6), "two": (0.1, 0, 1)}}
    interval_figure(panels, tmp_path / "whole.png")
    interval_figure({"a": {"one": (0.5, 0.4, 0.6), "two": (np.nan,) * 3}}, tmp_path / "part.png")
    assert (tmp_path / "whole.png").stat().st_size > 2000 and (tmp_path / "part.png").stat().st_size > 2000
