"""The page that `latentlab studio` serves: bad files, sessions beside each other, what is not given out."""

import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from latentlab.studio.serving import StudioSettings, served

pytest.importorskip("gradio")
pytest.importorskip("selenium")

pytest_plugins = ["tests.latentlab.studio.browser"]
pytestmark = [pytest.mark.weights, pytest.mark.slow]

PATIENCE = 300  # seconds


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


def test_two_sessions_do_not_mix(page, other):
    page.pick(0)
    other.pick(3)
    page.move("smile", 7)
    other.move("age", 9)
    assert (page.shown, other.shown) == ("seed 600, psi 0.7: smile +7", "seed 603, psi 0.7: age +9")
    assert other.slider("smile").get_attribute("value") == "0"
    page.press("Undo")
    page.wait(lambda: page.shown.endswith("unedited"))
    assert other.shown.endswith("age +9")


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


def test_a_page_with_a_password_shows_nothing_without_it(place, free_port):
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
