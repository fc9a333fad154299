import io

import pytest
from rich.console import Console

from training import console
from training.console import (
    TrainingProgress,
    duration,
    print_classes,
    print_findings,
    print_line,
    track,
    write_any_text,
)
from training.data.loading.plan import Plan
from training.data.scan.findings import FileProblem, Finding, Photo, Scan
from training.recipe import Recipe

PLAN = Plan(Recipe(epochs=4, full_size_epochs=1, batch_size=10), 100, 100, 200)
"""Four times ten steps: three epochs of 0.1 million pixels a step, and one of 0.4; 7 million in all."""


class Clock:
    """Says what it is told to."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(console, "time", found)
    return found


def test_the_rest_takes_its_pixels_at_the_speed_so_far_and_validation(clock: Clock) -> None:
    """Ten seconds for a million pixels, 6.7 of which are left after three steps; the first, of 100 s, is left out."""
    watch = TrainingProgress(Console(file=io.StringIO()), PLAN, 0)
    clock.now += 100
    watch.stepped(1, 0.5)
    assert watch.left() == "the time left is not known yet"
    for step in (2, 3):
        clock.now += 1
        watch.stepped(step, 0.5)
    assert watch.left() == "about 67 s left"
    for step in range(4, 11):
        clock.now += 1
        watch.stepped(step, 0.5)
    clock.now += 20
    watch.measured(20.0)
    assert watch.left() == "about 2 min left"  # 6 million pixels, and three times 20 s


def test_in_a_log_a_line_a_minute(clock: Clock) -> None:
    file = io.StringIO()
    watch = TrainingProgress(Console(file=file, width=40), PLAN, 10)
    for step in range(11, 16):
        clock.now += 25
        watch.stepped(step, 0.25)
    lines = file.getvalue().splitlines()
    assert lines == [
        "  step 11 of 40: epoch 2 of 4, loss 0.250, the time left is not known yet",
        "  step 14 of 40: epoch 2 of 4, loss 0.250, about 23 min left",  # 5.6 million pixels at 250 s each
    ]


def test_tracked_items_pass_and_are_told_of(clock: Clock) -> None:
    file, found = io.StringIO(), []
    for item in track(Console(file=file), range(4), 4, what="looking"):
        found.append(item)
        clock.now += 45
    assert found == [0, 1, 2, 3]
    assert file.getvalue().splitlines() == ["  looking: 2 of 4, 90 s left"]


@pytest.mark.parametrize(("seconds", "told"), [(48.4, "48 s"), (99.4, "99 s"), (120, "2 min"), (7500, "2 h 5 min")])
def test_durations_in_words(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def opened(encoding: str) -> io.TextIOWrapper:
    """A file or pipe of another code page, as Python opens it where it is told nothing."""
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("cp1252", "Кошка ".encode("cp1252", "backslashreplace") + b"\\u732b caf\xe9 [red]"),
        ("cp1251", b"\xca\xee\xf8\xea\xe0 \\u732b caf\\xe9 [red]"),
        ("ascii", b"\\u041a\\u043e\\u0448\\u043a\\u0430 \\u732b caf\\xe9 [red]"),
        ("cp932", "Кошка 猫 caf".encode("cp932") + b"\\xe9 [red]"),
        ("utf-8", "Кошка 猫 café [red]".encode()),
    ],
)
def test_a_line_in_any_code_page_loses_nothing(encoding: str, expected: bytes) -> None:
    """What the code page has is written in it, the rest as what Python would read back."""
    stream = opened(encoding)
    print_line(Console(file=stream, width=40), "Кошка 猫 café [red]")
    stream.flush()
    assert stream.buffer.getvalue() == expected + b"\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["cp1252", "cp1251", "ascii"])
def test_tables_are_plain_and_aligned_in_any_code_page(encoding: str) -> None:
    """Boxes of ASCII, and every line of a table as wide as the others, whatever its names take."""
    stream = opened(encoding)
    write_any_text(stream)
    shown = Console(file=stream, width=100)
    print_findings(shown, (Finding("猫/\udcff🐕.jpg", FileProblem.EMPTY, "γάτα"),))
    print_classes(shown, Scan((Photo("猫/1.jpg", "猫", "d"),), ()), ("猫",), ("Кошка",))
    stream.flush()
    lines = stream.buffer.getvalue().decode(encoding).splitlines()  # type: ignore[attr-defined]
    text = "".join(lines)
    for name in ("猫/\udcff🐕.jpg", "γάτα", "Кошка"):
        assert name.encode(encoding, "backslashreplace").decode(encoding) in text
    for title in ("| file", "| class"):
        first = next(place for place, line in enumerate(lines) if line.startswith(title))
        assert len({len(line) for line in lines[first - 1 : first + 4]}) == 1
    assert "+--" in text


def test_streams_that_lack_a_letter_write_it_all_the_same() -> None:
    """Also what is printed by others: a progress bar's sign, the help, a warning; no stream is none (pythonw)."""
    stream = opened("cp1252")
    with pytest.raises(UnicodeEncodeError):
        stream.write("猫")
    write_any_text(stream, None, io.StringIO())
    stream.write("猫é\udcff")
    stream.flush()
    assert stream.buffer.getvalue() == b"\\u732b\xe9\\udcff"  # type: ignore[attr-defined]
