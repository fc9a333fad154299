"""The page over HTTP: its files, its headers, and what it needs no key for."""

import re
from pathlib import Path

import pytest

from app.page.page import FILES
from tests.app.live_service import Live, serve

SERVED = sorted(str(path.relative_to(FILES)) for path in FILES.rglob("*") if path.is_file())


def links(html: str) -> list[str]:
    """The addresses of the scripts, styles and pictures in the page."""
    return re.findall(r'(?:src|href)="([^"]+)"', html)


def test_every_link_of_the_page_leads_to_a_file(live: Live) -> None:
    response = live.client.get("/")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    for link in links(response.text):
        assert live.client.get(link).status_code == 200, link


@pytest.mark.parametrize("path", SERVED)
def test_every_file_is_served_with_its_type_and_the_policy(live: Live, path: str) -> None:
    """Browsers run a module only if it is declared as a script, since nosniff forbids them to guess."""
    response = live.client.get(f"/page/{path}")
    assert response.content == (FILES / path).read_bytes()
    types = {".js": "javascript", ".css": "text/css", ".json": "json", ".svg": "svg", ".jpg": "jpeg", ".png": "png"}
    assert types.get(Path(path).suffix, "") in response.headers["Content-Type"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "'unsafe" not in response.headers["Content-Security-Policy"]


def test_the_policy_allows_nothing_inline_and_no_other_host(live: Live) -> None:
    """Scripts and styles are the service's own files, no page may show this one in a frame, and forms go nowhere."""
    headers = live.client.get("/").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' data: blob:"
    assert "http" not in headers["Content-Security-Policy"] and "*" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"


def test_an_unchanged_file_is_not_sent_again(live: Live) -> None:
    first = live.client.get("/page/scripts/main.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = live.client.get("/page/scripts/main.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["../page.py", "..%2fpage.py", "scripts/../../page.py", "no-such-file", ""])
def test_nothing_outside_the_folder_is_served(live: Live, path: str) -> None:
    response = live.client.get(f"/page/{path}")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_page_needs_no_key_and_shows_nothing_without_one(checkpoints: Path) -> None:
    with serve(checkpoints=checkpoints, api_keys=("secret",)) as live:
        page = live.client.get("/")
        assert page.status_code == 200
        assert all(live.client.get(link).status_code == 200 for link in links(page.text))
        assert live.client.get("/models").status_code == 401
        assert "secret" not in page.text


@pytest.mark.parametrize("path", ["/mirage", "/mirage/"])
def test_behind_a_prefix_the_links_have_it(checkpoints: Path, path: str) -> None:
    """Whether the page is opened with or without a slash at the end of the prefix."""
    with serve(checkpoints=checkpoints, root_path="/mirage") as live:
        found = links(live.client.get(path).text)
        assert "/mirage/page/scripts/main.js" in found
        assert all(live.client.get(link).status_code == 200 for link in found)
