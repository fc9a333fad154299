"""What the page costs the processor of its visitor while an attack runs, and while nothing happens."""

import time
from dataclasses import dataclass

from benchmarks.browser import LONGEST_WAIT_MS, chromium
from benchmarks.browser_processes import browser_process, cpu_of, used_by_kind
from benchmarks.page_traffic import Traffic
from benchmarks.page_ways import COMPLETE, wait_for

ATTACK = "#fool?run=1&effort=thorough&survive=jpeg:75,resize:0.5&confidence="
"""The address of an attack that lasts; attacks of different confidence are different attacks to the page."""
# It runs in the document: what asked from outside would cost the page more than the looking.
KEEP_ATTACKING = """
(attack) => {
  window.attacks = { looks: 0, running: 0, begun: 0 };
  const look = () => {
    const running = document.querySelector(".running") !== null;
    attacks.looks += 1;
    if (running) attacks.running += 1;
    else location.hash = attack + (10 + (attacks.begun++ % 2));
  };
  look();
  setInterval(look, 100);
}
"""
SETTLE_S = 3


@dataclass(frozen=True)
class Load:
    """Shares of one core: of the tab's process, of all processes of the browser together, and of each type."""

    tab: float
    browser: float
    kinds: dict[str, float]


@dataclass(frozen=True)
class Cost:
    """The load of a tab in which nothing happens, and of the same tab while attacks run, one after the other."""

    idle: Load
    attacked: Load
    running: float
    """Share of the time in which an attack was under way."""
    attacks: int


def measure_cpu(path: str, url: str, viewport: tuple[int, int], *, seconds: float, idle_seconds: float) -> Cost:
    """Open the room "Fool" in a browser of its own, let it rest, and then attack for so long."""
    width, height = viewport
    with chromium(path) as browser:
        page = browser.new_page(base_url=url, locale="en-GB", viewport={"width": width, "height": height})
        page.set_default_timeout(LONGEST_WAIT_MS)
        traffic = Traffic(page, url)
        page.goto("/#fool")
        wait_for(page, COMPLETE["fool"])
        traffic.wait_until_quiet()
        time.sleep(SETTLE_S)
        root = browser_process(browser)
        idle = _load(root, idle_seconds)
        page.evaluate(KEEP_ATTACKING, ATTACK)
        time.sleep(SETTLE_S)
        before = page.evaluate("window.attacks")
        attacked = _load(root, seconds)
        after = page.evaluate("window.attacks")
    looks, running, begun = (after[name] - before[name] for name in ("looks", "running", "begun"))
    return Cost(idle, attacked, running / looks, begun)


def _load(root: int, seconds: float) -> Load:
    before, begun = cpu_of(root), time.monotonic()
    time.sleep(seconds)
    after, elapsed = cpu_of(root), time.monotonic() - begun
    kinds = {kind: used / elapsed for kind, used in used_by_kind(before, after).items()}
    return Load(kinds.get("renderer", 0.0), sum(kinds.values()), kinds)
