"""Chromium, which the tests of the page drive, wherever it is installed."""

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""The commands that are tried where the variable MIRAGE_CHROMIUM does not name one."""
# Without a sandbox, since containers run tests as root; nothing that contacts the browser's maker; a drawn camera.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
CHOSEN = os.environ.get("MIRAGE_CHROMIUM")


def chromium_path() -> str | None:
    """Return the path of Chromium; None if it is not installed."""
    return next(filter(None, map(shutil.which, [CHOSEN] if CHOSEN else NAMES)), None)
