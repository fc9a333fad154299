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


def test_the_root_redirects_to_the_documentation(live: Live) -> None:
    assert live.client.get("/", follow_redirects=True).url.path == "/docs"
