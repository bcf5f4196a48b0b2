"""The tab Drag in a real browser: points by clicks, a mask by strokes."""

import pytest
import torch

from latentlab.latents import load_latents

pytest.importorskip("gradio")
pytest.importorskip("selenium")
from selenium.webdriver import ActionChains

pytest_plugins = ["tests.latentlab.studio.browser"]
pytestmark = [pytest.mark.weights, pytest.mark.slow]


def open_drag(page):
    page.tab("Drag")
    page.wait(lambda: page.one("#ll-drag-image img").size["width"] > 200)


def test_a_face_is_dragged_by_clicks(page):
    page.pick(0)
    page.move("yaw", 1)
    open_drag(page)
    for right in (0, 30):
        before = page.moves
        mouse = ActionChains(page.driver)
        mouse.move_to_element_with_offset(page.one("#ll-drag-image img"), right, 60).click().perform()
        page.wait(lambda before=before: page.moves != before)
    point, target = (place.split(",") for place in page.moves.split(" > "))
    assert point[1] == target[1]
    assert int(point[0]) < int(target[0])
    page.number("#ll-drag-steps", 2)
    page.one("#ll-drag").click()
    page.wait(lambda: page.all("#ll-dragged img"))
    page.wait(lambda: page.shown == "dragged-1: unedited")
    page.move("smile", 5)
    assert page.shown == "dragged-1: smile +5"


def test_a_painted_mask_changes_the_drag(page):
    def drag(number):
        page.one("#ll-moves textarea").send_keys("512,600 > 540,600")
        page.number("#ll-drag-steps", 3)
        page.one("#ll-drag").click()
        page.wait(lambda: page.shown == f"dragged-{number}: unedited")
        return load_latents(page.kept(f"dragged-{number}") / "dragged.safetensors")

    found = []
    for number, painted in ((1, False), (2, True)):
        page.tab("Sample")
        page.pick(0)
        open_drag(page)
        if painted:
            page.open("Mask")
            page.stroke("#ll-mask", (-30, 20), (60, 0))
        found.append(drag(number))
    assert not torch.equal(*found)
