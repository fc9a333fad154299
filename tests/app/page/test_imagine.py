"""The room Imagine: a picture grows from noise before the visitor's eyes, and is what the service answers."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.app.page.accessibility import violations
from tests.app.page.address import link, values_of
from tests.app.page.answers import change_answer, engine, wait_until_idle
from tests.app.page.conftest import OpenTab
from tests.app.page.pictures import file_of, shown_file
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import certainty, decimal, text
from tests.app.page.watch import NOTE_SHIFTS, moved

pytestmark = pytest.mark.browser

QUICK = {"class": "cat", "effort": "quick", "run": "1"}
LONG = {"class": "dog", "effort": "thorough", "count": "9", "run": "1"}
"""A drawing that takes long on any machine."""
MODEL = {"model": "cats-dogs"}
RECIPE = {"method": "pixel", "crops": "0", "clamp": "false"}
# Notes, as long as a picture is drawn, how many pictures were seen, and how long the line of the chart has become.
WATCH = """
window.seen = new Set();
window.points = [];
document.addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  if (!document.querySelector("main [role=progressbar]")) return;
  const src = document.querySelector("main figure img")?.src;
  if (src) seen.add(src);
  points.push((document.querySelector("main svg path.accent")?.getAttribute("d").match(/[ML]/g) ?? []).length);
}).observe(document.body, { subtree: true, childList: true, attributes: true }));
"""


def ideal(service: ServiceProcess, path: str = "/ideal/cat", **options: str) -> Any:
    """What the service answers, as JSON."""
    response = service.client.get(path, params=MODEL | options | {"format": "json"})
    assert response.status_code == 200, response.text
    return response.json()


def press(tab: Page, key: str, **values: str) -> None:
    """Press a button by the key of its text; of several, the first."""
    tab.get_by_role("main").get_by_role("button", name=text(key, **values), exact=True).first.click()


def wait_until_drawn(tab: Page) -> None:
    """Wait until all that the address asks for is drawn."""
    again = re.compile("^Draw (another one|. others)$")
    expect(tab.get_by_role("main").get_by_role("button", name=again)).to_be_visible()


def pieces(tab: Page) -> Locator:
    """The pictures on the wall."""
    return tab.get_by_role("region", name=text("ideal.picture")).get_by_role("img")


def drawn(tab: Page, room_link: str) -> list[bytes]:
    """Open the room, and return the files of the pictures once all are drawn."""
    tab.goto(room_link)
    wait_until_drawn(tab)
    return [shown_file(image) for image in pieces(tab).all()]


def test_a_picture_grows_before_the_visitor_has_pressed_anything(tab: Page, service: ServiceProcess) -> None:
    """It is the first class, by the usual and the robust model; the address then names everything for a link."""
    tab.add_init_script(WATCH)
    tab.goto("/#imagine")
    wait_until_drawn(tab)
    points: list[int] = tab.evaluate("points")
    assert tab.evaluate("seen.size") > 3
    assert points == sorted(points) and points[-1] > 10
    values = values_of(tab, "imagine")
    assert values == {"model": "cats-dogs", "class": "cat", "run": "1", "beside": "robust", "seed": values["seed"]}
    answer = ideal(service, seed=values["seed"])
    beside = ideal(service, seed=values["seed"], model="cats-dogs-robust")
    assert [shown_file(image) for image in pieces(tab).all()] == [file_of(one["image"]) for one in (answer, beside)]
    score = answer["score"]
    verdict = text("ideal.recognised", model="cats-dogs", label="cat", share=certainty(score["probability"]))
    expect(tab.locator(".verdict")).to_have_text(verdict)
    robust = text("ideal.views.held", share=certainty(score["robust"]))
    expect(tab.get_by_text(robust, exact=True)).to_be_visible()
    judged = tab.get_by_role("main").get_by_role("listitem").filter(has_text="cats-dogs-robust")
    expect(judged).to_contain_text(certainty(score["transfer"]["probability"]))


def test_a_link_gives_the_same_file_to_others_and_after_back_and_forward(
    tab: Page, service: ServiceProcess, open_tab: OpenTab
) -> None:
    first = drawn(tab, link("imagine", **QUICK))
    tab.get_by_role("button", name="Draw another one").click()
    expect(tab.get_by_text(text("ideal.caption", label="cat", model="cats-dogs", seed="1"))).to_be_visible()
    second = [shown_file(pieces(tab))]
    assert first != second
    tab.go_back()
    expect(tab.get_by_text(text("ideal.caption", label="cat", model="cats-dogs", seed="0"))).to_be_visible()
    assert [shown_file(pieces(tab))] == first
    tab.go_forward()
    expect(tab.get_by_text(text("ideal.caption", label="cat", model="cats-dogs", seed="1"))).to_be_visible()
    assert [shown_file(pieces(tab))] == second
    assert drawn(open_tab(service), tab.url) == second
    assert second == [file_of(ideal(service, seed="1", effort="quick")["image"])]


def test_each_of_four_pictures_can_be_chosen_enlarged_and_downloaded(tab: Page, service: ServiceProcess) -> None:
    files = drawn(tab, link("imagine", count="4", **QUICK))
    assert files == [file_of(picture["image"]) for picture in ideal(service, count="4", effort="quick")["pictures"]]
    tab.get_by_role("button", name=text("ideal.one-alt", label="cat", seed="2")).click()
    expect(tab.get_by_text(text("ideal.caption", label="cat", model="cats-dogs", seed="2"))).to_be_visible()
    press(tab, "ideal.large")
    expect(pieces(tab)).to_have_count(1)
    assert shown_file(pieces(tab)) == files[2]
    with tab.expect_download() as waiting:
        press(tab, "ideal.download")
    assert waiting.value.suggested_filename == "cats-dogs-cat-2.png"
    assert Path(waiting.value.path()).read_bytes() == files[2]


def press_stop(tab: Page) -> None:
    press(tab, "ideal.stop")
    expect(tab.get_by_text(text("ideal.stopped"))).to_be_visible()
    assert "run" not in values_of(tab, "imagine")


def leave_the_room(tab: Page) -> None:
    tab.get_by_role("navigation").get_by_role("link", name=text("room.models")).click()


@pytest.mark.parametrize("end", [press_stop, leave_the_room, Page.close])
def test_a_drawing_that_nobody_waits_for_ends_in_the_service(
    tab: Page, service: ServiceProcess, end: Callable[[Page], None]
) -> None:
    """The engine counts one more task whose client has left, and soon works on nothing."""
    wait_until_idle(service)
    left = engine(service, "left")
    tab.goto(link("imagine", **LONG))
    expect(pieces(tab)).to_have_accessible_name(text("ideal.growing-alt"))
    end(tab)
    wait_until_idle(service)
    assert engine(service, "left") == left + 1


def test_the_robust_model_draws_beside_the_usual_one(tab: Page, service: ServiceProcess) -> None:
    drawn(tab, link("imagine", **QUICK))
    tab.get_by_role("radio", name=text("beside.robust")).check()
    expect(pieces(tab)).to_have_count(2)
    wait_until_drawn(tab)
    expected = [ideal(service, effort="quick", model=model)["image"] for model in ("cats-dogs", "cats-dogs-robust")]
    assert [shown_file(image) for image in pieces(tab).all()] == [file_of(image) for image in expected]
    assert values_of(tab, "imagine")["beside"] == "robust"


def test_no_picture_of_something_else_stays_beside_a_new_one(tab: Page) -> None:
    """A layer that only the chosen model has: nothing can be drawn beside its channel."""
    change_answer(tab, "models/cats-dogs-robust", layers=[])
    drawn(tab, link("imagine", beside="robust", **QUICK))
    expect(pieces(tab)).to_have_count(2)
    tab.get_by_role("radio", name=text("subject.channel")).check()
    press(tab, "ideal.draw")
    wait_until_drawn(tab)
    expect(pieces(tab)).to_have_count(1)
    expect(tab.get_by_text(text("beside.missing")).first).to_be_visible()


def test_the_plain_recipe_is_told_apart_from_what_it_promises(tab: Page, service: ServiceProcess) -> None:
    """Twenty of its thousand steps, so that the test is quick: the bars are those of the answer, whatever it is."""
    tab.route("**/ideal/cat?*method=pixel*", lambda route: route.continue_(url=f"{route.request.url}&steps=20"))
    files = drawn(tab, link("imagine", beside="recipe", **QUICK))
    answer = ideal(service, steps="20", **RECIPE)
    assert files[1] == file_of(answer["image"])
    score = answer["score"]
    card = tab.locator("section.card", has=tab.get_by_role("heading", name=text("promise.recipe"), exact=True))
    figures = [score["promised"], score["probability"], score["robust"], score["transfer"]["probability"]]
    expect(card.locator("dd")).to_have_text([certainty(figure) for figure in figures])


def test_the_film_is_shown_and_downloaded(tab: Page, open_tab: OpenTab, service: ServiceProcess) -> None:
    """A link to it shows it as well."""
    (picture,) = drawn(tab, link("imagine", **QUICK))
    press(tab, "film.play")
    expect(pieces(tab)).to_have_accessible_name(text("film.alt", label="cat"))
    with tab.expect_download() as waiting:
        press(tab, "film.download")
    film = service.client.get("/ideal/cat", params=MODEL | {"effort": "quick", "seed": "0", "format": "film"}).content
    assert Path(waiting.value.path()).read_bytes() == film
    assert pieces(tab).evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 256
    elsewhere = open_tab(service)
    elsewhere.goto(tab.url)
    expect(pieces(elsewhere)).to_have_accessible_name(text("film.alt", label="cat"))
    press(tab, "film.end")
    expect(pieces(tab)).to_have_accessible_name(text("ideal.alt", label="cat", model="cats-dogs"))
    assert shown_file(pieces(tab)) == picture


def test_the_gallery_outlives_the_page_and_leads_back(tab: Page) -> None:
    files = drawn(tab, link("imagine", count="4", **QUICK))
    tab.get_by_role("button", name=text("ideal.one-alt", label="cat", seed="3")).click()
    press(tab, "gallery.keep")
    kept = tab.get_by_role("img", name=text("gallery.alt", label="cat", model="cats-dogs", seed="3"))
    expect(kept).to_be_visible()
    tab.goto("/#see")
    tab.reload()
    tab.goto(link("imagine", run="1", **{"class": "dog", "effort": "quick"}))
    wait_until_drawn(tab)
    kept.click()
    expect(tab.get_by_role("button", name=text("ideal.one-alt", label="cat", seed="3"))).to_have_attribute(
        "aria-pressed", "true"
    )
    assert [shown_file(image) for image in pieces(tab).all()] == files
    press(tab, "gallery.remove-one", label="cat", model="cats-dogs", seed="3")
    expect(kept).to_have_count(0)
    tab.reload()
    expect(tab.get_by_text(text("gallery.empty"))).to_be_visible()


def test_a_channel_is_drawn_and_compared_with_noise(tab: Page, service: ServiceProcess) -> None:
    channel = {"layer": "features.14", "channel": "3"}
    files = drawn(tab, link("imagine", subject="channel", run="1", effort="quick", **channel))
    answer = ideal(service, "/ideal", effort="quick", **channel)
    assert files == [file_of(answer["image"])]
    activation, noise = answer["score"]["activation"], answer["score"]["on_noise"]
    values = {"activation": decimal(activation, 3), "noise": decimal(noise, 3), "ratio": decimal(activation / noise, 1)}
    verdict = text("ideal.channel-ratio", **channel, **values)
    expect(tab.get_by_role("main").get_by_text(verdict, exact=True)).to_be_visible()


def test_one_of_many_classes_is_found_by_another_name_with_the_keyboard(tab: Page) -> None:
    """As with the classes of ImageNet: a thousand, some with other names, two with the same one."""
    names = ["tabby", "tiger cat", "crane", "crane", *(f"breed {number}" for number in range(996))]
    others = [["tabby", "house tiger"], ["tiger cat"], ["crane", "bird"], ["crane", "hoist"], *([] for _ in range(996))]

    change_answer(tab, "models/cats-dogs", class_names=names, synonyms=others)
    tab.goto(link("imagine", **LONG))
    press(tab, "ideal.stop")
    field = tab.get_by_role("combobox", name=text("subject.class-of", model="cats-dogs"))
    options = tab.get_by_role("listbox").get_by_role("option")
    field.focus()
    tab.keyboard.type("TIGER")
    expect(options).to_have_text(["tiger cat", f"tabby {text('subject.also', name='house tiger')}"])
    expect(tab.get_by_role("status")).to_have_text(text("subject.matches", count="2"))
    tab.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", options.nth(1).get_attribute("id") or "")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    assert violations(tab) == []
    tab.keyboard.press("Enter")
    expect(field).to_have_value("tabby")
    expect(field).to_have_attribute("aria-expanded", "false")
    assert values_of(tab, "imagine")["class"] == "tabby"
    tab.keyboard.type("hoist")
    tab.keyboard.press("Enter")
    expect(field).to_have_value("crane")
    assert values_of(tab, "imagine")["class"] == "3", "the name alone would mean another class"
    tab.keyboard.type("tab")
    tab.keyboard.press("Escape")
    expect(field).to_have_value("crane")
    expect(options).to_have_count(0)


def test_a_class_that_the_model_does_not_know_is_said(tab: Page, expected_errors: list[str]) -> None:
    expected_errors.append("404")
    tab.goto(link("imagine", run="1", **{"class": "zebra"}))
    alert = tab.get_by_role("main").get_by_role("alert")
    expect(alert).to_contain_text(text("problem.unknown-class"))
    expect(alert.locator("[lang=en]")).to_contain_text("no class is called 'zebra'")


@pytest.mark.parametrize("width", [320, 1024, 2560])
def test_nothing_moves_while_a_picture_grows(service: ServiceProcess, open_tab: OpenTab, width: int) -> None:
    tab = open_tab(service, viewport={"width": width, "height": 800}, color_scheme="dark")
    tab.add_init_script(NOTE_SHIFTS)
    drawn(tab, link("imagine", seed=str(width), beside="robust", **QUICK))
    assert moved(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(tab) == []
