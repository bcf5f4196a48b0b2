"""The page in a real browser, as fixtures: one studio and one Chromium for all tests, a new visitor for each."""

from __future__ import annotations

import inspect
import io
import json
import shutil
import socket
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from latentlab.images import save_image
from latentlab.studio.serving import StudioSettings, served
from stylegan2 import load, z_from_seeds

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
PATIENCE = 300  # seconds; what is waited for takes a few


def find_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Page:
    """A page in a browser of its own."""

    def __init__(self, place: Path, number: int):
        self._place, self._downloads = place, place / f"downloads-{number}"
        self._downloads.mkdir()
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,1000"):
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"download.default_directory": str(self._downloads)})
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))

    def visit(self, address):
        """Open the page as somebody who was never there."""
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": address, "storageTypes": "all"})
        self.come_back(address)

    def come_back(self, address):
        """Open the page anew, as whoever was there last."""
        self.driver.get(address)
        self.driver.get_log("performance")
        self.wait(lambda: len(self.all("#ll-grid button img")) >= 8)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def wait(self, condition):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if condition():
                    return
            except (NoSuchElementException, StaleElementReferenceException):  # it is drawn anew
                pass
            assert time.monotonic() < end, f"{inspect.getsource(condition).strip()}; messages: {self.messages}"
            time.sleep(0.05)

    # --- controls -------------------------------------------------------------------------------------------

    def tab(self, name):
        next(one for one in self.all("button[role=tab]") if one.text == name).click()

    def press(self, name):
        next(one for one in self.all("button") if one.text == name and one.is_displayed()).click()

    def open(self, name):
        """Open what is folded."""
        self.driver.execute_script(
            "arguments[0].click()", next(one for one in self.all("button.label-wrap") if one.text.startswith(name))
        )

    def choose(self, selector, value):
        """Choose an entry of a list."""
        field = self.one(f"{selector} input")
        field.click()
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(value, Keys.ENTER)
        self.wait(lambda: self.one(f"{selector} input").get_attribute("value") == value)

    def number(self, selector, value):
        """Type a number into a field."""
        field = self.one(f"{selector} input:not([type=range])")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(str(value), Keys.TAB)

    def slide(self, slider, value):
        script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
        self.driver.execute_script(script, slider, value)

    def checkbox(self, name):
        return self._input("checkbox", name)

    def radio(self, name):
        return self._input("radio", name)

    def _input(self, kind, name):
        return next(one for one in self.all(f"input[type={kind}]") if one.accessible_name.startswith(name))

    def stroke(self, selector, start, by):
        """Draw a line on a canvas, from a place that is told from its middle."""
        self.wait(lambda: self.one(f"{selector} canvas").is_displayed())
        canvas = self.one(f"{selector} canvas")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
        mouse = ActionChains(self.driver).move_to_element_with_offset(canvas, *start).click_and_hold()
        for _ in range(4):
            mouse.move_by_offset(by[0] // 4, by[1] // 4)
        mouse.release().perform()

    def load(self, selector, *paths):
        self.one(f"{selector} input[type=file]").send_keys("\n".join(map(str, paths)))

    # --- the tab Edit ---------------------------------------------------------------------------------------

    def pick(self, number):
        self.all("#ll-grid button img")[number].click()
        self.wait(lambda: self.image and self.slider("smile").is_displayed())
        self.settled()

    @property
    def image(self):
        """Address of the edited image, which holds it."""
        found = self.all("#ll-view img")
        return found[0].get_attribute("src") if found else ""

    @property
    def shown(self):
        """What the image shows, in words."""
        return self.one("#ll-view img").get_attribute("alt")

    def slider(self, name):
        return self.one(f"#ll-slider-{name} input[type=range]")

    def labelled(self, name):
        """The slider of this label, which is shown; None where there is none."""
        found = [one for one in self.all("input[type=range]") if one.is_displayed() and name in one.accessible_name]
        return found[0] if found else None

    def move(self, name, value):
        """Move a slider, and wait for the image and what is measured of it."""
        self.moved(self.slider(name), value)

    def moved(self, slider, value):
        before = self.image
        self.slide(slider, value)
        self.wait(lambda: self.image != before)
        self.settled()

    def settled(self):
        self.wait(lambda: self.all("#ll-figures dd"))

    # --- what was made --------------------------------------------------------------------------------------

    def kept(self, name):
        """The latest folder of this name that the studio keeps; every test has a visitor of its own."""
        return max((self._place / "kept").glob(f"*/{name}"), key=lambda path: path.stat().st_mtime_ns)

    def download(self, selector, name):
        """Download a file of a list by a click."""
        path = self._downloads / name
        path.unlink(missing_ok=True)
        self.one(f"{selector} a[download='{name}']").click()
        self.wait(lambda: path.exists() and path.stat().st_size > 0)
        return path

    def result(self, selector):
        """The image that an element shows, as the server gives it."""
        with urllib.request.urlopen(self.one(selector).get_attribute("src"), timeout=PATIENCE) as got:
            return Image.open(io.BytesIO(got.read()))

    def natural_size(self, selector):
        script = "return [arguments[0].naturalWidth, arguments[0].naturalHeight]"
        return tuple(self.driver.execute_script(script, self.one(selector)))

    def screenshot(self, element):
        return Image.open(io.BytesIO(element.screenshot_as_png))

    # --- what is told ---------------------------------------------------------------------------------------

    @property
    def moves(self):
        """Moves of a drag, as text."""
        return self.one("#ll-moves textarea").get_attribute("value")

    @property
    def messages(self):
        return [one.text for one in self.all(".toast-body")]

    def places(self):
        """Hosts that were asked for anything."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
        return {urlsplit(url).hostname for url in sent if not url.startswith(("data:", "blob:"))}


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("studio")


@pytest.fixture
def free_port():
    return find_port


@pytest.fixture(scope="session")
def address(place):
    with served(StudioSettings(folder=place / "kept", port=find_port())) as found:
        yield found


@pytest.fixture(scope="session")
def pages(place):
    """Pages of browsers of their own by number, which all tests share."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("there is no chromium with its chromedriver")
    opened = {}
    with ExitStack() as stack:

        def page_of(number):
            if number not in opened:
                opened[number] = Page(place, number)
                stack.callback(opened[number].driver.quit)
            return opened[number]

        yield page_of


@pytest.fixture
def page(pages, address):
    found = pages(0)
    found.visit(address)
    return found


@pytest.fixture
def other(pages, address):
    """Another page, beside the first."""
    found = pages(1)
    found.visit(address)
    return found


@pytest.fixture(scope="session")
def photo(place):
    generator = load("mobile-ffhq")
    save_image(generator(z_from_seeds([641], generator.z_dim), psi=0.7), place / "photo.png")
    return place / "photo.png"
