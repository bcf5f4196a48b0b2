"""The tab Learn in a real browser."""

import re

import pytest

from latentlab.directions import load_direction

pytest.importorskip("gradio")
pytest.importorskip("selenium")

pytest_plugins = ["tests.latentlab.studio.browser"]
pytestmark = [pytest.mark.weights, pytest.mark.slow]


def test_a_direction_is_learnt_shown_and_moves_a_face(page):
    page.tab("Learn")
    page.choose("#ll-attribute", "neutral")
    page.choose("#ll-finder", "ridge")
    page.number("#ll-sample-count", 20)
    page.one("#ll-learn").click()
    page.wait(lambda: "neutral-ridge is among the sliders of Edit" in page.one("#ll-learning").text)
    headings = [one.text for one in page.all("#ll-samples th") if one.text]
    assert headings[:3] == ["seed", "psi", "angry"]
    page.driver.execute_script("arguments[0].scrollIntoView()", page.one("#ll-samples"))
    page.wait(lambda: "600" in page.one("#ll-samples").text.split())
    assert not re.search(r"\.\d{4}", page.one("#ll-samples").text)
    card = page.one("#ll-card").text
    assert "Direction: neutral" in card
    assert "n_train" in card
    page.wait(lambda: page.natural_size("#ll-walk img")[0] > 500)
    file = page.download("#ll-learnt", "neutral-ridge.safetensors")
    assert load_direction(file).space == "w"
    page.tab("Sample")
    page.pick(1)
    page.moved(page.labelled("neutral-ridge"), 2)
    assert page.shown == "seed 601, psi 0.7: neutral-ridge +2"
