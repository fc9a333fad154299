"""Links and what else lasts: the address, the way back, several tabs, and the choices that a reload keeps."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from app.page.page import FILES
from tests.app.page.address import link, note_dialogs, values_of
from tests.app.page.answers import ask, expect_classified, top
from tests.app.page.conftest import OpenTab
from tests.app.page.fool import button, result
from tests.app.page.pictures import CHELSEA, PICTURES, file_of, sample
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import text

pytestmark = pytest.mark.browser

LANGUAGES = sorted(path.stem for path in (FILES / "languages").glob("*.json"))
HOSTILE = "<img src=x onerror=alert(1)>"
SCRIPTS = "".join(path.read_text("utf-8") for path in sorted((FILES / "scripts").rglob("*.js")))
PARAMETERS = sorted(
    {*re.findall(r'\b(?:value|number|choice)\("(\w+)"', SCRIPTS), "prove", "jpeg", "versus", "fold", "code"}
)
"""All values that the page reads from its address; some of their names are not written where they are read."""
ALL_HOSTILE = {name: HOSTILE for name in PARAMETERS}
SEEN = text("see.verdict", model="cats-dogs", label="cat", share="> 99.9%")
JUNK = {
    "#no-such-room?photo=chelsea": SEEN,
    "#%": SEEN,
    "#fool?%E0%A4%A": SEEN,
    "#see?photo=__proto__&opacity=1e999&show=why&method=constructor&layer=..&map=1e999": text(
        "why.grad_cam", label="cat"
    ),
    "#see?model=__proto__": text("problem.not-served"),
    "#see?model=../models": text("problem.not-served"),
    "#fool?run=1&mode=budget&budget=1e999&box=1e999,0,-5,9&at=1e999,-1": text("fool.running", model="cats-dogs"),
    "#fool?run=1&box=99999999,99999999,99999999,99999999": text("problem.bad-mask"),
    "#fool?run=1&target=%00": text("problem.unknown-class"),
    "#fool?run=1&target=1e999": text("problem.unknown-class"),
    "#imagine?run=1&subject=channel&layer=..&channel=1e999&seed=1e999&count=1e999": text("problem.unknown-layer"),
    "#models?model=../health/ready": text("models.lead"),
    **{link(room, **ALL_HOSTILE)[1:]: text("problem.not-served") for room in ("see", "fool", "imagine")},
    link("models", **ALL_HOSTILE)[1:]: text("models.lead"),
}
"""Addresses that no link of the page has, each with a sentence that the page shows there."""


def theme(tab: Page) -> Locator:
    """The choice of colours."""
    return tab.get_by_role("combobox", name=text("frame.theme"))


def test_a_link_computes_the_same_result_elsewhere(tab: Page, open_tab: OpenTab, service: ServiceProcess) -> None:
    """With the sample, model, target, budget and box that were chosen: every byte is that of POST /adversarial."""
    options = {"model": "cats-dogs-robust", "target": "cat", "box": "80,0,240,320"}
    answer = ask(service, "/adversarial", sample("drawn-dog.jpg"), format="json", epsilon="3/255", **options)
    tab.goto(link("fool", photo="drawn-dog", mode="budget", budget="3", **options))
    button(tab, "fool.start").click()
    assert result(tab) == file_of(answer["image"])
    assert values_of(tab, "fool") == {"photo": "drawn-dog", "mode": "budget", "budget": "3", "run": "1"} | options
    elsewhere = open_tab(service)
    elsewhere.goto(tab.url)
    assert result(elsewhere) == file_of(answer["image"])


def test_a_link_shows_what_was_asked_about_a_result(tab: Page, open_tab: OpenTab, service: ServiceProcess) -> None:
    """The proof, the verdict on the JPEG and the comparison with the robust model are there without another click."""
    tab.goto(link("fool", effort="quick", run="1"))
    result(tab)
    for key, values in (("prove.button", {}), ("jpeg.button", {}), ("compared.button", {"model": "cats-dogs-robust"})):
        button(tab, key, **values).click()
    expect(tab.locator(".side-by-side")).to_be_visible()
    elsewhere = open_tab(service)
    elsewhere.goto(tab.url)
    jpeg = ".evidence .card:nth-child(2) [aria-live] p"
    for shown, count in ((".verdicts tbody tr", 2), (jpeg, 1), (".side-by-side figcaption", 2)):
        expect(tab.locator(shown)).to_have_count(count)
        expected = tab.locator(shown).all_inner_texts()
        expect(elsewhere.locator(shown)).to_have_text(expected)


def test_back_and_forward_restore_rooms_and_choices(tab: Page, service: ServiceProcess) -> None:
    tab.goto("/")
    expect_classified(tab, service, CHELSEA)
    tab.get_by_role("button", name=text("sample.stripes")).click()
    expect_classified(tab, service, sample("stripes.png"))
    tab.get_by_role("navigation").get_by_role("link", name=text("room.fool")).click()
    tab.get_by_role("radio", name=text("fool.mode.budget")).check()
    expect(tab.get_by_role("img", name=text("see.photo-alt", name="stripes.png"))).to_be_visible()
    tab.go_back()
    expect(tab.get_by_role("radio", name=text("fool.mode.least"))).to_be_checked()
    tab.go_back()
    expect(tab.get_by_role("heading", level=1)).to_have_text(text("see.title"))
    expect_classified(tab, service, sample("stripes.png"))
    tab.go_back()
    expect_classified(tab, service, CHELSEA)
    for _ in range(3):
        tab.go_forward()
    expect(tab.get_by_role("radio", name=text("fool.mode.budget"))).to_be_checked()
    expect(tab.get_by_role("img", name=text("see.photo-alt", name="stripes.png"))).to_be_visible()


def test_two_tabs_run_their_attacks_at_once_to_the_end(tab: Page, open_tab: OpenTab, service: ServiceProcess) -> None:
    """The first is still under way when the second one has begun."""
    other = open_tab(service)
    tab.goto(link("fool"))
    other.goto(link("fool", photo="drawn-dog"))
    expect(button(other, "fool.start")).to_be_visible()
    button(tab, "fool.start").click()
    button(other, "fool.start").click()
    expect(button(tab, "fool.stop")).to_be_visible()
    assert top(service, result(tab))[0] == "dog"
    assert top(service, result(other))[0] == "cat"


def test_the_chosen_theme_lasts(tab: Page) -> None:
    tab.goto("/")
    background = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(background)
    theme(tab).select_option(text("theme.dark"))
    dark = tab.evaluate(background)
    assert dark != light
    tab.reload()
    expect(theme(tab).get_by_role("option", selected=True)).to_have_text(text("theme.dark"))
    assert tab.evaluate(background) == dark


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_chosen_language_lasts(tab: Page, language: str) -> None:
    """It is that of the texts and of the document, so that a screen reader pronounces it rightly."""
    tab.goto("/")
    tab.get_by_role("combobox", name=text("frame.language")).select_option(language)
    for _ in range(2):
        expect(tab.get_by_role("heading", level=1)).to_have_text(text("see.title", language))
        expect(tab.locator("html")).to_have_attribute("lang", language)
        tab.reload()


def test_the_language_is_that_of_the_browser(open_tab: OpenTab, service: ServiceProcess) -> None:
    tab = open_tab(service, locale=LANGUAGES[-1])
    tab.goto("/")
    expect(tab.get_by_role("heading", level=1)).to_have_text(text("see.title", LANGUAGES[-1]))


def test_a_photo_of_ones_own_lasts_in_this_browser_and_is_not_in_the_link(
    tab: Page, open_tab: OpenTab, service: ServiceProcess
) -> None:
    tab.goto("/")
    tab.locator("input[type=file]").set_input_files(PICTURES / "fooled.png")
    expect_classified(tab, service, (PICTURES / "fooled.png").read_bytes())
    tab.reload()
    expect_classified(tab, service, (PICTURES / "fooled.png").read_bytes())
    elsewhere = open_tab(service)
    elsewhere.goto(tab.url)
    expect(elsewhere.get_by_role("alert")).to_have_text(text("photo.elsewhere"))
    elsewhere.get_by_role("button", name=text("sample.chelsea")).click()
    expect_classified(elsewhere, service, CHELSEA)
    expect(elsewhere.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("junk", JUNK)
def test_junk_in_the_address_does_no_harm(tab: Page, expected_errors: list[str], junk: str) -> None:
    """A room opens, says what is wrong where something is, and leads on. What was foreign is at most text."""
    expected_errors.append("the server responded with a status of 4")
    dialogs = note_dialogs(tab)
    tab.goto(f"/{junk}")
    expect(tab.get_by_role("main")).to_contain_text(JUNK[junk])
    for room, title in (("see", "see.title"), ("fool", "fool.title")):
        tab.get_by_role("navigation").get_by_role("link", name=text(f"room.{room}")).click()
        expect(tab.get_by_role("heading", level=1)).to_have_text(text(title))
        assert tab.locator("img[src=x], [onerror]").count() == 0
    assert dialogs == []
