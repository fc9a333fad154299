"""The room Fool: its result, and the proof of it."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.app.page.pictures import shown_file
from tests.app.page.texts import text

LONG = {"effort": "thorough", "survive": "jpeg:75,resize:0.5", "run": "1"}
"""The address of an attack of more than two hundred steps, which takes long on any machine."""


def button(tab: Page, key: str, **values: str) -> Locator:
    """A button of the page, by the key of its text."""
    return tab.get_by_role("main").get_by_role("button", name=text(key, **values), exact=True)


def stage(tab: Page) -> Locator:
    """The part of the room that shows the photo and its changed copy."""
    return tab.get_by_role("region", name=text("fool.photo"))


def result(tab: Page) -> bytes:
    """Wait until the attack has ended, and return the file of the changed photo."""
    beginning = re.escape(text("fool.after-alt", label=""))
    image = stage(tab).get_by_role("img", name=re.compile(f"^{beginning}"))
    expect(image).to_be_visible()
    return shown_file(image)


def wait_for_steps(tab: Page) -> None:
    """Wait until the attack has begun, and its progress arrives."""
    sentence = re.escape(text("fool.step", step="0", steps="0")).replace("0", r"\d+")
    expect(tab.get_by_role("main").get_by_text(re.compile(sentence))).to_be_visible()


def proof(tab: Page) -> list[list[str]]:
    """Press the button that proves the result, and return the rows of the table that appears."""
    button(tab, "prove.button").click()
    rows = tab.get_by_role("table", name=text("prove.title")).locator("tbody tr")
    expect(rows).to_have_count(2)
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]
