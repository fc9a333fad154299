"""Fixtures of the tests of the page: the service as a process, Chromium, and tabs in which no error may occur."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from benchmarks.browser import ARGUMENTS, MISSING, chromium_path
from tests.app.page.service_process import ServiceProcess
from tests.app.page.watch import Watch

DRAWN_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
"""A camera that Chromium draws, which it does not ask for."""
LONGEST_WAIT_MS = 120_000
"""How long `expect` and actions wait for what they need: an attack takes seconds on a busy machine."""
OpenTab = Callable[..., Page]
StartService = Callable[..., ServiceProcess]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests in a browser last: as long as it is open, Playwright's event loop is that of the main thread."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return Chromium; without it, the tests that need it are skipped."""
    path = chromium_path()
    if path is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        expect.set_options(timeout=LONGEST_WAIT_MS)
        chromium = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *DRAWN_CAMERA])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def service(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return the service that most tests share, with the bundled models and without API keys."""
    with ServiceProcess(tmp_path_factory.mktemp("service")) as process:
        yield process


@pytest.fixture
def start_service(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartService]:
    """Return start_service(**settings), which starts a service that only this test uses: max_waiting=1, port=4000."""
    started: list[ServiceProcess] = []

    def start(**settings: object) -> ServiceProcess:
        started.append(ServiceProcess(tmp_path_factory.mktemp("service"), **settings))
        started[-1].start()
        return started[-1]

    yield start
    for process in started:
        process.close()


@pytest.fixture
def expected_errors() -> list[str]:
    """Return a list for regular expressions of the messages in the console that the test provokes.

    Chromium itself writes one for every response of 400 and above: "Failed to load resource: ... status of 503".
    """
    return []


@pytest.fixture
def open_tab(browser: Browser, expected_errors: list[str]) -> Iterator[OpenTab]:
    """Return open_tab(service, **options), which opens an empty tab in a browser context of its own.

    Paths are those of the service: `tab.goto("/")`. The options are those of Playwright's `new_context`, such as
    `color_scheme="dark"` or `viewport`. At the end of the test, no tab may have had an error in its console, an
    uncaught error, a violation of its security policy, or a request to any origin but the service's.
    """
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def open_(service: ServiceProcess, **options: Any) -> Page:
        context = browser.new_context(base_url=service.url, **{"locale": "en-GB"} | options)
        contexts.append(context)
        context.set_default_timeout(LONGEST_WAIT_MS)
        watches.append(Watch(context, service.url))
        return context.new_page()

    yield open_
    for context in contexts:
        context.close()
    assert [fault for watch in watches for fault in watch.faults(expected_errors)] == []


@pytest.fixture
def tab(service: ServiceProcess, open_tab: OpenTab) -> Page:
    """Return an empty tab for the shared service."""
    return open_tab(service)
