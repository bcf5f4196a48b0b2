"""The tab Photo in a real browser: projection, cancelling, the queue of one and of many."""

import pytest

from latentlab.images import save_image
from stylegan2 import load, z_from_seeds

pytest.importorskip("gradio")
pytest.importorskip("selenium")

pytest_plugins = ["tests.latentlab.studio.browser"]
pytestmark = [pytest.mark.weights, pytest.mark.slow]


@pytest.fixture
def page_with_photo(page, photo):
    load_photo(page, photo)
    return page


def load_photo(page, photo):
    page.tab("Photo")
    page.load("#ll-photo", photo)
    page.wait(lambda: page.all("#ll-projected img"))


def test_a_photo_is_projected_and_edited(page_with_photo):
    page = page_with_photo
    page.number("#ll-steps", 2)
    page.one("#ll-tune input").click()
    page.one("#ll-project").click()
    page.wait(lambda: page.image and page.slider("smile").is_displayed())
    page.settled()
    assert page.shown == "photo.png, face 1: unedited"
    page.move("smile", 6)
    assert page.shown == "photo.png, face 1: smile +6"
    assert page.places() == {"127.0.0.1"}


def test_many_photos_are_edited_and_a_bad_one_is_named(page, photo, place):
    generator = load("mobile-ffhq")
    second, bad = place / "second.png", place / "broken.png"
    save_image(generator(z_from_seeds([671], generator.z_dim), psi=0.7), second)
    bad.write_bytes(photo.read_bytes()[:5000])
    page.pick(0)
    page.move("smile", 6)
    page.tab("Photo")
    page.number("#ll-steps", 1)
    page.one("#ll-tune input").click()
    page.open("Many photos")
    page.wait(lambda: page.one("#ll-queue").is_displayed())
    page.load("#ll-photos", photo, bad, second)
    page.wait(lambda: len(page.all("#ll-photos a[download]")) == 3)
    page.one("#ll-queue").click()
    page.wait(lambda: "2 done" in page.one("#ll-queued").text)
    (told,) = [one.text for one in page.all("#ll-queued li")]
    assert "broken.png" in told
    assert str(place) not in told
    page.wait(lambda: len(page.all("#ll-edited a")) == 2)
    assert {path.name for path in page.kept("queue-1").glob("*.png")} == {"photo.png", "second.png"}
    assert page.download("#ll-edited", "second.png").read_bytes() != second.read_bytes()


def test_a_projection_is_cancelled(page_with_photo):
    page = page_with_photo
    page.one("#ll-project").click()
    page.wait(lambda: "projecting" in page.one("#ll-projecting").text)
    page.one("#ll-cancel").click()
    page.wait(lambda: any("Cancelled" in text for text in page.messages))


def test_who_waits_for_another_is_told_so_and_can_cancel(page_with_photo, other, photo):
    def status(one):
        return one.one("#ll-projecting").text

    page = page_with_photo
    load_photo(other, photo)
    page.one("#ll-project").click()
    page.wait(lambda: "projecting" in status(page))
    other.one("#ll-project").click()
    other.wait(lambda: status(other) == "waiting: 1 before you")
    other.one("#ll-cancel").click()
    other.wait(lambda: any("Cancelled" in text for text in other.messages))
    other.wait(lambda: status(other) == "cancelling …")
    page.one("#ll-cancel").click()
    page.wait(lambda: any("Cancelled" in text for text in page.messages))
