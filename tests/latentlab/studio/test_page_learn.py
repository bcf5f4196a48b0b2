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
    cells = [one.text for one in page.all("#ll-samples td")]
    assert cells[:2] == ["600", "0.7"]
    assert all(re.fullmatch(r"\d+(\.\d{1,3})?", cell) for cell in cells), cells
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


def test_too_few_samples_are_told(page):
    page.tab("Learn")
    page.driver.execute_script("arguments[0].removeAttribute('min')", page.one("#ll-sample-count input[type=number]"))
    page.number("#ll-sample-count", 3)
    page.one("#ll-learn").click()
    page.wait(lambda: page.messages)
    assert "20" in page.messages[0]
