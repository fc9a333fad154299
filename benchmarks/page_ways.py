"""The ways through the page that are measured and photographed: each room until it is complete, and a fooled model."""

import json
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.browser import LONGEST_WAIT_MS

LANGUAGES = Path(__file__).parent.parent / "app" / "page" / "files" / "languages"
COMPLETE = {
    "see": "document.querySelector('.bars li') && document.querySelector('.map img') && "
    "[...document.querySelectorAll('.stop')].every((stop) => stop.querySelector('img'))",
    "fool": "document.querySelector('.chips input') && document.querySelector('.legend-entry')",
    "imagine": "[...document.querySelectorAll('.piece')].every((piece) => piece.querySelector('img')) && "
    "!document.querySelector('.running') && document.querySelector('.piece-actions button:enabled')",
    "models": "document.querySelector('.model .chart') && document.querySelector('.train')",
}
"""The rooms, and what is true in the document once all is there that the room shows by itself."""
HEADING = "#room h1"
CLASSIFIED = ".bars li"
FOOLED = ".evidence"
"""What stands below the photo once an attack has a result."""
PROVEN = ".verdicts tbody tr:first-child.fooled"
"""The row of the attacked model, if it sees something else in the file than in the photo."""


def text(key: str, language: str = "en") -> str:
    """A text of the page."""
    texts: dict[str, str] = json.loads((LANGUAGES / f"{language}.json").read_text(encoding="utf-8"))
    return texts[key]


def wait_for(page: Page, condition: str) -> None:
    """Wait until an expression is true in the document; it is looked at in every frame, so that no time is lost."""
    # Playwright's wait_for_function would evaluate the expression later, which the page's security policy forbids.
    page.evaluate(
        f"""() => new Promise((resolve, reject) => {{
          const look = () => ({condition}) ? resolve() : requestAnimationFrame(look);
          setTimeout(() => reject(new Error("it did not come in time")), {LONGEST_WAIT_MS});
          look();
        }})"""
    )


def appears(selector: str) -> str:
    """The expression that something is in the document."""
    return f"document.querySelector({json.dumps(selector)})"


def press_fool(page: Page, language: str = "en") -> None:
    """In the room "See", press "Fool the model" once it is seen what the model sees, and wait for the result."""
    wait_for(page, appears(CLASSIFIED))
    page.get_by_role("link", name=text("see.fool", language), exact=True).click()
    wait_for(page, appears(FOOLED))


def press_prove(page: Page, language: str = "en") -> None:
    """Press "Prove it on every model", and wait for the table of what each model sees."""
    page.get_by_role("button", name=text("prove.button", language), exact=True).click()
    wait_for(page, appears(PROVEN))
