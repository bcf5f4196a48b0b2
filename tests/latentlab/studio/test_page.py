"""The page in a real browser: Chromium drives what `latentlab studio` serves."""

import inspect
import json
import shutil
import socket
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from latentlab.images import save_image
from latentlab.studio.serving import StudioSettings, served
from stylegan2 import load, z_from_seeds

pytest.importorskip("gradio")
webdriver = pytest.importorskip("selenium.webdriver")
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
PATIENCE = 300  # seconds; what is waited for takes a few

pytestmark = [pytest.mark.weights, pytest.mark.slow]
needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no chromium with its chromedriver")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def address(place):
    with served(StudioSettings(folder=place / "kept", port=free_port())) as found:
        yield found


class Page:
    """A page in a browser of its own."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,1000"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))

    def visit(self, address):
        self.driver.get(address)
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

    def tab(self, name):
        next(one for one in self.all("button[role=tab]") if one.text == name).click()

    def press(self, name):
        next(one for one in self.all("button") if one.text == name and one.is_displayed()).click()

    def open(self, name):
        """Open what is folded."""
        self.driver.execute_script(
            "arguments[0].click()", next(one for one in self.all("button.label-wrap") if one.text.startswith(name))
        )

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

    @property
    def moves(self):
        """Moves of a drag, as text."""
        return self.one("#ll-moves textarea").get_attribute("value")

    def slider(self, name):
        return self.one(f"#ll-slider-{name} input[type=range]")

    def move(self, name, value):
        """Move a slider, and wait for the image and what is measured of it."""
        before = self.image
        script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
        self.driver.execute_script(script, self.slider(name), value)
        self.wait(lambda: self.image != before)
        self.settled()

    def settled(self):
        self.wait(lambda: self.all("#ll-figures dd"))

    def load(self, selector, path):
        self.one(f"{selector} input[type=file]").send_keys(str(path))

    @property
    def messages(self):
        return [one.text for one in self.all(".toast-body")]

    def places(self):
        """Hosts that were asked for anything."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
        return {urlsplit(url).hostname for url in sent if not url.startswith(("data:", "blob:"))}


@contextmanager
def page_at(address):
    page = Page()
    try:
        page.visit(address)
        yield page
    finally:
        page.driver.quit()


@pytest.fixture
def page(address):
    with page_at(address) as found:
        yield found


@pytest.fixture(scope="module")
def photo(place):
    generator = load("mobile-ffhq")
    save_image(generator(z_from_seeds([641], generator.z_dim), psi=0.7), place / "photo.png")
    return place / "photo.png"


@needs_browser
def test_a_sampled_face_is_edited_and_exported(page, place):
    page.pick(1)
    assert page.shown == "seed 601, psi 0.7: unedited"
    page.move("smile", 8)
    assert page.shown == "seed 601, psi 0.7: smile +8"
    page.move("yaw", 2)
    assert page.shown == "seed 601, psi 0.7: smile +8, yaw +2"
    assert "identity" in page.one("#ll-figures").text
    page.press("Undo")
    page.wait(lambda: page.shown == "seed 601, psi 0.7: smile +8")
    assert page.slider("yaw").get_attribute("value") == "0"
    page.press("Reset")
    page.wait(lambda: page.shown.endswith("unedited"))
    page.press("Undo")
    page.wait(lambda: page.shown.endswith("smile +8"))
    page.open("Export")
    page.wait(lambda: page.one("#ll-export").is_displayed())
    page.one("#ll-export").click()
    page.wait(lambda: page.all("#ll-files a"))
    (folder,) = (place / "kept").glob("*/export-1")
    assert {path.name for path in folder.iterdir()} == {"image.png", "again.py", "again.sh"}
    assert "--direction smile --strengths=8.0" in (folder / "again.sh").read_text()
    assert page.places() == {"127.0.0.1"}


@needs_browser
def test_a_photo_is_projected_and_edited(page, photo):
    page.tab("Photo")
    page.load("#ll-photo", photo)
    page.wait(lambda: page.all("#ll-projected img"))
    steps = page.one("#ll-steps input")
    steps.send_keys(webdriver.Keys.CONTROL, "a")
    steps.send_keys("2", webdriver.Keys.TAB)
    page.one("#ll-tune input").click()
    page.one("#ll-project").click()
    page.wait(lambda: page.image and page.slider("smile").is_displayed())
    page.settled()
    assert page.shown == "photo.png, face 1: unedited"
    page.move("smile", 6)
    assert page.shown == "photo.png, face 1: smile +6"
    assert page.places() == {"127.0.0.1"}


@needs_browser
def test_a_projection_is_cancelled(page, photo):
    page.tab("Photo")
    page.load("#ll-photo", photo)
    page.wait(lambda: page.all("#ll-projected img"))
    page.one("#ll-project").click()
    page.wait(lambda: "projecting" in page.one("#ll-projecting").text)
    page.one("#ll-cancel").click()
    page.wait(lambda: any("Cancelled" in text for text in page.messages))


@needs_browser
def test_who_waits_for_another_is_told_so_and_can_cancel(page, address, photo):
    def status(one):
        return one.one("#ll-projecting").text

    with page_at(address) as other:
        for one in (page, other):
            one.tab("Photo")
            one.load("#ll-photo", photo)
            one.wait(lambda one=one: one.all("#ll-projected img"))
        page.one("#ll-project").click()
        page.wait(lambda: "projecting" in status(page))
        other.one("#ll-project").click()
        other.wait(lambda: status(other) == "waiting: 1 before you")
        other.one("#ll-cancel").click()
        other.wait(lambda: any("Cancelled" in text for text in other.messages))
        other.wait(lambda: status(other) == "cancelling …")
        page.one("#ll-cancel").click()
        page.wait(lambda: any("Cancelled" in text for text in page.messages))


@needs_browser
def test_a_face_is_dragged_by_clicks(page):
    page.pick(0)
    page.move("yaw", 1)
    page.tab("Drag")
    page.wait(lambda: page.one("#ll-drag-image img").size["width"] > 200)
    for right in (0, 30):
        before = page.moves
        mouse = webdriver.ActionChains(page.driver)
        mouse.move_to_element_with_offset(page.one("#ll-drag-image img"), right, 60).click().perform()
        page.wait(lambda before=before: page.moves != before)
    point, target = (place.split(",") for place in page.moves.split(" > "))
    assert point[1] == target[1]
    assert int(point[0]) < int(target[0])
    steps = page.one("#ll-drag-steps input[type=number]")
    steps.send_keys(webdriver.Keys.CONTROL, "a")
    steps.send_keys("2", webdriver.Keys.TAB)
    page.one("#ll-drag").click()
    page.wait(lambda: page.all("#ll-dragged img"))
    page.wait(lambda: page.shown == "dragged-1: unedited")
    page.move("smile", 5)
    assert page.shown == "dragged-1: smile +5"


@needs_browser
def test_a_bad_file_gets_a_message_and_the_page_goes_on(page, place):
    bad = place / "bad.png"
    bad.write_bytes(b"no image")
    page.tab("Photo")
    page.load("#ll-photo", bad)
    page.wait(lambda: any("bad.png is not an image" in text for text in page.messages))
    page.tab("Edit")
    page.open("Layers and directions of your own")
    direction = place / "bad.npy"
    direction.write_bytes(b"no direction")
    page.load("#ll-direction", direction)
    page.wait(lambda: any("bad.npy" in text for text in page.messages))
    assert not any(str(place) in text for text in page.messages)
    page.tab("Sample")
    page.pick(0)
    page.move("smile", 5)


@needs_browser
def test_two_sessions_do_not_mix(page, address):
    with page_at(address) as other:
        page.pick(0)
        other.pick(3)
        page.move("smile", 7)
        other.move("age", 9)
        assert (page.shown, other.shown) == ("seed 600, psi 0.7: smile +7", "seed 603, psi 0.7: age +9")
        assert other.slider("smile").get_attribute("value") == "0"
        page.press("Undo")
        page.wait(lambda: page.shown.endswith("unedited"))
        assert other.shown.endswith("age +9")


@needs_browser
def test_the_keyboard_alone_edits(page):
    keys = webdriver.Keys
    page.all("#ll-grid button")[2].send_keys(keys.ENTER)
    page.wait(lambda: page.image and page.slider("smile").is_displayed())
    page.settled()
    before = page.image
    page.slider("smile").send_keys(keys.ARROW_RIGHT * 20)
    page.wait(lambda: page.image != before)
    page.wait(lambda: page.shown != "seed 602, psi 0.7: unedited")
    next(one for one in page.all("button") if one.text == "Undo").send_keys(keys.ENTER)
    page.wait(lambda: page.shown == "seed 602, psi 0.7: unedited")


CONTROLS = {"slider", "textbox", "spinbutton", "button", "combobox", "checkbox", "radio", "listbox"}


@needs_browser
def test_every_control_has_a_name(page):
    nameless, named = [], 0
    for name in [one.text for one in page.all("button[role=tab]")]:
        page.tab(name)
        tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})
        for node in tree["nodes"]:
            role = node.get("role", {}).get("value")
            if role in CONTROLS and not node.get("ignored"):
                named += 1
                if not node["name"].get("value", "").strip():
                    nameless.append((name, role, node["backendDOMNodeId"]))
    assert nameless == []
    assert named > 60


def answer(url):
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as got:
            return got.status, got.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_files_outside_stay_there(address, place):
    kept = place / "kept" / "secret.txt"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("secret")
    for path in ("/etc/hostname", str(kept), f"{place}/kept/../kept/secret.txt", "../../../../etc/hostname"):
        status, text = answer(f"{address}gradio_api/file={path}")
        assert status in (403, 404), path
        assert "secret" not in text


def test_a_page_with_a_password_shows_nothing_without_it(place):
    settings = StudioSettings(folder=place / "locked", port=free_port(), password="open sesame")
    with served(settings) as address:
        assert answer(f"{address}config")[0] == 401
        data = b"username=me&password=wrong"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}login", data, timeout=PATIENCE)
        assert refused.value.code == 400
        with urllib.request.urlopen(f"{address}login", b"username=me&password=open sesame", timeout=PATIENCE) as got:
            assert got.status == 200


def test_a_port_that_is_taken_is_told(address, place, refused):
    port = urlsplit(address).port
    assert f"port {port}" in refused("studio", "--no-browser", "--port", port, "--out", place / "other")
