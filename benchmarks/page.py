"""The web page in Chromium: first paint, classification, layout shifts, bytes, and the processor during an attack.

    python -m benchmarks page --rounds 7 --seconds 60

A service with the bundled models runs beside the browser on the same machine, and nothing is delayed between them. Each
opening is in a fresh context: no cache, no stored choices. The browser has no window and draws by the processor, at
1280 × 800. Layout shifts are also counted at 375 × 812. "All, also after input" adds up every shift, also those within
half a second after a click, which the usual score leaves out.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from playwright.sync_api import Browser, Page

from benchmarks.browser import LONGEST_WAIT_MS, MISSING, browser_versions, chromium, chromium_path
from benchmarks.measure import machine
from benchmarks.page_cpu import Cost, measure_cpu
from benchmarks.page_notes import Notes, all_shifts, cumulative_layout_shift, note, read_notes
from benchmarks.page_traffic import Traffic, sizes_by_kind
from benchmarks.page_ways import CLASSIFIED, COMPLETE, HEADING, appears, press_fool, press_prove, wait_for
from benchmarks.parts import SKIPPED
from benchmarks.results import Figure, write_figures
from benchmarks.service import service

VIEWPORT = (1280, 800)
PHONE = (375, 812)
IDLE_S = 15


@contextmanager
def fresh_tab(browser: Browser, url: str, viewport: tuple[int, int] = VIEWPORT) -> Iterator[Page]:
    """An empty tab that takes notes, in a context without cache or stored choices."""
    width, height = viewport
    context = browser.new_context(base_url=url, locale="en-GB", viewport={"width": width, "height": height})
    context.set_default_timeout(LONGEST_WAIT_MS)
    page = context.new_page()
    note(page, {"heading": HEADING, "classified": CLASSIFIED})
    yield page
    context.close()


def openings(browser: Browser, url: str, rounds: int) -> Iterator[Figure]:
    """How soon a visitor sees something, and what the model sees in the sample picture."""
    paints, headings, classified = [], [], []
    for _ in range(rounds):
        with fresh_tab(browser, url) as page:
            page.goto("/")
            wait_for(page, appears(CLASSIFIED))
            page.wait_for_timeout(300)  # the notes are taken after the next frame
            notes = read_notes(page)
        paints.append(notes.first_contentful_paint_s)
        headings.append(notes.shown_s["heading"])
        classified.append(notes.shown_s["classified"])
    yield Figure("first contentful paint: the name at the top", "s", paints)
    yield Figure("typed address to the room with its heading", "s", headings)
    yield Figure("typed address to the sample's classification", "s", classified)


def proofs(browser: Browser, url: str, rounds: int) -> Iterator[Figure]:
    """How soon a visitor has fooled the model and seen the proof, who presses each of two buttons when it appears."""
    fooled, proven = [], []
    for _ in range(rounds):
        with fresh_tab(browser, url) as page:
            begun = time.perf_counter()
            page.goto("/")
            press_fool(page)
            fooled.append(time.perf_counter() - begun)
            press_prove(page)
            proven.append(time.perf_counter() - begun)
    yield Figure("typed address to the fooled model, one click", "s", fooled)
    yield Figure("typed address to the proof, two clicks", "s", proven)


def shifts(browser: Browser, url: str, viewport: tuple[int, int]) -> Iterator[Figure]:
    """How much moves while each room is loaded, and on the way from the sample picture to the proof."""
    place = f"at {viewport[0]} × {viewport[1]}"
    for room, complete in COMPLETE.items():
        with fresh_tab(browser, url, viewport) as page:
            traffic = Traffic(page, url)
            page.goto(f"/#{room}")
            wait_for(page, complete)
            traffic.wait_until_quiet()
            notes = read_notes(page)
        tell_shifts(f"{room} {place}", notes)
        yield Figure(f"room {room}: layout shift {place}", "", [cumulative_layout_shift(notes.shifts)])
    with fresh_tab(browser, url, viewport) as page:
        traffic = Traffic(page, url)
        page.goto("/")
        press_fool(page)
        press_prove(page)
        traffic.wait_until_quiet()
        notes = read_notes(page)
    tell_shifts(f"from see to the proof {place}", notes)
    yield Figure(f"layout shift from see to the proof {place}", "", [cumulative_layout_shift(notes.shifts)])
    yield Figure(f"layout shift from see to the proof {place}: all, also after input", "", [all_shifts(notes.shifts)])


def tell_shifts(way: str, notes: Notes) -> None:
    """Print what has moved, from where to where: x, y, width and height in pixels."""
    for shift in notes.shifts:
        when = f"{shift.time_ms / 1000:.2f} s{', after input' if shift.after_input else ''}"
        print(f"  moved: {way}, {when}, {shift.value:.4f}: {'; '.join(shift.moved)}", flush=True)


def sizes(browser: Browser, url: str) -> Iterator[Figure]:
    """What each room sends when it is the first one that is opened: at once, and until nothing more comes."""
    for room, complete in COMPLETE.items():
        with fresh_tab(browser, url) as page:
            traffic = Traffic(page, url)
            page.goto(f"/#{room}")
            wait_for(page, appears(HEADING))
            traffic.wait_for_own_files()
            files = traffic.own_files()
            others = [f"/rooms/{other}/" for other in COMPLETE if other != room]
            early = [file.path for file in files if any(part in file.path for part in others)]
            assert not early, f"files of other rooms came early: {early}"
            wait_for(page, complete)
            traffic.wait_until_quiet()
            all_files = traffic.own_files()
        for address in traffic.elsewhere:
            print(f"  request to elsewhere: {address}", flush=True)
        by_kind = sizes_by_kind(files)
        yield Figure(f"room {room}: the page's files, all", "kB", [sum(by_kind.values()) / 1000])
        for kind, size in by_kind.items():
            yield Figure(f"room {room}: the page's files, {kind}", "kB", [size / 1000])
        later = sum(file.size for file in all_files) - sum(by_kind.values())
        yield Figure(f"room {room}: the page's files, loaded later for the other rooms", "kB", [later / 1000])
        yield Figure(f"room {room}: requests, own files", "", [len(files)])
        yield Figure(f"room {room}: requests, all, with later ones and the API's", "", [traffic.total])
        yield Figure(f"room {room}: requests, to another origin", "", [len(traffic.elsewhere)])


def costs(cost: Cost, seconds: float) -> Iterator[Figure]:
    """What the page uses of the processor."""
    for name, load in (("idle", cost.idle), (f"{seconds:.0f} s of attacks", cost.attacked)):
        yield Figure(f"processor, {name}: the tab's process", "% of a core", [100 * load.tab])
        yield Figure(f"processor, {name}: the whole browser", "% of a core", [100 * load.browser])
    for kind, share in sorted(cost.attacked.kinds.items()):
        print(f"  {kind}: {share:.1%} of a core during attacks, {cost.idle.kinds.get(kind, 0):.1%} idle")
    yield Figure(f"processor, {seconds:.0f} s of attacks: share with an attack", "%", [100 * cost.running])
    yield Figure(f"processor, {seconds:.0f} s of attacks: attacks that began", "", [cost.attacks])


def main() -> int:
    """Start a service and a browser, and measure one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="openings of the page (7)")
    parser.add_argument("--proofs", type=int, default=5, help="ways to the proof (5)")
    parser.add_argument("--seconds", type=float, default=60, help="seconds of attacks (60)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    path = chromium_path()
    if path is None:
        print(MISSING)
        return SKIPPED
    figures: list[Figure] = []
    versions = ""

    def keep(measured: Iterator[Figure]) -> None:
        for figure in measured:
            figures.append(figure)
            print(f"{figure.name}: {figure.text}", flush=True)
        if options.json:
            write_figures(options.json, figures, versions)

    with service("") as (client, _, _):
        url = str(client.base_url).rstrip("/")
        with chromium(path) as browser:
            versions = browser_versions(browser)
            print(f"{machine(torch.device('cpu'))}; {versions}")
            for _ in proofs(browser, url, 1):  # so that no opening pays for what the service loads once
                continue
            keep(openings(browser, url, options.rounds))
            keep(proofs(browser, url, options.proofs))
            for viewport in (VIEWPORT, PHONE):
                keep(shifts(browser, url, viewport))
            keep(sizes(browser, url))
        cost = measure_cpu(path, url, VIEWPORT, seconds=options.seconds, idle_seconds=IDLE_S)
        keep(costs(cost, options.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
