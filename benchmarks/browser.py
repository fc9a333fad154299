"""Chromium for the measurements and screenshots of the page: where it is, and how it is started."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""The commands that are tried where the variable MIRAGE_CHROMIUM does not name one."""
# Without a sandbox, since containers run benchmarks as root; drawn by the processor; no contact to the browser's maker.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = "Chromium is missing: install it (Debian: apt install chromium), or name it in MIRAGE_CHROMIUM"
LONGEST_WAIT_MS = 120_000
"""How long is waited for anything on the page: an attack takes seconds, on a busy machine many."""


def chromium_path() -> str | None:
    """The path of Chromium; None if it is not installed."""
    chosen = os.environ.get("MIRAGE_CHROMIUM")
    return next(filter(None, map(shutil.which, [chosen] if chosen else NAMES)), None)


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """A browser of its own, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def browser_versions(browser: Browser) -> str:
    """The versions of the browser and of what drives it."""
    return f"Chromium {browser.version}, Playwright {version('playwright')}"
