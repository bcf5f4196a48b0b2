"""Figures: what is drawn where, and where it is written. (How they look was judged by eye.)"""

import io

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from latentlab.errors import UserError
from latentlab.plots import (
    grid_figure,
    history_figure,
    interval_figure,
    portrait_figure,
    response_figure,
    save_figure,
    tradeoff_figure,
    walk_figure,
)

LEVELS = torch.linspace(-0.9, 0.9, 6).reshape(2, 3)
BLUE = (0x00, 0x72, 0xB2)
INK = (0x22, 0x22, 0x22)


def flat_images(side: int = 64, width: int | None = None) -> torch.Tensor:
    """Two faces at three strengths, each of one grey level of its own."""
    return LEVELS[:, :, None, None, None].expand(2, 3, 3, side, width or side)


def pixels(figure: Figure) -> np.ndarray:
    """The figure as it is saved: (h, w, 3)."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi="figure")
    return np.asarray(Image.open(stream).convert("RGB")).astype(int)


def walk(side=64, strengths=(-1.0, 0.0, 1.0), **options) -> Figure:
    return walk_figure(flat_images(side), np.full((2, 3), 0.5), strengths, ["one", "two"], **options)


def places_of(image: np.ndarray, levels: torch.Tensor, least: float) -> dict[tuple[int, int], np.ndarray]:
    """Middle (row, column) of each patch of a grey level, which has `least` pixels or more."""
    places = {}
    for row in range(2):
        for column in range(3):
            level = int(((levels[row, column] + 1) * 127.5).round())
            hits = np.argwhere((np.abs(image - level) <= 1).all(-1))
            # The flat square is by far the largest patch of its grey; letters share some greys.
            places[row, column] = np.median(hits, axis=0)
            assert len(hits) > least
    for row in range(2):
        assert places[row, 0][1] < places[row, 1][1] < places[row, 2][1]
    for column in range(3):
        assert places[0, column][0] < places[1, column][0]
    return places


def coloured(image: np.ndarray, colour, tolerance: int = 30) -> np.ndarray:
    """Mask of the pixels of a colour: (h, w)."""
    return np.abs(image - np.array(colour)).sum(-1) < tolerance


# --- walks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [16, 64, 400])
def test_every_image_is_in_its_place(side):
    places_of(pixels(walk(side)), LEVELS, 0.9 * 180**2)


def test_the_unedited_column_alone_is_framed():
    def framed(strengths):
        return coloured(pixels(walk(strengths=strengths)), BLUE).any(axis=0).nonzero()[0]

    columns = framed((-1.0, 0.0, 1.0))
    assert 150 < np.ptp(columns) < 200  # one image wide
    assert not len(framed((-1.0, 0.5, 1.0)))


def test_scores_stand_below_their_images_and_strengths_above():
    image = pixels(walk())
    places = places_of(image, LEVELS, 0.9 * 180**2)
    dark = coloured(image, INK, 60)
    for row, column in places:
        y, x = places[row, column].astype(int)
        score = dark[y + 92 : y + 120, x - 60 : x + 60]
        assert 20 < score.sum() < 600
    for column in range(3):
        y, x = places[0, column].astype(int)
        assert dark[y - 130 : y - 92, x - 60 : x + 60].sum() > 20
    other = pixels(walk_figure(flat_images(), np.full((2, 3), 0.75), (-1.0, 0.0, 1.0), ["one", "two"]))
    changed = np.argwhere((image != other).any(-1))
    y, x = places[1, 2].astype(int)
    assert changed[:, 0].max() <= y + 120 and changed[:, 1].max() <= x + 60  # numbers, and nothing beyond them


def test_the_resolution_follows_dpi():
    small, large = pixels(walk(dpi=50)), pixels(walk(dpi=100))
    assert large.shape[0] == pytest.approx(2 * small.shape[0], abs=2)


def test_values_beyond_the_range_are_clamped():
    image = pixels(walk_figure(flat_images() * 10, np.zeros((2, 3)), [-1, 0, 1], ["a", "b"]))
    assert (image == 0).all(-1).sum() > 2.9 * 180**2  # the lower three levels, less the frame


def test_wrong_counts_are_refused():
    for scores, strengths, titles in [
        (np.zeros((3, 2)), [1, 2, 3], ["a", "b"]),
        (np.zeros((2, 3)), [1, 2], ["a", "b"]),
        (np.zeros((2, 3)), [1, 2, 3], ["a"]),
    ]:
        with pytest.raises(ValueError, match="2 × 3 images"):
            walk_figure(flat_images(), scores, strengths, titles)
    with pytest.raises(ValueError, match="do not fit"):
        grid_figure(flat_images(), ["a", "b"], ["one", "two"])
    with pytest.raises(ValueError, match="one photo at least"):
        portrait_figure(["a"], torch.zeros(1, 3, 8, 8), [None], [""])
    with pytest.raises(ValueError, match=r"scores of a must be \(faces, 2\), not \(5, 3\)"):
        response_figure({"a": ([0.0, 1.0], np.zeros((5, 3)))})


# --- grids and photos ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 80])
def test_every_image_of_a_grid_is_in_its_place(width):
    image = pixels(grid_figure(flat_images(40, width), ["a", "b", "c"], ["one", "two\nlines"]))
    places = places_of(image, LEVELS, 0.9 * 165 * 165 * width / 40)
    left = int(min(x for _, x in places.values()) - 165 * width / 80)
    assert (image[:, : left - 4] < 200).any()  # the rows' titles


def test_photos_stand_below_their_faces():
    photos = [LEVELS[1, k].expand(1, 3, 40, 60) for k in range(2)]
    figure = portrait_figure(
        ["a", "b", "c"], LEVELS[0, :, None, None, None].expand(3, 3, 32, 32), [*photos, None], ["", "under", ""]
    )
    image = pixels(figure)
    cell = 330
    for row, column, tall in [(0, 0, cell), (0, 1, cell), (0, 2, cell), (1, 0, 220), (1, 1, 220)]:
        level = int(((LEVELS[row, column] + 1) * 127.5).round())
        hits = np.argwhere((np.abs(image - level) <= 1).all(-1))
        assert len(hits) == pytest.approx(cell * tall, rel=0.05)
        y, x = np.median(hits, axis=0)
        assert x == pytest.approx((0.06 + 2.25 * column + 1.1) * 150, abs=5)
        assert (y > cell) == bool(row)
    assert (image[-200:, -300:] == 255).all()  # the place that None leaves empty


# --- curves -------------------------------------------------------------------------------------------------


def test_the_response_goes_through_the_medians_in_the_order_of_strengths():
    strengths = np.array([2.0, -1.0, 0.0])
    scores = np.stack([np.linspace(0.7, 0.9, 21), np.linspace(0.0, 0.2, 21), np.linspace(0.3, 0.5, 21)], axis=1)
    (axes,) = response_figure({"LinearSVM": (strengths, scores)}, "happy").axes
    line = axes.get_lines()[1]
    np.testing.assert_allclose(line.get_xdata(), [-1, 0, 2])
    np.testing.assert_allclose(line.get_ydata(), [0.1, 0.4, 0.8])
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(0.05) and band[:, 1].max() == pytest.approx(0.85)
    assert axes.get_ylabel() == "happy (median, quartiles)"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["LinearSVM"]


def test_many_methods_find_a_colour_and_each_is_drawn():
    curves = {f"method {k}": [(0.1 * k, 0.9), (0.2 * k, 0.7)] for k in range(9)}
    points = {f"point {k}": (0.1 * k, 0.5) for k in range(9)}
    figure = tradeoff_figure(curves, points, ("gained", "kept"))
    (axes,) = figure.axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}
    assert list(drawn) == [*curves, *points]
    for name, line in curves.items():
        np.testing.assert_allclose(drawn[name], line)
    for name, point in points.items():
        np.testing.assert_allclose(drawn[name], [point])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("gained", "kept")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*curves, *points]
    unknown = {"nowhere": (0.5, np.nan)}
    figure = tradeoff_figure({"lost": [(0.1, np.nan)]}, {**points, **unknown}, ("gained", "kept"))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*points]
    assert tradeoff_figure({}, unknown, ("gained", "kept")).legends == []
    few = pixels(tradeoff_figure(curves, {}, ("gained", "kept")))
    more = pixels(tradeoff_figure(curves, points, ("gained", "kept")))
    assert few.shape == more.shape
    assert coloured(more, INK).sum() > coloured(few, INK).sum() + 9 * 20  # nine markers more


def test_intervals_are_drawn_and_what_is_not_a_number_is_left_out():
    nothing = (np.nan,) * 3
    title = "a title that is much too long for a panel of this width"
    panels = {title: {"one": (0.5, 0.4, 0.6), "two": nothing}, "b": {"two": (0.1, 0, 1)}}
    figure = interval_figure(panels)
    first, second, third = figure.axes
    assert [text.get_text() for text in first.get_yticklabels()] == ["two", "one"]
    interval, mean = first.get_lines()
    assert interval.get_xydata().tolist() == [[0.4, 1], [0.6, 1]]
    assert mean.get_xydata().tolist() == [[0.5, 1]]
    assert [text.get_text() for text in first.texts] == ["unknown"]
    assert second.get_lines()[0].get_xydata().tolist() == [[0, 0], [1, 0]]
    assert not third.get_visible()
    assert first.get_title().replace("\n", " ") == title
    image = pixels(figure)
    blue = coloured(image, BLUE)
    wide = blue.any(axis=0).nonzero()[0]
    half = image.shape[1] // 3
    assert (wide < half).any() and (wide > half).any() and (wide < 2 * half).all()  # two panels of three
    whole = pixels(interval_figure({title: {"one": (0.5, 0.4, 0.6), "two": (0.5, 0.4, 0.6)}}))
    part = pixels(interval_figure({title: {"one": (0.5, 0.4, 0.6), "two": nothing}}))
    assert coloured(whole, BLUE).sum() == pytest.approx(2 * coloured(part, BLUE).sum(), rel=0.2)


# --- notebooks and files ------------------------------------------------------------------------------------


def test_a_notebook_shows_what_is_saved(tmp_path):
    figure = walk()
    assert isinstance(figure, Figure)
    save_figure(figure, tmp_path / "walk.png")
    assert figure._repr_png_() == (tmp_path / "walk.png").read_bytes()


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg", "PNG"])
def test_figures_are_saved_in_every_format(tmp_path, suffix):
    path = tmp_path / "new" / f"response.{suffix}"
    save_figure(response_figure({"svm": ([0.0, 1.0], np.zeros((3, 2)))}), path)
    start = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[suffix.lower()]
    assert path.read_bytes().startswith(start)


def test_the_file_can_have_a_resolution_of_its_own(tmp_path):
    for dpi in (50, 100):
        save_figure(walk(), tmp_path / f"{dpi}.png", dpi)
    sizes = [Image.open(tmp_path / f"{dpi}.png").size for dpi in (50, 100)]
    assert sizes[1][0] == pytest.approx(2 * sizes[0][0], abs=2)


def test_unknown_formats_and_places_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"ends in one of.*png"):
        save_figure(walk(), tmp_path / "walk.bmp2")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        save_figure(walk(), tmp_path / "file" / "walk.png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# --- trainings ----------------------------------------------------------------------------------------------


def test_a_history_has_a_panel_for_each_column_that_changes():
    rows = [{"step": str(k), "samples": 16 * k, "rate": "0.1", "loss": f"{k**2}", "r1": k % 2} for k in range(1, 80)]
    rows[10]["distance"], rows[20]["distance"] = "0.5", 0
    figure = history_figure([{**row, "distance": row.get("distance", "")} for row in rows], "samples")
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["loss", "r1", "distance"]
    single, mean = panels[0].lines
    np.testing.assert_array_equal(single.get_xydata(), [[16 * k, k**2] for k in range(1, 80)])
    # A mean over 25 neighbours of k² is k² and their variance.
    np.testing.assert_allclose(mean.get_xydata(), [[16 * k, k**2 + 52] for k in range(13, 68)])
    (few,) = panels[2].lines
    assert few.get_xydata().tolist() == [[16 * 11, 0.5], [16 * 21, 0]]
