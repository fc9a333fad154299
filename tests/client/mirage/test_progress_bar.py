"""The progress bar over many pictures."""

from collections.abc import Generator

import pytest

from mirage.progress_bar import with_progress_bar


def test_the_items_come_through_and_the_bar_stays_off_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Results may be written to standard output at the same time."""
    items = (number for number in range(3))
    assert list(with_progress_bar(items, [1, 2, 3])) == [0, 1, 2]
    written = capsys.readouterr()
    assert written.out == "" and "Classifying" in written.err and "100%" in written.err


def test_leaving_the_loop_closes_what_gives_the_items() -> None:
    """So that requests under way are cancelled; the number of pictures may be unknown."""
    closed: list[bool] = []

    def source() -> Generator[int, None, None]:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    bar = with_progress_bar(source(), iter(()))
    assert next(bar) == 0
    bar.close()
    assert closed == [True]
