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
"""Four epochs of ten steps: three with 0.1 million pixels a step and one with 0.4, so 7 million in total."""


class Clock:
    """A clock that shows the time that a test sets."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    return clock


def test_the_time_left_is_of_the_remaining_pixels_and_validations(clock: Clock) -> None:
    """A million pixels take 10 s, and 6.7 million are left after three steps; the first, of 100 s, does not count."""
    watch = TrainingProgress(Console(file=io.StringIO()), PLAN, 0)
    clock.now += 100
    watch.report_step(1, 0.5)
    assert watch.time_left() == "the time left is not known yet"
    for step in (2, 3):
        clock.now += 1
        watch.report_step(step, 0.5)
    assert watch.time_left() == "about 67 s left"
    for step in range(4, 11):
        clock.now += 1
        watch.report_step(step, 0.5)
    clock.now += 20
    watch.report_validation(20.0)
    assert watch.time_left() == "about 2 min left"  # 6 million pixels, and three times 20 s


def test_a_log_gets_at_most_one_line_per_minute(clock: Clock) -> None:
    file = io.StringIO()
    watch = TrainingProgress(Console(file=file, width=40), PLAN, 10)
    for step in range(11, 16):
        clock.now += 25
        watch.report_step(step, 0.25)
    lines = file.getvalue().splitlines()
    assert lines == [
        "  step 11 of 40: epoch 2 of 4, loss 0.250, the time left is not known yet",
        "  step 14 of 40: epoch 2 of 4, loss 0.250, about 23 min left",  # 5.6 million pixels at 250 s each
    ]


def test_track_yields_the_items_and_prints_the_progress(clock: Clock) -> None:
    file, items = io.StringIO(), []
    for item in track(Console(file=file), range(4), 4, what="looking"):
        items.append(item)
        clock.now += 45
    assert items == [0, 1, 2, 3]
    assert file.getvalue().splitlines() == ["  looking: 2 of 4, 90 s left"]


@pytest.mark.parametrize(("seconds", "text"), [(48.4, "48 s"), (99.4, "99 s"), (120, "2 min"), (7500, "2 h 5 min")])
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def stream_of(encoding: str) -> io.TextIOWrapper:
    """A file or pipe with another code page, as Python opens it by default."""
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
def test_a_line_loses_nothing_in_any_code_page(encoding: str, expected: bytes) -> None:
    """Letters of the code page are written as they are, all others as Python's escapes."""
    stream = stream_of(encoding)
    print_line(Console(file=stream, width=40), "Кошка 猫 café [red]")
    stream.flush()
    assert stream.buffer.getvalue() == expected + b"\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["cp1252", "cp1251", "ascii"])
def test_tables_are_plain_and_aligned_in_any_code_page(encoding: str) -> None:
    """Boxes are drawn in ASCII, and all lines of a table have the same width for all names."""
    stream = stream_of(encoding)
    write_any_text(stream)
    output = Console(file=stream, width=100)
    print_findings(output, (Finding("猫/\udcff🐕.jpg", FileProblem.EMPTY, "γάτα"),))
    print_classes(output, Scan((Photo("猫/1.jpg", "猫", "d"),), ()), ("猫",), ("Кошка",))
    stream.flush()
    lines = stream.buffer.getvalue().decode(encoding).splitlines()  # type: ignore[attr-defined]
    text = "".join(lines)
    for name in ("猫/\udcff🐕.jpg", "γάτα", "Кошка"):
        assert name.encode(encoding, "backslashreplace").decode(encoding) in text
    for title in ("| file", "| class"):
        first = next(place for place, line in enumerate(lines) if line.startswith(title))
        assert len({len(line) for line in lines[first - 1 : first + 4]}) == 1
    assert "+--" in text


def test_streams_write_letters_that_they_lack_as_escapes() -> None:
    """This also holds for text that libraries print. A stream may be None, as under pythonw."""
    stream = stream_of("cp1252")
    with pytest.raises(UnicodeEncodeError):
        stream.write("猫")
    write_any_text(stream, None, io.StringIO())
    stream.write("猫é\udcff")
    stream.flush()
    assert stream.buffer.getvalue() == b"\\u732b\xe9\\udcff"  # type: ignore[attr-defined]


def test_names_in_a_line_do_not_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks and tabs stay: some messages have several lines."""
    print_line(Console(), "key \x1b]0;title\x07\x1b[31m\x9b2J\u202eabc\n\tnext\r")
    assert capsys.readouterr().out == "key ?]0;title??[31m?2J?abc\n        next?\n"
