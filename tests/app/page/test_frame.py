"""The page as it opens, and the documentation of the API, in a browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.app.page.accessibility import violations

pytestmark = pytest.mark.browser


def test_the_page_opens_and_is_accessible(tab: Page) -> None:
    tab.goto("/")
    expect(tab.get_by_role("heading", level=1)).to_be_visible()
    assert "Mirage" in tab.title()
    assert violations(tab) == []


def test_the_documentation_of_the_api_opens_without_an_error(tab: Page) -> None:
    """The fixture checks the console. Swagger UI shows an operation once it has read the OpenAPI document."""
    tab.goto("/docs")
    expect(tab.get_by_text("/classify/batch")).to_be_visible()
