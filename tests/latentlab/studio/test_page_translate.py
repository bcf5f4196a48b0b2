"""The tabs Translate and Compare in a real browser."""

import numpy as np
import pytest
from PIL import Image

from latentlab.comparison import compare, write_report
from tests.latentlab.comparison.test_compare import Add, Brighter

pytest.importorskip("gradio")
pytest.importorskip("selenium")

pytest_plugins = ["tests.latentlab.studio.browser"]
pytestmark = [pytest.mark.weights, pytest.mark.slow]


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), float)


def test_a_photo_is_translated_by_the_shipped_editor(page, photo):
    page.tab("Translate")
    page.load("#ll-translated", photo)
    page.wait(lambda: page.all("#ll-translated a[download]"))
    page.one("#ll-translate").click()
    page.wait(lambda: page.natural_size("#ll-translation img") == (1024, 1024))
    made = page.result("#ll-translation img")
    changed = np.abs(np.asarray(made.convert("RGB"), float) - pixels(photo)).mean(axis=2)
    assert changed.max() > 20
    assert (changed[:100] < 3).mean() > 0.9  # the smile is further down


def test_a_drawing_becomes_a_picture(page):
    page.tab("Translate")
    page.radio("a drawing").click()
    page.wait(lambda: page.one("#ll-drawing canvas").is_displayed())
    page.wait(lambda: page.one("#ll-translator-name input").get_attribute("value") == "drawing")
    page.one("#ll-translate").click()
    page.wait(lambda: any("draw something first" in text for text in page.messages))
    page.stroke("#ll-drawing", (-60, -40), (120, 80))
    page.one("#ll-translate").click()
    page.wait(lambda: page.natural_size("#ll-translation img") == (512, 512))
    once = page.result("#ll-translation img")
    page.stroke("#ll-drawing", (-60, 40), (120, -80))
    page.one("#ll-translate").click()
    page.wait(lambda: page.result("#ll-translation img").tobytes() != once.tobytes())


def test_a_report_is_opened(page, tmp_path):
    comparison = compare(Brighter(tmp_path), [Add("nothing", 0.0), Add("third", 1 / 3)])
    report = write_report(comparison, "a command")
    page.tab("Compare")
    page.load("#ll-report", report)
    page.wait(lambda: page.all("#ll-shown-report iframe"))
    frame = page.one("#ll-shown-report iframe")
    assert frame.accessible_name == "report.html"
    page.driver.switch_to.frame(frame)
    try:
        assert page.one("h1").text == Brighter.title
        assert "third" in page.one("table").text
        assert page.natural_size("img")[0] > 100
    finally:
        page.driver.switch_to.default_content()
    assert page.places() == {"127.0.0.1"}
