"""A page that was closed and is opened anew, in a real browser, and a page with a password, served by the command."""

import os
import pty
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import torch

import stylegan2
from latentlab.pipelines import Components
from latentlab.scorers import FunctionScorer
from latentlab.studio.learning import learn
from latentlab.studio.serving import StudioSettings, served
from latentlab.studio.working import Report
from stylegan2 import z_from_seeds
from stylegan2.config import GeneratorConfig
from tests.conftest import make_tiny

pytest.importorskip("gradio")
pytest.importorskip("selenium.webdriver")
from tests.latentlab.studio.browser import CHROMIUM, DRIVER, Page, find_port

ROOT = Path(__file__).parents[3]
CONFIG = GeneratorConfig(resolution=64, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512, channel_max=16)

pytestmark = [pytest.mark.weights, pytest.mark.slow]
needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no chromium with its chromedriver")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reopened")
    generator = make_tiny(CONFIG)
    with torch.no_grad():  # faces that differ
        for name, value in generator.mapping.named_parameters():
            if name.endswith("weight"):
                value *= 50
    stylegan2.save(generator, folder / "tiny.safetensors")
    return folder


@pytest.fixture(scope="module")
def address(place):
    settings = StudioSettings(place / "tiny.safetensors", folder=place / "kept", port=find_port())
    with served(settings) as found:
        yield found


def learn_in(folder, place):
    """Learn a direction as the page would with a scorer that this tiny generator's images please."""
    generator = stylegan2.load(place / "tiny.safetensors")
    levels = generator(z_from_seeds(range(100), CONFIG.z_dim), psi=0.7).clamp(-1, 1).mean((1, 2, 3))
    scorer = FunctionScorer(
        ("bright",), lambda images: (images.clamp(-1, 1).mean((1, 2, 3)) > levels.median())[:, None].float()
    )
    learn("bright", "ridge", 60, Components.load(place / "tiny.safetensors", scorer), folder, Report())


def offered_by(page, label):
    """What a list offers."""
    page.wait(lambda: page.one(f"input[aria-label='{label}']").is_displayed())
    page.one(f"input[aria-label='{label}']").click()
    page.wait(lambda: page.all("ul[role=listbox]"))
    return page.all("ul[role=listbox] li")


@needs_browser
def test_a_drag_and_a_direction_are_offered_to_their_visitor_alone_when_the_page_opens_anew(address, place):
    owner, other = Page(place, 0), Page(place, 1)
    try:
        owner.visit(address)
        owner.all("#ll-grid button img")[0].click()
        owner.wait(lambda: owner.image)
        owner.tab("Drag")
        owner.wait(lambda: owner.one("#ll-moves textarea").is_displayed())
        owner.one("#ll-moves textarea").send_keys("20,20 > 30,20")
        owner.driver.execute_script("document.activeElement.blur()")
        steps = owner.one("#ll-drag-steps input[type=number]")
        steps.clear()
        steps.send_keys("1")
        owner.one("#ll-drag").click()
        owner.wait(lambda: owner.shown == "dragged-1: unedited")
        (dragged,) = (place / "kept").glob("*/dragged-1")
        learn_in(dragged.parent / "directions", place)

        owner.come_back(address)  # the session is gone
        assert not owner.image
        owner.tab("Drag")
        (choice,) = offered_by(owner, "Dragged before")
        choice.click()
        owner.wait(lambda: owner.shown == "dragged-1: unedited")
        owner.tab("Sample")
        owner.all("#ll-grid button img")[1].click()
        owner.wait(lambda: owner.shown.startswith("seed"))
        owner.tab("Drag")
        (choice,) = offered_by(owner, "Dragged before")
        owner.driver.execute_script("document.activeElement.blur()")  # the list is left as it was
        owner.tab("Learn")
        (choice,) = offered_by(owner, "Learnt before")
        assert owner.shown.startswith("seed")
        choice.click()
        owner.wait(lambda: "bright" in owner.one("#ll-card").text)
        owner.tab("Drag")
        (choice,) = offered_by(owner, "Dragged before")
        choice.click()  # the same one again
        owner.wait(lambda: owner.shown == "dragged-1: unedited")
        owner.tab("Learn")
        (choice,) = offered_by(owner, "Learnt before")
        choice.click()
        owner.wait(lambda: "bright" in owner.one("#ll-card").text)
        owner.tab("Edit")
        owner.wait(lambda: any(one.is_displayed() for one in owner.all("[aria-label*='bright-ridge']")))

        other.visit(address)
        for tab, label in (("Drag", "Dragged before"), ("Learn", "Learnt before")):
            other.tab(tab)
            assert offered_by(other, label) == []
    finally:
        owner.driver.quit()
        other.driver.quit()


def status_of(address, path, words=None):
    """What the page answers to a form; it is asked through this machine's own address."""
    data = None if words is None else urllib.parse.urlencode(words).encode()
    try:
        with urllib.request.urlopen(f"{address}/{path}", data, timeout=60) as got:
            return got.status
    except urllib.error.HTTPError as error:
        return error.code


def read_until(stream, text):
    """Read a stream until a text has come."""
    read = ""
    while text not in read:
        assert (one := stream.read(1)), f"it ended with {read}"
        read += one
    return read


def test_the_command_warns_asks_for_a_password_and_its_page_does(place):
    port, (here, there) = find_port(), pty.openpty()
    words = ["studio", "--network", "tiny.safetensors", "--host", "0.0.0.0", "--port", str(port), "--no-browser"]
    environment = {name: value for name, value in os.environ.items() if name != "LATENTLAB_STUDIO_PASSWORD"}
    environment["PYTHONPATH"] = str(ROOT)
    with subprocess.Popen(
        [sys.executable, "-m", "latentlab", *words, "--password"],
        cwd=place,
        env=environment,
        stdin=there,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # without a terminal of its own, it asks at its standard input
    ) as process:
        try:
            said = read_until(process.stdout, "Password of the page:")
            process.stderr.read(1)  # by which what is typed is not shown any more, and what was typed before is gone
            os.write(here, b"open sesame\n")
            said += read_until(process.stdout, "(Ctrl-C ends it)")
            assert "0.0.0.0 is not this machine alone: everybody who reaches it and knows the password can use" in said
            assert "open sesame" not in said
            address = f"http://127.0.0.1:{port}"
            assert status_of(address, "config") == 401
            assert status_of(address, "login", {"username": "me", "password": "wrong"}) == 400
            assert status_of(address, "login", {"username": "me", "password": "open sesame"}) == 200
        finally:
            process.send_signal(signal.SIGINT)
        left, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "what was made is in latentlab-studio" in left
