"""What is measured of the page: layout shifts, and files by kind."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.browser import chromium, chromium_path
from benchmarks.page_notes import Notes, Shift, all_shifts, cumulative_layout_shift, note, read_notes
from benchmarks.page_traffic import File, is_own, sizes_by_kind

DOCUMENT = """<!doctype html><style>body { margin: 0; font: 20px sans-serif } div { height: 100px }</style>
<p style="height: 400px; margin: 0">Text</p>
<script>
requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => {
  document.body.prepend(Object.assign(document.createElement("div"), { className: "new" }));
}, 200)));
</script>"""


def shifts(*moments: tuple[float, float]) -> list[Shift]:
    """Shifts without input, each with its moment in seconds and its score."""
    return [Shift(value, 1000 * seconds, after_input=False) for seconds, value in moments]


@pytest.mark.parametrize(
    ("moments", "score"),
    [
        ([], 0),
        ([(0.1, 0.25), (1.0, 0.5)], 0.75),  # less than a second apart: one window
        ([(0.1, 0.25), (1.1, 0.5)], 0.5),  # a second apart: two windows, and the worse one counts
        ([(0.1, 0.5), (1.2, 0.125), (1.3, 0.125)], 0.5),
        ([(0.9 * number, 0.125) for number in range(7)], 0.75),  # the seventh, at 5.4 s, begins another window
    ],
)
def test_the_worst_window_counts(moments: list[tuple[float, float]], score: float) -> None:
    assert cumulative_layout_shift(shifts(*moments)) == score


def test_shifts_after_an_input_only_count_in_the_sum() -> None:
    """Neither do they make a window longer: the third shift is more than a second after the first."""
    both = [
        Shift(0.25, 100, after_input=False),
        Shift(0.5, 900, after_input=True),
        Shift(0.125, 1200, after_input=False),
    ]
    assert cumulative_layout_shift(both) == 0.25
    assert all_shifts(both) == 0.875


def test_files_are_added_up_by_kind() -> None:
    files = [
        File("/", 1000),
        File("/page/icon.svg", 200),
        File("/page/scripts/main.js", 30),
        File("/page/scripts/rooms/see/see.js", 4),
        File("/page/vendor/lit-html/lit-html.js", 7000),
    ]
    assert sizes_by_kind(files) == {
        "scripts": 34,
        "styles": 0,
        "texts": 0,
        "sample pictures": 0,
        "vendored library": 7000,
        "document and icon": 1200,
    }


@pytest.mark.parametrize(("path", "own"), [("/", True), ("/page/icon.svg", True), ("/models", False), ("/docs", False)])
def test_the_api_is_not_part_of_the_page(path: str, own: bool) -> None:
    assert is_own(path) is own


@pytest.mark.browser
def test_a_tab_notes_what_is_shown_and_what_moves() -> None:
    """In a window of 1000 × 1000, a box of 1000 × 400 that moves by 100 concerns half of it, by a tenth: 0.05."""

    def visit(path: str) -> Notes:
        with chromium(path) as browser:
            page = browser.new_page(viewport={"width": 1000, "height": 1000})
            note(page, {"new": ".new", "never": ".never"})
            page.route("http://page.test/", lambda route: route.fulfill(body=DOCUMENT, content_type="text/html"))
            page.goto("http://page.test/")
            page.wait_for_timeout(1000)
            return read_notes(page)

    path = chromium_path()
    if path is None:
        pytest.skip("needs Chromium")
    with ThreadPoolExecutor(1) as thread:  # other tests may have a browser open, whose event loop is this thread's
        notes = thread.submit(visit, path).result()
    assert 0 < notes.first_contentful_paint_s < notes.shown_s["new"] and "never" not in notes.shown_s
    assert cumulative_layout_shift(notes.shifts) == pytest.approx(0.05, abs=0.001)
    assert notes.shifts[0].moved == ("p 0 0 1000 400 -> 0 100 1000 400",)
