"""The page by keyboard alone, by names that screen readers tell, and as wide as a phone."""

import pytest

pytest.importorskip("gradio")
pytest.importorskip("selenium")
from selenium.webdriver import ActionChains, Keys

pytest_plugins = ["tests.latentlab.studio.browser"]
pytestmark = [pytest.mark.weights, pytest.mark.slow]

TABS = ("Sample", "Edit", "Photo", "Drag", "Learn", "Translate", "Compare")
MOST = 100  # presses of Tab, from one end of the page to the other
# What a keyboard has to reach, in the order of the page: of a group of radio buttons the chosen one.
REACHABLE = """
return [...document.querySelectorAll('button, input, textarea, a[href], iframe, [tabindex], [role=button]')].filter(
  one => one.checkVisibility({visibilityProperty: true}) && one.tabIndex >= 0 && !one.disabled
    && one.getBoundingClientRect().width > 0 && (one.type !== 'radio' || one.checked))
"""


class Keyboard:
    """Presses keys as somebody without a mouse does, where the focus is."""

    def __init__(self, page):
        self._page = page

    @property
    def focused(self):
        return self._page.driver.switch_to.active_element

    def press(self, *keys):
        ActionChains(self._page.driver).send_keys(*keys).perform()

    def go_to(self, name, back=False):
        """Press Tab until what has a name is focused."""
        for _ in range(MOST):
            keys = ActionChains(self._page.driver)
            if back:
                keys.key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT)
            else:
                keys.send_keys(Keys.TAB)
            keys.perform()
            if self.focused.accessible_name == name:
                return
        raise AssertionError(f"Tab does not come to {name}")


@pytest.fixture
def keyboard(page):
    return Keyboard(page)


@pytest.fixture
def phone(page):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.wait(lambda: page.all("button[aria-label='More tabs']"))
    yield page
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def unfold(page):
    """Open what is folded in the tab that is shown."""
    for one in page.all("button.label-wrap"):
        if one.is_displayed() and "open" not in one.get_attribute("class").split():
            page.driver.execute_script("arguments[0].click()", one)


def test_the_keyboard_alone_edits(page, keyboard):
    keyboard.go_to("seed 602")
    keyboard.press(Keys.ENTER)
    page.wait(lambda: page.image and page.slider("smile").is_displayed())
    page.settled()
    keyboard.go_to("range slider for smile")
    before = page.image
    keyboard.press(Keys.ARROW_RIGHT * 20)
    page.wait(lambda: page.image != before)
    page.wait(lambda: page.shown != "seed 602, psi 0.7: unedited")
    keyboard.go_to("Undo", back=True)
    keyboard.press(Keys.ENTER)
    page.wait(lambda: page.shown == "seed 602, psi 0.7: unedited")
    keyboard.go_to("Export ▼")
    keyboard.press(Keys.ENTER)
    page.wait(lambda: page.one("#ll-export").is_displayed())
    keyboard.go_to("Make the files")
    keyboard.press(Keys.SPACE)
    page.wait(lambda: page.all("#ll-files a"))


def test_the_keyboard_alone_writes_the_moves_of_a_drag(page, keyboard):
    page.pick(0)
    page.driver.execute_script("document.activeElement.blur()")
    keyboard.go_to("Drag")
    keyboard.press(Keys.ENTER)
    page.wait(lambda: page.one("#ll-drag-image img").size["width"] > 200)
    unmarked = page.one("#ll-drag-image img").get_attribute("src")
    while "textarea" not in keyboard.focused.tag_name:
        keyboard.press(Keys.TAB)
    keyboard.press("512,600 > 540,600")
    keyboard.press(Keys.TAB)
    page.wait(lambda: page.one("#ll-drag-image img").get_attribute("src") != unmarked)


def test_tab_comes_to_every_control_in_order_and_each_has_a_name(page, keyboard):
    page.pick(1)
    seen = set()
    for name in TABS:
        page.tab(name)
        unfold(page)
        if name == "Translate":
            page.radio("a drawing").click()
            page.wait(lambda: page.one("#ll-drawing canvas").is_displayed())
        wanted = page.driver.execute_script(REACHABLE)
        nameless = [one.get_attribute("outerHTML")[:200] for one in wanted if not one.accessible_name.strip()]
        assert nameless == [], name
        page.driver.execute_script("arguments[0].focus()", wanted[0])
        reached = [wanted[0]]
        while len(reached) < MOST and reached[-1] != wanted[-1]:
            keyboard.press(Keys.TAB)
            reached.append(keyboard.focused)
        assert [one for one in reached if one in wanted] == wanted, name
        seen |= {one.accessible_name for one in reached}
        assert page.messages == [], name  # to pass by is to ask for nothing
    assert {"seed 600", "Photo: drop one here: choose or drop files", "Attribute", "Translator"} <= seen


def test_every_tab_is_reached_on_a_phone(phone, keyboard):
    keyboard.go_to("More tabs")
    keyboard.press(Keys.ENTER)
    keyboard.go_to("Learn")
    keyboard.press(Keys.ENTER)
    phone.wait(lambda: phone.one("#ll-learn").is_displayed())


def test_nothing_is_cut_off_on_a_phone(phone):
    right = """return [...document.querySelectorAll('button, input, textarea, img, label, td, th')].filter(
      one => one.checkVisibility({visibilityProperty: true}) && one.getAttribute('tabindex') !== '-1'
        && one.getBoundingClientRect().right > innerWidth)
      .map(one => one.outerHTML.slice(0, 200))"""
    assert phone.driver.execute_script(right) == []
    phone.pick(0)
    unfold(phone)
    assert phone.driver.execute_script(right) == []
