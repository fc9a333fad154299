"""That everybody can use the page: by axe-core, by the keyboard alone, and on a narrow screen."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.page.page import FILES
from tests.app.page.accessibility import violations
from tests.app.page.address import link
from tests.app.page.conftest import OpenTab
from tests.app.page.fool import button, result
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import text

pytestmark = pytest.mark.browser

ROOMS = ("see", "fool", "imagine", "models")
LANGUAGES = sorted(path.stem for path in (FILES / "languages").glob("*.json"))
TITLES = {"see": "see.title", "fool": "fool.title", "imagine": "ideal.title", "models": "models.title"}
MOST_TABS = 60


def enter(tab: Page, room: str, language: str = "en") -> None:
    """Open a room, and wait until all of it is there."""
    tab.goto(link(room))
    expect(tab.get_by_role("heading", level=1)).to_have_text(text(TITLES[room], language))
    expect(tab.get_by_role("combobox", name=text("frame.model", language))).to_have_value("cats-dogs")
    if room == "see":
        strip = tab.get_by_role("group", name=text("layers.strip", language))
        expect(strip.locator("button img")).to_have_count(10)
    elif room == "fool":
        expect(tab.get_by_role("radio", name="dog")).to_be_visible()
    elif room == "imagine":
        expect(
            tab.get_by_role("button", name=text("gallery.keep", language)).and_(tab.locator(":enabled"))
        ).to_have_count(2)
    elif room == "models":
        expect(tab.get_by_role("article")).to_have_count(2)


def see_why(tab: Page) -> None:
    enter(tab, "see")
    tab.get_by_role("radio", name=text("why.why")).check()
    expect(tab.get_by_role("img", name=text("why.alt", label="cat"))).to_be_visible()
    tab.get_by_text(text("code.title")).click()


def fool_choices(tab: Page) -> None:
    enter(tab, "fool")
    tab.get_by_role("radio", name=text("fool.mode.budget")).check()
    tab.get_by_text(text("fool.more")).click()


def fool_result(tab: Page) -> None:
    tab.goto(link("fool", effort="quick", run="1"))
    result(tab)
    button(tab, "prove.button").click()
    expect(tab.get_by_role("table")).to_be_visible()


def fool_pixels(tab: Page) -> None:
    tab.goto(link("fool", effort="quick", view="pixels", run="1"))
    expect(tab.get_by_role("button", name=text("pixels.map"))).to_be_visible()


def imagine(tab: Page) -> None:
    enter(tab, "imagine")


def models(tab: Page) -> None:
    enter(tab, "models")


def a_problem(tab: Page) -> None:
    tab.goto(link("fool", target="unicorn", run="1"))
    expect(tab.get_by_role("alert")).to_be_visible()


@pytest.mark.parametrize(
    "show",
    [see_why, fool_choices, fool_result, fool_pixels, imagine, models, a_problem],
    ids=lambda show: show.__name__,
)
def test_axe_finds_nothing(tab: Page, expected_errors: list[str], show: Callable[[Page], None]) -> None:
    """In light and in dark, on a wide window and on a telephone. Without movement, whose colours are in between."""
    if show is a_problem:
        expected_errors.append("status of 404")
    tab.emulate_media(reduced_motion="reduce")
    show(tab)
    found = {}
    for scheme in ("light", "dark"):
        for width in (1280, 375):
            tab.emulate_media(color_scheme="light" if scheme == "light" else "dark")
            tab.set_viewport_size({"width": width, "height": 800})
            found[scheme, width] = violations(tab)
    assert {place: texts for place, texts in found.items() if texts} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_in_any_language(tab: Page, language: str) -> None:
    tab.goto("/")
    tab.get_by_role("combobox", name=text("frame.language")).select_option(language)
    expect(tab.locator("html")).to_have_attribute("lang", language)
    found = {}
    for room in ROOMS:
        enter(tab, room, language)
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme="light" if scheme == "light" else "dark")
            found[room, scheme] = violations(tab)
    assert {place: texts for place, texts in found.items() if texts} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_room_is_scrolled_sideways_on_a_narrow_screen(tab: Page, language: str) -> None:
    """At 320 pixels, which is also a window of 1280 pixels that is enlarged four times."""
    tab.set_viewport_size({"width": 320, "height": 640})
    tab.goto("/")
    tab.get_by_role("combobox", name=text("frame.language")).select_option(language)
    widths = {}
    for room in ROOMS:
        enter(tab, room, language)
        widths[room] = tab.evaluate("document.documentElement.scrollWidth")
    assert {room: width for room, width in widths.items() if width > 320} == {}


def test_no_room_is_scrolled_sideways_on_the_largest_screen(tab: Page) -> None:
    """At 3840 pixels; what is written grows with the window, to 1.5 times what it is on a small one at least."""
    tab.set_viewport_size({"width": 3840, "height": 2160})
    for room in ROOMS:
        enter(tab, room)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 3840, room
        assert tab.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 24, room


def focus_by_tabs(tab: Page, name: str) -> None:
    """Press Tab until the element with this text has the focus."""
    focused = tab.locator("main :focus").filter(has_text=name)
    for _ in range(MOST_TABS):
        tab.keyboard.press("Tab")
        if focused.count():
            return
    pytest.fail(f"{name} is not reached by Tab")


def test_the_keyboard_alone_fools_the_model_and_proves_it(tab: Page) -> None:
    tab.goto("/")
    expect(tab.get_by_role("link", name=text("see.fool"))).to_be_visible()
    focus_by_tabs(tab, text("see.fool"))
    tab.keyboard.press("Enter")
    result(tab)
    focus_by_tabs(tab, text("prove.button"))
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("table", name=text("prove.title")).get_by_role("row")).to_have_count(3)


def test_two_taps_on_a_telephone_fool_the_model_and_prove_it(open_tab: OpenTab, service: ServiceProcess) -> None:
    tab = open_tab(service, viewport={"width": 375, "height": 812}, has_touch=True, is_mobile=True)
    tab.goto("/")
    tab.get_by_role("link", name=text("see.fool")).tap()
    result(tab)
    button(tab, "prove.button").tap()
    expect(tab.get_by_role("table", name=text("prove.title")).get_by_role("row")).to_have_count(3)


MOVING = """() => [...document.querySelectorAll("*")].filter((element) => {
  const style = getComputedStyle(element);
  return style.transitionDuration.split(", ").some((time) => time !== "0s") || style.animationName !== "none";
}).length"""


def test_nothing_moves_by_itself_for_those_who_do_not_want_it(tab: Page) -> None:
    """Otherwise the bars grow and shrink."""
    tab.emulate_media(reduced_motion="no-preference")
    enter(tab, "see")
    assert tab.evaluate(MOVING) > 0
    tab.emulate_media(reduced_motion="reduce")
    for room in ROOMS:
        enter(tab, room)
        assert tab.evaluate(MOVING) == 0, room
