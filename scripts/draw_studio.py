"""Draw the pictures of the studio's tabs for docs/studio.md.

    python scripts/draw_studio.py [--report compared/report.html]

Each is a WebP in docs/images, 1280 pixels wide; every face on them is generated. With names of tabs, these alone are
drawn. Compare, which shows the report of a comparison, is drawn of the given one alone. Needs the packages gradio and
selenium, and Chromium with its chromedriver.
"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException

from latentlab.files import atomic_path
from latentlab.images import save_image
from latentlab.studio import StudioSettings, served
from stylegan2 import load, z_from_seeds

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH, TALLEST = 1280, 1000
PATIENCE = 600  # seconds
_QUALITY = 72


class Page:
    """The page, in a browser."""

    def __init__(self, address: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
            options.add_argument(argument)
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
        self._resize(TALLEST)
        self.driver.get(address)
        self.wait(lambda: len(self.all("#ll-grid button img")) >= 8)

    def all(self, selector: str) -> list[Any]:
        """Find all elements."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        """Find an element."""
        return self.driver.find_element("css selector", selector)

    def wait(self, condition: Callable[[], Any]) -> None:
        """Wait until a condition holds."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except (NoSuchElementException, StaleElementReferenceException):  # it is drawn anew
                pass
            time.sleep(0.1)
        raise TimeoutError("what the page is to show does not come")

    def tab(self, name: str) -> None:
        """Open a tab."""
        next(one for one in self.all("button[role=tab]") if one.text == name).click()

    def pick(self, number: int) -> None:
        """Pick a face of the grid, by its place."""
        self.tab("Sample")
        self.all("#ll-grid button img")[number].click()
        self.wait(lambda: self.all("#ll-figures dd"))

    def slide(self, selector: str, value: float) -> None:
        """Move a slider."""
        script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
        self.driver.execute_script(script, self.one(f"{selector} input[type=range]"), value)

    def load(self, selector: str, path: Path) -> None:
        """Give a field a file."""
        self.one(f"{selector} input[type=file]").send_keys(str(path))

    def save(self, path: Path) -> None:
        """Keep a picture of what there is from the top of the page on."""
        self.driver.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
        time.sleep(2)  # what moves comes to rest
        end = (
            "return Math.ceil(Math.max(...[...document.querySelectorAll('.block, button')].filter(e => "
            "e.checkVisibility()).map(e => e.getBoundingClientRect().bottom))) + 16"
        )
        self._resize(min(self.driver.execute_script(end), TALLEST))
        with atomic_path(path) as temporary, Image.open(io.BytesIO(self.driver.get_screenshot_as_png())) as image:
            image.convert("RGB").save(temporary, "WEBP", quality=_QUALITY, method=6)
        self._resize(TALLEST)

    def _resize(self, height: int) -> None:
        size = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def photo(page: Page, face: Path) -> None:
    page.tab("Photo")
    page.load("#ll-photo", face)
    page.wait(lambda: page.all("#ll-projected img") and page.all("#ll-checks table"))


def drag(page: Page, face: Path) -> None:
    page.pick(0)
    page.tab("Drag")
    page.wait(lambda: page.all("#ll-drag-image img"))
    before = page.one("#ll-drag-image img").get_attribute("src")
    page.one("#ll-moves textarea").send_keys("425,625 > 390,600\n610,620 > 645,595\n515,330 > 515,330")
    page.driver.execute_script("document.activeElement.blur()")
    page.wait(lambda: page.one("#ll-drag-image img").get_attribute("src") != before)


def learn(page: Page, face: Path) -> None:
    page.tab("Learn")
    page.slide("#ll-sample-count", 200)
    page.one("#ll-learn").click()
    page.wait(lambda: "sliders of Edit" in page.one("#ll-learning").text)
    page.wait(lambda: page.all("#ll-walk img"))


def translate(page: Page, face: Path) -> None:
    page.tab("Translate")
    page.load("#ll-translated", face)
    page.wait(lambda: page.all("#ll-translated a[download]"))
    page.one("#ll-translate").click()
    page.wait(lambda: page.all("#ll-translation img"))


def compare(page: Page, report: Path) -> None:
    page.tab("Compare")
    page.load("#ll-report", report)
    page.wait(lambda: page.all("#ll-shown-report iframe"))


TABS = {"photo": photo, "drag": drag, "learn": learn, "translate": translate, "compare": compare}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tabs", nargs="*", help="tabs; by default all", metavar="TAB")
    parser.add_argument("--report", type=Path, help="report of a comparison, for the tab Compare")
    arguments = parser.parse_args()
    names = arguments.tabs or [name for name in TABS if name != "compare" or arguments.report]
    if "compare" in names and not arguments.report:
        parser.error("the tab compare needs a --report")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        generator, face = load("mobile-ffhq"), folder / "photo.png"
        save_image(generator(z_from_seeds([607], generator.z_dim), psi=0.7), face)
        with served(StudioSettings(folder=folder / "latentlab-studio", port=port)) as address:
            page = Page(address)
            try:
                for name in names:
                    TABS[name](page, arguments.report if name == "compare" else face)
                    page.save(IMAGES / f"studio_{name}.webp")
            finally:
                page.driver.quit()


if __name__ == "__main__":
    main()
