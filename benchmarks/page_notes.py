"""What a tab notes about itself: first contentful paint, moments at which something is shown, and layout shifts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

SCRIPT = """
window.benchmark = { paints: {}, shifts: [], shown: {} };
new PerformanceObserver((list) => {
  for (const { name, startTime } of list.getEntries()) benchmark.paints[name] = startTime;
}).observe({ type: "paint", buffered: true });
new PerformanceObserver((list) => {
  for (const { value, startTime, hadRecentInput, sources } of list.getEntries()) {
    const moved = sources.map(({ node, previousRect, currentRect }) => {
      const element = node instanceof Element ? node : node?.parentElement;
      const name = element ? `${element.localName}${element.className ? `.${element.className}` : ""}` : "removed";
      const place = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(" ");
      return `${name} ${place(previousRect)} -> ${place(currentRect)}`;
    });
    benchmark.shifts.push({ value, startTime, hadRecentInput, moved });
  }
}).observe({ type: "layout-shift", buffered: true });
new MutationObserver(() => {
  for (const [name, selector] of Object.entries(SELECTORS)) {
    if (name in benchmark.shown || !document.querySelector(selector)) continue;
    // The frame that is being made shows it; the next one begins once that is on the screen.
    benchmark.shown[name] = null;
    requestAnimationFrame(() => (benchmark.shown[name] = performance.now()));
  }
}).observe(document, { childList: true, subtree: true });
"""
"""Runs in every document before its own scripts. SELECTORS are replaced by names and what is to be seen of each."""
WINDOW_GAP_MS = 1000
LONGEST_WINDOW_MS = 5000


@dataclass(frozen=True)
class Shift:
    """A layout shift: its score, its moment since the document was asked for, and what moved from where to where."""

    value: float
    time_ms: float
    after_input: bool
    """Whether the visitor has pressed something within half a second before: such shifts are expected."""
    moved: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notes:
    """What a tab has noted since its document was asked for; times in seconds."""

    first_contentful_paint_s: float
    shown_s: Mapping[str, float]
    shifts: tuple[Shift, ...]


def note(page: Page, selectors: Mapping[str, str]) -> None:
    """Let all documents of a tab take notes, also of when each selector has first found something."""
    page.add_init_script(SCRIPT.replace("SELECTORS", repr(dict(selectors))))


def read_notes(page: Page) -> Notes:
    """What the tab's document has noted so far."""
    notes: dict[str, Any] = page.evaluate("window.benchmark")
    shifts = [
        Shift(shift["value"], shift["startTime"], shift["hadRecentInput"], tuple(shift["moved"]))
        for shift in notes["shifts"]
    ]
    return Notes(
        notes["paints"]["first-contentful-paint"] / 1000,
        {name: moment / 1000 for name, moment in notes["shown"].items() if moment is not None},
        tuple(shifts),
    )


def cumulative_layout_shift(shifts: Iterable[Shift]) -> float:
    """The score of the worst window of shifts that nobody's input has caused (web.dev/articles/cls).

    In a window each shift follows the one before within a second, and the first one within five.
    """
    worst = current = 0.0
    first = last = float("-inf")
    for shift in shifts:
        if shift.after_input:
            continue
        if shift.time_ms - last < WINDOW_GAP_MS and shift.time_ms - first < LONGEST_WINDOW_MS:
            current += shift.value
        else:
            current, first = shift.value, shift.time_ms
        last = shift.time_ms
        worst = max(worst, current)
    return worst


def all_shifts(shifts: Iterable[Shift]) -> float:
    """The sum of all scores, also of the shifts that follow an input."""
    return sum(shift.value for shift in shifts)
