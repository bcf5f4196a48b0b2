"""The tabs Sample and Edit in a real browser."""

import re

import numpy as np
import pytest

from latentlab.directions import Direction, load_direction

pytest.importorskip("gradio")
pytest.importorskip("selenium")

pytest_plugins = ["tests.latentlab.studio.browser"]
pytestmark = [pytest.mark.weights, pytest.mark.slow]


def test_a_sampled_face_is_edited_and_exported(page):
    page.pick(1)
    assert page.shown == "seed 601, psi 0.7: unedited"
    page.move("smile", 8)
    assert page.shown == "seed 601, psi 0.7: smile +8"
    page.move("yaw", 2)
    assert page.shown == "seed 601, psi 0.7: smile +8, yaw +2"
    assert "identity" in page.one("#ll-figures").text
    page.press("Undo")
    page.wait(lambda: page.shown == "seed 601, psi 0.7: smile +8")
    page.wait(lambda: page.slider("yaw").get_attribute("value") == "0")
    page.press("Reset")
    page.wait(lambda: page.shown.endswith("unedited"))
    page.press("Undo")
    page.wait(lambda: page.shown.endswith("smile +8"))
    page.open("Export")
    page.wait(lambda: page.one("#ll-export").is_displayed())
    page.one("#ll-export").click()
    page.wait(lambda: page.all("#ll-files a"))
    folder = page.kept("export-1")
    assert {path.name for path in folder.iterdir()} == {"image.png", "again.py", "again.sh"}
    assert "--direction smile --strengths=8.0" in (folder / "again.sh").read_text()
    assert page.places() == {"127.0.0.1"}


def test_a_walk_is_downloaded_and_plays(page):
    video = pytest.importorskip("imageio.v3")
    page.pick(2)
    page.move("smile", 8)
    page.open("Export")
    page.wait(lambda: page.checkbox("MP4").is_displayed())
    for name in ("PNG", "recipe", "MP4", ".npz"):
        page.checkbox(name).click()
    page.one("#ll-export").click()
    page.wait(lambda: page.all("#ll-files a[download='walk.mp4']"))
    frames = video.imread(page.download("#ll-files", "walk.mp4"))
    assert frames.shape == (60, 512, 512, 3)
    first, furthest, last = (frames[k].astype(float) for k in (0, 30, -1))
    assert np.abs(furthest - first).mean() > 3 * np.abs(last - first).mean()
    assert np.load(page.download("#ll-files", "code.npz"))["w"].shape[-1] == 512


def test_the_original_is_laid_over_the_edit(page):
    page.pick(3)
    page.move("age", 12)

    def pixels():
        view = page.one("#ll-view figure")
        page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", view)
        return page.screenshot(view).convert("L").resize((64, 64))

    edited = np.asarray(pixels(), float)
    page.slide(page.labelled("Compare"), 50)
    half = np.asarray(pixels(), float)
    page.slide(page.labelled("Compare"), 100)
    original = np.asarray(pixels(), float)
    assert np.abs(edited - original).mean() > 5
    assert np.abs(half[:, :30] - original[:, :30]).max() < 3
    assert np.abs(half[:, 34:] - edited[:, 34:]).max() < 3


def test_a_range_of_layers_moves_less(page):
    page.pick(0)
    page.open("Layers and directions of your own")
    page.wait(lambda: page.labelled("First layer"))
    page.move("smile-w", 1)
    everything = page.image
    page.moved(page.labelled("First layer"), 4)
    assert page.shown == "seed 600, psi 0.7: smile-w +1, layers 4–15"
    assert page.image != everything
    page.open("The same image again")
    page.wait(lambda: "range(4, 16)" in page.one("#ll-python").text)
    page.slide(page.labelled("Last layer"), 2)
    page.wait(lambda: "the layers go from the first to the last, not from 4 to 2" in page.one("#ll-title").text)
    page.press("Reset")
    page.wait(lambda: page.shown.endswith("unedited"))
    page.wait(lambda: page.labelled("Last layer").get_attribute("value") == "15")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_directions_of_ones_own_get_sliders(suffix, page, place):
    direction = load_direction("smile-w")
    assert isinstance(direction, Direction)
    path = place / f"wider{suffix}"
    vector = np.asarray(direction.vector, dtype=np.float32)
    if suffix == ".npy":
        np.save(path, vector)
    elif suffix == ".npz":
        np.savez(path, vector)
    else:
        direction.save(path)
    page.pick(0)
    page.open("Layers and directions of your own")
    page.load("#ll-direction", path)
    page.wait(lambda: page.labelled("wider"))
    slider = page.labelled("wider")
    page.moved(slider, slider.get_attribute("max"))
    assert re.fullmatch(r"seed 600, psi 0.7: wider \+[\d.]+", page.shown)
    page.press("Undo")
    page.wait(lambda: page.shown.endswith("unedited"))
    assert page.labelled("wider")


def test_the_full_size_is_rendered_on_demand(page):
    page.pick(1)
    page.move("smile", 6)
    page.press("Full size")
    page.wait(lambda: page.all("#ll-full img"))
    page.wait(lambda: page.natural_size("#ll-full img") == (1024, 1024))
    page.move("smile", 7)
    page.wait(lambda: not page.all("#ll-full img"))  # it showed another edit


def test_styles_are_mixed(page):
    page.open("Mix styles")
    page.wait(lambda: page.checkbox("Take some rows").is_displayed())
    grid = [one.get_attribute("src") for one in page.all("#ll-grid img")]
    page.checkbox("Take some rows").click()
    page.number("#ll-other-seed", 640)
    page.slide(page.labelled("First row"), 6)
    page.slide(page.labelled("Last row"), 9)
    page.one("#ll-draw").click()
    page.wait(lambda: [one.get_attribute("src") for one in page.all("#ll-grid img")][0] != grid[0])
    page.pick(1)
    assert page.shown == "seed 601, psi 0.7, rows 6–9 of seed 640: unedited"
    page.move("smile", 4)
    assert page.shown.endswith("rows 6–9 of seed 640: smile +4")
