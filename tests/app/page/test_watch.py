"""The watch over a tab and the check of accessibility, on pages that have known faults."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.app.page.accessibility import violations
from tests.app.page.watch import NOTE_SHIFTS, Watch, moved

pytestmark = pytest.mark.browser

ORIGIN = "http://mirage.test"
POLICY = "default-src 'self' data: blob:; script-src 'self' 'nonce-a'; require-trusted-types-for 'script'"
Open = Callable[[str], tuple[Page, Watch]]


@pytest.fixture
def show(browser: Browser) -> Iterator[Open]:
    """Return show(html), which opens a page with a strict security policy; every other address has an empty file."""
    contexts = []

    def show_page(html: str) -> tuple[Page, Watch]:
        contexts.append(browser.new_context())
        contexts[-1].route("**/*", lambda route: route.fulfill(body="", content_type="text/javascript"))
        contexts[-1].route(
            f"{ORIGIN}/",
            lambda route: route.fulfill(
                body=html, content_type="text/html", headers={"Content-Security-Policy": POLICY}
            ),
        )
        watch = Watch(contexts[-1], ORIGIN)
        page = contexts[-1].new_page()
        page.goto(f"{ORIGIN}/")
        return page, watch

    yield show_page
    for context in contexts:
        context.close()


def document(body: str = "") -> str:
    """An accessible document with these elements in its main part."""
    return f'<!doctype html><html lang="en"><title>a</title><main><h1>a</h1>{body}</main></html>'


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for what the browser reports; fail after ten seconds."""
    for _ in range(500):
        if condition():
            return
        page.wait_for_timeout(20)
    pytest.fail("the fault was not noted")


def test_a_page_without_faults_has_none(show: Open) -> None:
    script = '<script nonce="a">console.log("x"); console.warn("y")</script>'
    page, watch = show(document(f'{script}<img alt="" src="data:,"><img alt="" src="/a.png">'))
    assert violations(page) == []
    assert watch.faults([]) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<script nonce="a">console.error("an error")</script>', "console: an error"),
        ('<script nonce="a">console.assert(false, "a lie")</script>', "console: a lie"),
        ('<script nonce="a">throw new Error("a throw")</script>', "uncaught: Error: a throw"),
        ('<script nonce="a">Promise.reject(new Error("a rejection"))</script>', "uncaught: Error: a rejection"),
        ("<script>1</script>", "security policy: script-src-elem forbids inline"),
        ('<p style="color: red">a</p>', "security policy: style-src-attr forbids inline"),
        ('<script nonce="a">document.body.innerHTML = "a"</script>', "security policy: require-trusted-types-for"),
        ('<img alt="a" src="http://elsewhere.test/a.png">', "security policy: img-src forbids http://elsewhere.test"),
        (
            '<a href="http://elsewhere.test/">a</a><script nonce="a">document.querySelector("a").click()</script>',
            "request to elsewhere: GET http://elsewhere.test/",
        ),
    ],
)
def test_a_fault_is_noted(show: Open, body: str, fault: str) -> None:
    page, watch = show(document(body))
    wait_until(page, lambda: any(noted.startswith(fault) for noted in watch.faults([])))


def test_only_messages_of_the_console_can_be_expected(show: Open) -> None:
    """A pattern that fits everything leaves the uncaught error."""
    page, watch = show(document('<script nonce="a">console.error("b"); throw new Error("c")</script>'))
    wait_until(page, lambda: len(watch.faults([])) == 2)
    assert [noted.split(":")[0] for noted in watch.faults([])] == ["console", "uncaught"]
    assert [noted.split(":")[0] for noted in watch.faults(["."])] == ["uncaught"]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ('<img src="data:,">', "image-alt (critical): img"),
        ("<h3>b</h3>", "heading-order (moderate): h3"),
        ('<button aria-label="a"></button>' * 2, "target-size (serious): button:nth-child(2)"),
    ],
)
def test_a_violation_names_the_rule_and_the_element(show: Open, body: str, rule: str) -> None:
    """Rules of WCAG 2.0, of axe-core's recommendations, and of WCAG 2.2."""
    page, _ = show(document(body))
    assert any(text.startswith(rule) for text in violations(page)), violations(page)


@pytest.mark.parametrize(("place", "texts"), [("afterbegin", ["b"]), ("beforeend", [])])
def test_what_moves_in_the_room_is_noted(browser: Browser, place: str, texts: list[str]) -> None:
    """What is put above a paragraph moves it, and what is put below it does not."""
    page = browser.new_page()
    page.add_init_script(NOTE_SHIFTS)
    page.route("**/*", lambda route: route.fulfill(content_type="text/html", body='<main id="room"><p>b</p></main>'))
    page.goto(ORIGIN)
    assert moved(page) == []
    page.evaluate(f"document.querySelector('main').insertAdjacentHTML('{place}', '<div style=height:200px></div>')")
    assert moved(page) == texts
    page.close()
