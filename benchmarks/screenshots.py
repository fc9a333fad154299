"""Screenshots of the page: each room in three widths, light and dark, and one room in each language.

    python -m benchmarks screenshots /tmp/screenshots
    python -m benchmarks screenshots /tmp/screenshots --full-page --rooms fool,imagine
    python -m benchmarks screenshots docs/pictures --documentation

Each is taken once its room is complete: the attack is done and proven, the ideal pictures are drawn. All pictures in
them come with the service. It is no benchmark, and stands here because it needs the same service, browser and ways
through the page as the benchmark `page`.
"""

import argparse
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page

from benchmarks.browser import LONGEST_WAIT_MS, MISSING, chromium, chromium_path
from benchmarks.page_traffic import Traffic
from benchmarks.page_ways import COMPLETE, FOOLED, LANGUAGES, appears, press_prove, wait_for
from benchmarks.parts import SKIPPED
from benchmarks.service import service

SIZES = {375: 812, 1024: 768, 1920: 1080}
"""Widths of the windows with their heights."""
ADDRESSES = {
    "see": "#see?show=why",
    "fool": "#fool?run=1",
    "imagine": "#imagine?class=cat&seed=3&beside=robust&run=1",
    "models": "#models",
}
LARGEST = 300_000
"""Bytes of a picture in the documentation, at most."""
QUALITIES = (92, 88, 84, 80, 76, 72)
"""Of a WebP; the first one that is small enough is taken."""
Theme = Literal["light", "dark"]


@dataclass(frozen=True)
class Shot:
    """One screenshot: the name of its file, the room, and the window in which it is seen."""

    name: str
    room: str
    width: int = 1280
    height: int = 800
    theme: Theme = "light"
    language: str = "en"
    scale: float = 1
    """Pixels of the picture for each pixel of the window."""


DOCUMENTATION = (
    Shot("page", "fool", height=880, scale=2),
    Shot("page-see", "see", height=800, scale=2),
    Shot("page-imagine", "imagine", height=900, scale=2),
)
"""The pictures in README.md and docs/."""


def all_shots() -> Iterator[Shot]:
    """Every room in every width and theme, and the room "Fool" in every language."""
    themes: tuple[Theme, ...] = ("light", "dark")
    for room in ADDRESSES:
        for width, height in SIZES.items():
            for theme in themes:
                yield Shot(f"{room}-{width}-{theme}", room, width, height, theme)
    for file in sorted(LANGUAGES.glob("*.json")):
        yield Shot(f"fool-{file.stem}", "fool", 1024, SIZES[1024], language=file.stem)


def take(browser: Browser, url: str, shot: Shot, *, full_page: bool) -> bytes:
    """The screenshot as a PNG; `full_page` also shows what is below the window's edge."""
    context = browser.new_context(
        base_url=url,
        locale=shot.language,
        color_scheme=shot.theme,
        reduced_motion="reduce",
        viewport={"width": shot.width, "height": shot.height},
        device_scale_factor=shot.scale,
    )
    context.set_default_timeout(LONGEST_WAIT_MS)
    page = context.new_page()
    traffic = Traffic(page, url)
    page.goto(f"/{ADDRESSES[shot.room]}")
    complete(page, shot, traffic)
    picture = page.screenshot(full_page=full_page, animations="disabled")
    context.close()
    return picture


def complete(page: Page, shot: Shot, traffic: Traffic) -> None:
    """Wait until the room is complete, from its top on, with nothing under the mouse."""
    if shot.room == "fool":
        wait_for(page, appears(FOOLED))
        press_prove(page, shot.language)
    wait_for(page, COMPLETE[shot.room])
    traffic.wait_until_quiet()
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0); document.activeElement?.blur()")
    page.evaluate("Promise.all([...document.images].map((image) => image.decode()))")


def compact(png: bytes) -> bytes:
    """A picture for the documentation, as a WebP of at most 300 kB; a palette would lose the colours of the photos."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for quality in QUALITIES:
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=quality, method=6)
        if file.tell() <= LARGEST:
            break
    else:
        raise SystemExit(f"the picture has {file.tell():,} bytes, more than {LARGEST:,}: make its window smaller")
    return file.getvalue()


def main() -> int:
    """Take the screenshots that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the files go: PNGs, or the WebPs of the documentation")
    parser.add_argument("--full-page", action="store_true", help="show all of a page, not only what fits the window")
    parser.add_argument("--rooms", default=",".join(ADDRESSES), help="names of rooms, separated by commas (all)")
    parser.add_argument("--documentation", action="store_true", help="only the pictures of README.md and docs/")
    options = parser.parse_args()
    path = chromium_path()
    if path is None:
        print(MISSING)
        return SKIPPED
    options.folder.mkdir(parents=True, exist_ok=True)
    shots = DOCUMENTATION if options.documentation else tuple(all_shots())
    shots = tuple(shot for shot in shots if shot.room in options.rooms.split(","))
    os.environ["MIRAGE_CACHE_BYTES"] = "0"  # a picture from the store would have no chart of its steps
    with service("") as (client, _, _), chromium(path) as browser:
        url = str(client.base_url).rstrip("/")
        for shot in shots:
            picture = take(browser, url, shot, full_page=options.full_page)
            file = options.folder / f"{shot.name}.{'webp' if options.documentation else 'png'}"
            file.write_bytes(compact(picture) if options.documentation else picture)
            print(f"{file}: {file.stat().st_size / 1000:,.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
