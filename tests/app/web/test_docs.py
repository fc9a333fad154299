"""Tests the documentation pages."""

import re

from tests.app.live_service import Live


def test_swagger_ui_needs_no_internet(live: Live) -> None:
    """Everything that the page refers to is served by the service itself."""
    page = live.client.get("/docs").text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 3
    for address in addresses:
        assert address.startswith((live.url, "/"))
        assert live.client.get(address).status_code == 200


def test_the_page_allows_itself_what_swagger_ui_needs(live: Live) -> None:
    """The script and the styles in the page, pictures from data URLs and blobs, and requests to the service alone."""
    policies = live.client.get("/docs").headers.get_list("Content-Security-Policy")
    assert len(policies) == 1
    directives = dict(directive.strip().split(" ", 1) for directive in policies[0].split(";"))
    assert directives["default-src"] == directives["frame-ancestors"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self' 'unsafe-inline'"
    assert directives["connect-src"] == "'self'"
    assert {"data:", "blob:"} <= set(directives["img-src"].split())
    assert "http" not in policies[0] and "*" not in policies[0]
