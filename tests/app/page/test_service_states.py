"""What the page does while the service is full, gone, wants a key, or is still loading a model."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.app.page.address import link
from tests.app.page.answers import expect_classified, top, wait_until_idle
from tests.app.page.conftest import OpenTab, StartService
from tests.app.page.fool import button, result, wait_for_steps
from tests.app.page.pictures import CHELSEA, sample
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import text

pytestmark = pytest.mark.browser

FULL = re.compile(re.escape(text("busy.waiting", count="0")).replace("0", r"(\d+)").replace("seconds", "seconds?"))
NO_ANSWER = [r"net::ERR_\w+", "status of 503"]
"""What Chromium writes of a service that is gone, and then is not ready yet."""


def gone(tab: Page) -> Locator:
    """The notice that the service does not answer."""
    return tab.get_by_role("alert").filter(has_text=text("service.gone"))


def test_a_full_service_is_waited_for_as_long_as_it_says(
    start_service: StartService, open_tab: OpenTab, expected_errors: list[str]
) -> None:
    """An attack of another client occupies the whole service; once that has left, the page goes on by itself."""
    expected_errors.append("status of 503")
    service = start_service(max_waiting=1)
    tab = open_tab(service)
    with tab.expect_response(lambda response: response.url.endswith("/targets") and response.status == 200):
        tab.goto(link("fool", effort="quick"))
    wait_until_idle(service)
    options = {"format": "events", "epsilon": "1/255", "steps": "60"}
    with service.client.stream("POST", "/adversarial", files={"image": CHELSEA}, data=options) as attack:
        lines = attack.iter_lines()
        assert next(lines) == "event: progress"
        with tab.expect_response("**/adversarial") as refusal:
            button(tab, "fool.start").click()
        assert refusal.value.status == 503
        waiting = tab.get_by_role("main").get_by_text(FULL)
        seconds = FULL.search(waiting.inner_text())
        assert seconds is not None and 1 <= int(seconds[1]) <= int(refusal.value.headers["retry-after"])
    file = result(tab)
    expect(waiting).to_be_hidden()
    wait_until_idle(service)
    assert top(service, file)[0] == "dog"


def test_a_service_that_was_killed_and_started_again_needs_no_reload(
    start_service: StartService, open_tab: OpenTab, expected_errors: list[str]
) -> None:
    """What was asked for meanwhile, another photo and another model, is there once the service is.

    The file of the sample is the first thing that the service is asked for in vain.
    """
    expected_errors.extend(NO_ANSWER)
    service = start_service()
    tab = open_tab(service)
    tab.goto("/")
    expect(tab.get_by_role("group", name=text("layers.strip")).locator("button img")).to_have_count(10)
    service.kill()
    with tab.expect_event("requestfailed", lambda request: request.url.endswith("stripes.png")):
        tab.get_by_role("button", name=text("sample.stripes")).click()
    tab.get_by_role("combobox", name=text("frame.model")).select_option("cats-dogs-robust")
    expect(gone(tab)).to_be_visible()
    expect(tab.get_by_role("main").get_by_text(text("photo.elsewhere"))).to_be_hidden()
    service.start()
    expect(gone(tab)).to_be_hidden()
    expect_classified(tab, service, sample("stripes.png"), model="cats-dogs-robust")


def test_a_room_whose_script_did_not_arrive_opens_once_the_service_answers(
    tab: Page, service: ServiceProcess, expected_errors: list[str]
) -> None:
    """Chromium does not ask again for a module that has failed."""
    expected_errors.extend(NO_ANSWER)
    script = f"{service.url}/page/scripts/rooms/fool/fool.js"
    tab.route(script, lambda route: route.abort())
    tab.goto(link("fool"))
    expect(gone(tab)).to_be_visible()
    tab.unroute(script)
    expect(tab.get_by_role("heading", level=1)).to_have_text(text("fool.title"))
    expect(gone(tab)).to_be_hidden()


def test_an_attack_goes_on_after_the_service_was_killed_during_it(
    start_service: StartService, open_tab: OpenTab, expected_errors: list[str]
) -> None:
    expected_errors.extend(NO_ANSWER)
    service = start_service()
    tab = open_tab(service)
    tab.goto(link("fool", run="1"))
    wait_for_steps(tab)
    service.kill()
    expect(gone(tab)).to_be_visible()
    service.start()
    expect(gone(tab)).to_be_hidden()
    assert top(service, result(tab))[0] == "dog"


def break_off(route: Route) -> None:
    """Answer as a proxy does whose service has been stopped."""
    route.fulfill(status=502, content_type="text/html", body="<h1>Bad Gateway</h1>")


def test_a_proxy_without_its_service_is_no_answer(
    tab: Page, service: ServiceProcess, expected_errors: list[str]
) -> None:
    """Once the service is back, what was asked for is there without a press."""
    expected_errors.extend([*NO_ANSWER, "status of 502"])
    api = re.compile(r"/(classify|models|features|health/ready)\b(?!.*\.js)")
    tab.goto("/")
    expect_classified(tab, service, CHELSEA)
    tab.route(api, break_off)
    tab.get_by_role("button", name=text("sample.stripes")).click()
    expect(gone(tab)).to_be_visible()
    tab.unroute(api)
    expect(gone(tab)).to_be_hidden()
    expect_classified(tab, service, sample("stripes.png"))


def test_an_unexpected_error_tells_the_id_of_its_request(tab: Page, expected_errors: list[str]) -> None:
    expected_errors.append("status of 500")
    problem = {
        "type": "urn:mirage:problem:internal-server-error",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "unexpected",
        "request_id": "0123abcd",
    }
    content = {"status": 500, "content_type": "application/problem+json", "body": json.dumps(problem)}
    tab.route("**/classify", lambda route: route.fulfill(**content))
    tab.goto("/")
    expect(tab.get_by_role("alert")).to_contain_text(text("problem.request-id", id="0123abcd"))


def test_a_key_is_asked_for_and_stays_out_of_the_address(
    start_service: StartService, open_tab: OpenTab, expected_errors: list[str]
) -> None:
    """What is typed stays while the page changes. The page says that a wrong key is refused. The right one lasts."""
    expected_errors.append("status of 401")
    service = start_service(api_keys="right-key")
    service.client.headers["X-API-Key"] = "right-key"
    tab = open_tab(service)
    tab.goto("/")
    field = tab.get_by_label(text("key.label"))
    expect(field).to_have_attribute("type", "password")
    field.fill("wrong-key")
    tab.get_by_role("combobox", name=text("frame.theme")).select_option(text("theme.dark"))
    expect(field).to_have_value("wrong-key")
    tab.get_by_role("button", name=text("key.use")).click()
    expect(tab.get_by_role("alert")).to_be_visible()
    field.fill("right-key")
    field.press("Enter")
    expect_classified(tab, service, CHELSEA)
    expect(tab.get_by_role("alert")).to_be_hidden()
    tab.get_by_role("link", name=text("see.fool")).click()
    assert top(service, result(tab))[0] == "dog"
    assert "right-key" not in tab.url
    tab.reload()
    assert top(service, result(tab))[0] == "dog"
    another = tab.context.new_page()
    another.goto(tab.url)
    expect(another.get_by_label(text("key.label"))).to_have_value("")


def test_a_model_that_is_still_being_loaded_is_waited_for(
    tab: Page, service: ServiceProcess, expected_errors: list[str]
) -> None:
    """The service loads its models so fast that its answers are put back here, to those of a moment ago."""
    expected_errors.append("status of 503")
    loaded = False

    def list_models(route: Route) -> None:
        answer = service.client.get("/models").json()
        for model in answer["models"]:
            model["state"] = "ready" if loaded else "loading"
        route.fulfill(json=answer)

    def refuse(route: Route) -> None:
        problem = {
            "type": "urn:mirage:problem:still-loading",
            "title": "Still loading",
            "status": 503,
            "detail": "soon",
        }
        if loaded:
            route.continue_()
        else:
            route.fulfill(status=503, body=json.dumps(problem), content_type="application/problem+json")

    tab.route(f"{service.url}/models", list_models)
    tab.route(f"{service.url}/classify", refuse)
    tab.goto("/")
    model = tab.get_by_role("combobox", name=text("frame.model"))
    expect(model).to_contain_text(text("model.loading", model="cats-dogs"))
    expect(tab.get_by_role("alert")).to_contain_text(text("problem.still-loading"))
    loaded = True
    expect_classified(tab, service, CHELSEA)
    expect(tab.get_by_role("alert")).to_be_hidden()
    expect(model.get_by_role("option").first).to_have_text("cats-dogs")


@pytest.mark.parametrize("room", ["see", "fool"])
def test_a_model_that_the_service_does_not_have_is_named_and_another_one_chosen(
    tab: Page, service: ServiceProcess, expected_errors: list[str], room: str
) -> None:
    expected_errors.append("status of 404")
    tab.goto(link(room, model="no-such-model"))
    model = tab.get_by_role("combobox", name=text("frame.model"))
    expect(model.get_by_role("option", name="no-such-model")).to_be_disabled()
    expect(tab.get_by_role("alert")).to_contain_text(text("problem.not-served"))
    model.select_option("cats-dogs")
    expect(tab.get_by_role("alert")).to_be_hidden()
    expect(
        tab.get_by_role("main").get_by_text(text("see.verdict", model="cats-dogs", label="cat", share="> 99.9%"))
    ).to_be_visible()
