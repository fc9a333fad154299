"""The controls of all rooms: what is chosen stands in the address, and reaches the service."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.app.live_service import eventually
from tests.app.page.address import link
from tests.app.page.answers import wait_until_idle
from tests.app.page.conftest import OpenTab
from tests.app.page.fool import button, result
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import text

pytestmark = pytest.mark.browser

CONTROLS = (
    "input:not([type=file], [role=combobox]):enabled, select:enabled, summary, "
    "button[aria-pressed]:not(.sample):enabled:visible"
)
"""All controls that keep a state. Photos and the list of classes have tests of their own."""
STATES = """(main) => {
  const controls = main.querySelectorAll("input:not([type=file]), select, details:not(.code), button[aria-pressed]");
  return [...controls].map((control) => [
    control.closest("label, button, details")?.textContent.replace(/\\s+/g, " ").trim().slice(0, 40) ?? control.name,
    ["radio", "checkbox"].includes(control.type) ? control.checked
      : control.matches("details") ? control.open
      : control.matches("button") ? control.ariaPressed
      : control.value,
  ]);
}"""
"""The label and the state of each control of a room."""
ROOMS = {
    "see": (19, {"show": "why"}),
    "fool": (12, {"mode": "budget", "fold": "1"}),
    "fool-result": (13, {"effort": "quick", "run": "1", "fold": "1"}),
    "imagine": (12, {"fold": "1"}),
    "imagine-channel": (12, {"subject": "channel", "fold": "1"}),
    "models": (1, {}),
}
"""States of the rooms in which all of their controls are to be seen, and how many of them can be changed there."""


def use(control: Locator) -> bool:
    """Change the state of a control as a visitor does; False if it is the chosen one of several."""
    kind = control.evaluate("(control) => control.type || control.localName")
    if kind in ("radio", "checkbox"):
        if kind == "radio" and control.is_checked():
            return False
        control.set_checked(not control.is_checked())
    elif kind == "range":
        upwards = control.evaluate("(slider) => Number(slider.value) < Number(slider.max)")
        control.press("ArrowRight" if upwards else "ArrowLeft")
    elif kind == "select-one":
        others = control.evaluate("(list) => [...list.options].filter((o) => !o.selected).map((o) => o.value)")
        control.select_option(others[-1])
    elif kind in ("number", "text"):
        control.fill("7")
        control.press("Tab")
    elif kind == "summary":
        if control.locator("..").get_attribute("open") is not None:
            return False
        control.click()
    elif control.get_attribute("aria-pressed") == "false":
        control.click()
    else:
        return False
    return True


def settled(tab: Page) -> list[list[str | bool]]:
    """Wait until the controls have stayed as they are for a moment, and return their states."""
    states: list[list[list[str | bool]]] = [[]]

    def unchanged() -> bool:
        tab.wait_for_timeout(200)
        states.append(tab.get_by_role("main").evaluate(STATES))
        return states[-1] == states[-2] != []

    eventually(unchanged)
    return states[-1]


@pytest.mark.parametrize(("place", "changes"), [(place, changes) for place, (changes, _) in ROOMS.items()])
def test_every_control_is_in_the_address_and_the_same_elsewhere(
    service: ServiceProcess, open_tab: OpenTab, place: str, changes: int
) -> None:
    """One control after the other is used; each changes the address. Another browser then shows the same states."""
    tab = open_tab(service)
    tab.goto(link(place.split("-")[0], **ROOMS[place][1]))
    settled(tab)
    expect(tab.get_by_role("main").get_by_role("progressbar")).to_have_count(0)
    wait_until_idle(service)
    settled(tab)
    controls = tab.get_by_role("main").locator(CONTROLS)
    used = index = 0
    while index < controls.count():
        before = tab.url
        if use(controls.nth(index)):
            expect(tab).not_to_have_url(before)
            settled(tab)
            wait_until_idle(service)  # an answer of the service may add controls, or take some away
            settled(tab)
            used += 1
        index += 1
    assert used == changes
    elsewhere = open_tab(service)
    elsewhere.goto(tab.url)
    eventually(lambda: settled(elsewhere) == settled(tab))


NOTE_FORMS = """
const send = window.fetch;
window.forms = [];
window.fetch = (url, options) => {
  if (options?.body instanceof FormData) {
    const texts = [...options.body].filter(([, value]) => typeof value === "string");
    window.forms.push({ path: new URL(url).pathname, fields: Object.fromEntries(texts) });
  }
  return send(url, options);
};
"""
"""Notes the fields of each form that the page sends: Chromium does not tell Playwright a body with a file."""


def attacked_with(tab: Page) -> dict[str, str]:
    """Press the button that begins the attack, and return the fields of its request."""
    button(tab, "fool.start").click()
    tab.wait_for_function("window.forms.some(({ path }) => path === '/adversarial')")
    fields: dict[str, str] = tab.evaluate("window.forms.find(({ path }) => path === '/adversarial').fields")
    return fields


def test_every_choice_of_an_attack_reaches_the_service(tab: Page) -> None:
    """They are chosen as a visitor does. The result says what it has survived."""
    tab.add_init_script(NOTE_FORMS)
    tab.goto(link("fool", fold="1"))
    main = tab.get_by_role("main")
    main.get_by_role("radio", name=text("fool.mode.budget")).check()
    main.get_by_role("combobox", name=text("fool.attack")).select_option(text("attack.apgd"))
    main.get_by_role("radio", name=text("norm.l2")).check()
    main.get_by_role("slider", name=text("fool.budget")).fill("6")
    main.get_by_role("slider", name=text("fool.confidence")).fill("1")
    main.get_by_role("checkbox", name=text("survive.jpeg:75")).check()
    expected = {"epsilon": "6", "attack": "apgd", "norm": "l2", "confidence": "1", "survive": "jpeg:75"}
    assert attacked_with(tab) == expected | {"model": "cats-dogs", "format": "events", "previews": "true"}
    result(tab)
    survived = text("figures.survives", conversions=text("survive.jpeg:75"))
    expect(main.get_by_role("listitem").filter(has_text=survived)).to_be_visible()


def test_the_effort_and_the_target_reach_the_service(tab: Page) -> None:
    tab.add_init_script(NOTE_FORMS)
    tab.goto(link("fool", fold="1", target="dog"))
    tab.get_by_role("main").get_by_role("radio", name=text("effort.quick")).check()
    assert attacked_with(tab).items() >= {"target": "dog", "effort": "quick"}.items()


COUNT_WRITES = """
window.writes = 0;
for (const method of ["pushState", "replaceState"]) {
  const own = history[method].bind(history);
  history[method] = (...given) => { window.writes += 1; own(...given); };
}
"""


def move(slider: Locator, values: range) -> None:
    """Move a slider over values with the pointer held down, and let it go at the last one."""
    slider.evaluate(
        """async (slider, values) => {
          for (const value of values) {
            slider.value = value;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
            await new Promise(requestAnimationFrame);
          }
          slider.dispatchEvent(new Event("change", { bubbles: true }));
        }""",
        list(values),
    )


def test_a_slider_writes_few_addresses_and_one_step_of_the_history(tab: Page) -> None:
    """Browsers refuse more than 100 to 200 changes of the address in ten seconds. "Back" leads to the result."""
    tab.add_init_script(COUNT_WRITES)
    tab.goto(link("fool", effort="quick", mode="budget", budget="2", run="1"))
    file = result(tab)
    before, steps = tab.evaluate("window.writes"), tab.evaluate("history.length")
    move(tab.get_by_role("slider", name=text("fool.budget")), range(3, 33))
    assert tab.evaluate("window.writes") - before <= 10
    assert tab.evaluate("history.length") == steps + 1
    expect(button(tab, "fool.start")).to_be_visible()
    assert "budget=32" in tab.url
    tab.go_back()
    assert result(tab) == file


def test_an_address_that_the_browser_refuses_is_written_later(tab: Page) -> None:
    """Firefox and Safari throw an error, and the page goes on with the new state."""
    tab.goto(link("fool"))
    tab.evaluate("""() => {
      const own = history.pushState.bind(history);
      history.pushState = () => { history.pushState = own; throw new DOMException("too many", "SecurityError"); };
    }""")
    tab.get_by_role("radio", name=text("fool.mode.budget")).check()
    expect(tab.get_by_role("slider", name=text("fool.budget"))).to_be_visible()
    expect(tab).to_have_url(re.compile("mode=budget"))
    expect(tab.get_by_role("slider", name=text("fool.budget"))).to_be_visible()


def test_the_link_of_the_room_that_is_open_changes_nothing(tab: Page) -> None:
    tab.goto(link("fool", effort="quick", run="1"))
    file = result(tab)
    button(tab, "prove.button").click()
    expect(button(tab, "fool.look")).to_be_visible()
    before = tab.url
    tab.get_by_role("navigation").get_by_role("link", name=text("room.fool")).click()
    expect(tab).to_have_url(before)
    assert result(tab) == file


def test_one_step_back_leads_from_the_explanation_to_the_result(tab: Page) -> None:
    tab.goto(link("fool", effort="quick", run="1", prove="1"))
    file = result(tab)
    button(tab, "fool.look").click()
    expect(tab.get_by_role("img", name=text("why.alt", label="dog"))).to_be_visible()
    tab.go_back()
    assert result(tab) == file


@pytest.mark.parametrize("press", [Locator.click, lambda summary: summary.press("Enter")], ids=["click", "key"])
def test_a_fold_opens_although_the_page_is_drawn_at_that_moment(tab: Page, press: Callable[[Locator], None]) -> None:
    """The page is drawn in every frame, as it nearly is while an attack runs."""
    tab.goto(link("fool"))
    summary = tab.get_by_text(text("fool.more"))
    expect(summary).to_be_visible()
    tab.evaluate("""async () => {
      const { redraw } = await import("/page/scripts/drawing.js");
      const again = () => { redraw(); setTimeout(again, 0); };
      again();
    }""")
    for place in range(20):
        press(summary)
        opened = place % 2 == 0
        expect(tab.get_by_role("combobox", name=text("fool.attack"))).to_be_visible(visible=opened)
