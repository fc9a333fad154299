"""The result of the room Fool: its views, its figures, the file, and the comparison with a robust model."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from tests.app.page.address import link, values_of
from tests.app.page.answers import ask, top
from tests.app.page.fool import button, result, stage
from tests.app.page.pictures import CHELSEA, file_of, levels, shown_file
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import decimal, of_an_attack, percent, text

pytestmark = pytest.mark.browser


@pytest.fixture
def fooled(tab: Page) -> Page:
    """Return a tab in which the model has just been fooled about the first photo."""
    tab.goto(link("fool", effort="quick", run="1"))
    result(tab)
    return tab


def changes(picture: bytes) -> NDArray[np.int64]:
    """By how many levels a picture differs from the photo."""
    return levels(picture) - levels(CHELSEA)


def length(picture: bytes) -> float:
    """The length of the change (L2), with colour values from 0 to 1."""
    return float(np.linalg.norm(changes(picture) / 255))


def view(tab: Page, name: str) -> None:
    """Choose how the result is shown."""
    tab.get_by_role("radio", name=text(f"fool.view.{name}"), exact=True).check()


def test_all_pictures_are_those_of_the_service(tab: Page, service: ServiceProcess) -> None:
    """It is asked first, since its numbers may differ in their last digit while it works on other requests as well."""
    answer = ask(service, "/adversarial", CHELSEA, format="json")
    tab.goto(link("fool", run="1"))
    assert result(tab) == file_of(answer["image"])
    view(tab, "heat")
    assert shown_file(stage(tab).get_by_role("img", name=text("fool.heat-alt"))) == file_of(answer["heat_map"])
    view(tab, "change")
    assert shown_file(stage(tab).get_by_role("img", name=text("fool.change-alt"))) == file_of(answer["perturbation"])
    view(tab, "compare")
    assert result(tab) == file_of(answer["image"])


def test_the_figures_are_those_of_the_pixels(fooled: Page) -> None:
    change = changes(result(fooled))
    unchanged, largest = percent(float((change == 0).mean())), str(np.abs(change).max())
    touched = (change != 0).any(axis=2)
    figures = fooled.get_by_role("listitem")
    expect(figures.filter(has_text=text("figures.unchanged", share=unchanged, count=largest))).to_be_visible()
    l2 = decimal(length(result(fooled)), 2)
    count, pixels = f"{touched.sum():,}", f"{touched.size:,}"
    expect(figures.filter(has_text=text("figures.norms", l2=l2, count=count, pixels=pixels))).to_be_visible()


def test_single_pixels_have_their_true_values(fooled: Page) -> None:
    """At first those of the pixel that changed most; then those of the pixel that was pressed, and of its neighbour."""
    after = levels(result(fooled))
    before = levels(CHELSEA)
    change = np.abs(after - before).sum(axis=2)
    view(fooled, "pixels")
    captions = stage(fooled).get_by_role("figure").filter(has_text=re.compile("pixel")).locator("figcaption")

    def expect_values(x: int, y: int) -> None:
        for place, title, pixel in [(0, "before", before[y, x]), (1, "after", after[y, x])]:
            red, green, blue = map(str, pixel)
            values = text("pixels.values", x=str(x), y=str(y), red=red, green=green, blue=blue)
            expect(captions.nth(place)).to_have_text(f"{text(f'compare.{title}')} {values}")

    y, x = np.unravel_index(change.argmax(), change.shape)
    expect_values(int(x), int(y))
    fooled.get_by_role("button", name=text("pixels.map")).click(position={"x": 20, "y": 10})
    x, y = map(int, values_of(fooled, "fool")["at"].split(","))
    expect_values(x, y)
    fooled.keyboard.press("ArrowRight")
    expect_values(x + 1, y)


def test_the_downloaded_file_is_the_one_that_is_shown(fooled: Page) -> None:
    with fooled.expect_download() as download:
        button(fooled, "download.button").click()
    assert download.value.suggested_filename == "fooled.png"
    assert Path(download.value.path()).read_bytes() == result(fooled)


def test_a_robust_model_is_compared_side_by_side(fooled: Page, service: ServiceProcess) -> None:
    """Both results are proven by POST /classify, and the ratio is that of the lengths of both changes."""
    own, robust = "cats-dogs", "cats-dogs-robust"
    button(fooled, "compared.button", model=robust).click()
    figures = fooled.get_by_role("figure").filter(has=fooled.locator("figcaption", has_text="now sees"))
    expect(figures).to_have_count(2)
    files = [shown_file(figures.nth(place).get_by_role("img").first) for place in (0, 1)]
    assert files[0] == result(fooled)
    for place, model in enumerate((own, robust)):
        label, probability = top(service, files[place], model=model)
        sentence = of_an_attack("fool.fooled", probability, model=model, label=label)
        expect(figures.nth(place)).to_contain_text(sentence)
    ratio = decimal(length(files[1]) / length(files[0]), 1)
    expect(
        fooled.get_by_role("main").get_by_text(text("compared.ratio", model=robust, other=own, ratio=ratio))
    ).to_be_visible()
