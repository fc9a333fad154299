"""The address of the page, which holds its state behind the `#`."""

import re
from urllib.parse import parse_qsl, urlencode

from playwright.sync_api import Dialog, Page, expect


def link(room: str, **values: str) -> str:
    """Return the path of a room in a state."""
    return f"/#{room}?{urlencode(values)}"


def values_of(tab: Page, room: str) -> dict[str, str]:
    """Wait until the tab is in a room, and return the values of its address."""
    expect(tab).to_have_url(re.compile(f"/#{room}(\\?|$)"))
    return dict(parse_qsl(tab.url.partition("?")[2], keep_blank_values=True))


def note_dialogs(tab: Page) -> list[str]:
    """Return a list to which the text of every dialog is added that a script opens in the tab."""
    texts: list[str] = []

    def close(dialog: Dialog) -> None:
        texts.append(dialog.message)
        dialog.dismiss()

    tab.on("dialog", close)
    return texts
