"""What the service answers to requests without the page: the answers that the page must show."""

import re
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.app.live_service import eventually
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import certainty, text


def ask(service: ServiceProcess, path: str, picture: bytes, **options: object) -> Any:
    """Return the JSON that the service answers to a picture."""
    fields = {name: str(value) for name, value in options.items()}
    response = service.client.post(path, files={"image": ("picture", picture)}, data=fields)
    assert response.status_code == 200, response.text
    return response.json()


def top(service: ServiceProcess, picture: bytes, **options: object) -> tuple[str, float]:
    """Return the most probable class of a picture and its probability."""
    prediction = ask(service, "/classify", picture, top=1, **options)["predictions"][0]
    return prediction["label"], prediction["probability"]


def expect_classified(tab: Page, service: ServiceProcess, picture: bytes, **options: object) -> None:
    """Expect that the room See says about the picture what the service says about it."""
    answer = ask(service, "/classify", picture, **options)
    first = answer["predictions"][0]
    share = certainty(first["probability"])
    sentence = text("see.verdict", model=answer["model"], label=first["label"], share=share)
    expect(tab.get_by_text(sentence, exact=True)).to_be_visible()
    bars = tab.get_by_role("list", name=text("bars.label")).get_by_role("listitem")
    expect(bars).to_have_text([f"{one['label']} {certainty(one['probability'])}" for one in answer["predictions"]])


def engine(service: ServiceProcess, counter: str) -> int:
    """Return a counter of the engine: `alive` tasks, or how many have been `done` or `left` by their clients."""
    line = re.search(rf"^mirage_engine_{counter}(?:_total)? (\S+)$", service.client.get("/metrics").text, re.MULTILINE)
    assert line is not None
    return int(float(line[1]))


def wait_until_idle(service: ServiceProcess) -> None:
    """Wait until the service works on nothing: what an earlier tab has asked for has been ended as well."""
    eventually(lambda: engine(service, "alive") == 0)


def change_answer(tab: Page, path: str, **changes: Any) -> None:
    """Change keys of what the service answers at a path."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | changes)

    tab.route(f"**/{path}", answer)
