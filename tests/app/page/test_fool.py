"""The room Fool: an attack before the visitor's eyes, its proof, the choices for it, and its end."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from models.attacks.options import ATTACKS
from tests.app.page.address import link, values_of
from tests.app.page.answers import engine, top, wait_until_idle
from tests.app.page.fool import LONG, button, proof, result, stage, wait_for_steps
from tests.app.page.pictures import CHELSEA, levels, redrawn
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import certainty, of_an_attack, text

pytestmark = pytest.mark.browser

WATCH = """(change) => {
  window.noted = [];
  const note = () => {
    const progress = document.querySelector("main [role=progressbar] + p");
    if (!progress) return;
    const lines = [...document.querySelectorAll("main svg path")].map((path) => path.getAttribute("d"));
    window.noted.push({
      step: Number(/\\d+/.exec(progress.textContent)?.[0] ?? 0),
      points: Math.max(...lines.map((line) => line.split(/[ML]/).length - 1)),
      left: /about .* left/.test(progress.textContent),
      picture: document.querySelector(`main img[alt="${change}"]`) !== null,
    });
  };
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
"""Notes, whenever the page changes, what is seen of a running attack: the number of its step, the number of points of
the longest line in the chart, whether the time left is told, and whether there is a picture of the change."""


def shown(service: ServiceProcess, picture: bytes, model: str) -> str:
    """The most probable class of a picture with its probability, as the page writes it."""
    label, probability = top(service, picture, model=model)
    return f"{label} {certainty(probability)}"


def test_an_attack_is_watched_step_by_step(tab: Page) -> None:
    """While it runs, the step advances, the lines of the chart grow, and the change and the time left are seen."""
    tab.goto(link("fool"))
    tab.evaluate(WATCH, text("fool.change-alt"))
    button(tab, "fool.start").click()
    result(tab)
    noted: list[dict[str, Any]] = [moment for moment in tab.evaluate("window.noted") if moment["step"]]
    steps, points = [moment["step"] for moment in noted], [moment["points"] for moment in noted]
    assert steps == sorted(steps) and len(set(steps)) > 2
    assert points == sorted(points) and len(set(points)) > 2
    assert any(moment["picture"] for moment in noted)
    assert any(moment["left"] for moment in noted)


def test_two_clicks_lead_to_a_proof_that_the_service_confirms(tab: Page, service: ServiceProcess) -> None:
    """The table says of the very file that is shown what POST /classify says of it."""
    tab.goto("/")
    tab.get_by_role("link", name=text("see.fool")).click()
    rows = proof(tab)
    file = result(tab)
    models = ["cats-dogs", "cats-dogs-robust"]
    assert rows == [[model, shown(service, CHELSEA, model), shown(service, file, model)] for model in models]
    label, probability = top(service, file, model="cats-dogs")
    assert label == "dog"
    sentence = of_an_attack("fool.fooled", probability, model="cats-dogs", label="dog")
    expect(tab.get_by_role("main").get_by_text(sentence)).to_be_visible()


def test_the_result_is_asked_again_as_a_jpeg(tab: Page, service: ServiceProcess) -> None:
    """The same browser saves the picture as the page does; POST /classify says whether the trick holds."""
    tab.goto(link("fool", effort="quick", run="1"))
    result(tab)
    label, probability = top(service, redrawn(stage(tab).get_by_role("img").first, "image/jpeg", 0.75))
    button(tab, "jpeg.button").click()
    sentence = text("jpeg.held" if label == "dog" else "jpeg.lost", label=label, share=certainty(probability))
    expect(tab.get_by_role("main").get_by_text(sentence)).to_be_visible()


@pytest.mark.parametrize(("index", "key"), [(1, "jpeg.held"), (2, "jpeg.held"), (0, "jpeg.lost")])
def test_any_other_class_than_the_original_one_holds_as_a_jpeg(tab: Page, index: int, key: str) -> None:
    """Without a target. The answer about the JPEG is replaced by one with a class that is not among the two."""
    prediction = {"label": "fox", "index": index, "probability": 0.625}
    answer = {"model": "cats-dogs", "width": 451, "height": 300, "predictions": [prediction]}
    tab.goto(link("fool", effort="quick", run="1"))
    result(tab)
    tab.route("**/classify", lambda route: route.fulfill(json=answer))
    button(tab, "jpeg.button").click()
    expect(tab.get_by_role("main").get_by_text(text(key, label="fox", share="62.5%"))).to_be_visible()


def by_touch(tab: Page) -> None:
    """Draw the same box with a finger."""
    area = tab.get_by_role("img", name=text("see.photo-alt", name="chelsea.jpg")).bounding_box()
    assert area is not None
    points = [
        {"x": area["x"] + area["width"] * part, "y": area["y"] + area["height"] * part} for part in (0.25, 0.5, 0.75)
    ]
    devtools = tab.context.new_cdp_session(tab)
    devtools.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points[:1]})
    for point in points[1:]:
        devtools.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def by_pointer(tab: Page) -> None:
    """Draw a box from a quarter to three quarters of the photo in both directions."""
    area = tab.get_by_role("img", name=text("see.photo-alt", name="chelsea.jpg")).bounding_box()
    assert area is not None
    near, far = ((area["x"] + area["width"] * part, area["y"] + area["height"] * part) for part in (0.25, 0.75))
    tab.mouse.move(*near)
    tab.mouse.down()
    tab.mouse.move(*far, steps=4)
    tab.mouse.up()


def by_fields(tab: Page) -> None:
    """Type the same box as four numbers."""
    tab.get_by_text(text("fool.more")).click()
    for name, value in {"left": 113, "top": 75, "width": 225, "height": 150}.items():
        tab.get_by_role("spinbutton", name=text(f"box.{name}")).fill(str(value))
        tab.keyboard.press("Tab")


@pytest.mark.parametrize("choose", [by_pointer, by_touch, by_fields])
def test_no_pixel_outside_the_box_changes(tab: Page, choose: Callable[[Page], None]) -> None:
    """The photo has 451 x 300 pixels. A pointer is precise to a pixel where the photo is shown larger than that."""
    tab.goto(link("fool", effort="quick"))
    choose(tab)
    left, top, width, height = map(int, values_of(tab, "fool")["box"].split(","))
    assert np.abs(np.array([left, top, width, height]) - [113, 75, 225, 150]).max() <= 1
    button(tab, "fool.start").click()
    changed = (levels(result(tab)) != levels(CHELSEA)).any(axis=2)
    assert changed[top : top + height, left : left + width].any()
    changed[top : top + height, left : left + width] = False
    assert not changed.any()


def test_within_a_budget_of_two_levels_no_value_moves_further(tab: Page) -> None:
    """The step of FGSM moves every value as far as it may, wherever the class depends on it."""
    tab.goto(link("fool"))
    tab.get_by_role("radio", name=text("fool.mode.budget")).check()
    tab.get_by_text(text("fool.more")).click()
    tab.get_by_role("combobox", name=text("fool.attack")).select_option(text("attack.fgsm"))
    tab.get_by_role("slider", name=text("fool.budget")).fill("2")
    expect(tab.get_by_role("main").get_by_text(text("fool.levels", count="2"))).to_be_visible()
    button(tab, "fool.start").click()
    assert np.abs(levels(result(tab)) - levels(CHELSEA)).max() == 2


def press_stop(tab: Page) -> None:
    button(tab, "fool.stop").click()
    expect(tab.get_by_role("main").get_by_text(text("fool.stopped"))).to_be_visible()
    expect(button(tab, "fool.start")).to_be_enabled()


def leave_the_room(tab: Page) -> None:
    tab.get_by_role("navigation").get_by_role("link", name=text("room.see")).click()


def hide_the_page(tab: Page) -> None:
    """Say what the browser says before it closes the tab, or keeps the page for the way back; then draw twice more."""
    tab.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    for _ in range(2):
        tab.evaluate("new Promise(requestAnimationFrame)")


@pytest.mark.parametrize("end", [press_stop, leave_the_room, hide_the_page, Page.close])
def test_an_attack_that_nobody_waits_for_ends_in_the_service(
    tab: Page, service: ServiceProcess, end: Callable[[Page], None]
) -> None:
    """The engine counts one more task whose client has left, and soon works on nothing. No attack is begun anew."""
    wait_until_idle(service)
    left = engine(service, "left")
    attacks: list[str] = []
    tab.on("request", lambda request: attacks.append(request.url) if request.url.endswith("/adversarial") else None)
    tab.goto(link("fool", **LONG))
    wait_for_steps(tab)
    end(tab)
    assert len(attacks) == 1
    wait_until_idle(service)
    assert engine(service, "left") == left + 1


def test_start_over_shows_the_photo_again_before_the_attack(tab: Page) -> None:
    tab.goto(link("fool", effort="quick", run="1"))
    result(tab)
    button(tab, "fool.start-over").click()
    expect(button(tab, "fool.start")).to_be_enabled()
    assert "run" not in values_of(tab, "fool")
    expect(stage(tab).get_by_role("img")).to_have_accessible_name(text("see.photo-alt", name="chelsea.jpg"))


def test_the_attacks_and_their_norms_are_those_of_the_service(tab: Page) -> None:
    """The page offers all but the patch, which is no small change."""
    tab.goto("/")
    offered = tab.evaluate("import('/page/scripts/rooms/fool/options.js').then((module) => module.ATTACKS)")
    for mode, minimal in {"least": True, "budget": False}.items():
        known = {name: list(attack.norms) for name, attack in ATTACKS.items() if attack.minimal == minimal}
        assert offered[mode] == {name: norms for name, norms in known.items() if name != "patch"}
