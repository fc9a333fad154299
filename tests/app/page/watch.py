"""What must not happen while the page is open: errors, violations of the security policy, requests to elsewhere."""

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, WebError

REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  const { violatedDirective, blockedURI, sourceFile, lineNumber, sample } = event;
  reportViolation(`${violatedDirective} forbids ${blockedURI} ${sample} (${sourceFile}:${lineNumber})`);
});
"""
"""Runs in every document before its own scripts; `reportViolation` calls Python."""
NOTE_SHIFTS = """
window.moved = [];
const note = (entries) => {
  const nodes = entries.flatMap(({ sources }) => sources.map(({ node }) => node));
  window.moved.push(...nodes.filter((node) => node?.parentElement?.closest("#room")).map((node) => node.textContent));
};
const observer = new PerformanceObserver((list) => note(list.getEntries()));
observer.observe({ type: "layout-shift", buffered: true });
window.movedSoFar = async () => {
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  note(observer.takeRecords());
  return window.moved;
};
"""
"""Runs in every document before its own scripts: notes what moves inside the room."""


def moved(page: Page) -> list[str]:
    """Return the texts of what has moved inside the room since the page was opened with NOTE_SHIFTS."""
    texts: list[str] = page.evaluate("window.movedSoFar()")
    return texts


class Watch:
    """Notes the faults of all tabs of a browser context; `origin` is that of the service."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self._origin = origin
        self._console: list[str] = []
        self._others: list[str] = []
        context.expose_binding("reportViolation", lambda _, text: self._others.append(f"security policy: {text}"))
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._note_message)
        context.on("weberror", self._note_error)
        context.on("request", self._note_request)

    def faults(self, expected: list[str]) -> list[str]:
        """All faults, without the messages of the console in which one of the regular expressions is found."""
        console = [text for text in self._console if not any(re.search(pattern, text) for pattern in expected)]
        return console + self._others

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "assert"):
            place = message.location
            self._console.append(f"console: {message.text} ({place['url']}:{place['lineNumber']})")

    def _note_error(self, error: WebError) -> None:
        self._others.append(f"uncaught: {error.error.stack or error.error}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._origin}/", "data:", "blob:")):
            self._others.append(f"request to elsewhere: {request.method} {request.url}")
