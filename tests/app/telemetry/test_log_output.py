"""Tests that log records are written in order, and that nobody waits for a stream that nobody reads."""

import io
import logging
import os
import threading
from collections.abc import Iterator

import pytest

from app.telemetry import log_output
from app.telemetry.log_output import LogOutput


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger that only the test has; what it writes to is closed at the end."""
    logger = logging.Logger("of the test", logging.INFO)
    yield logger
    for handler in logger.handlers:
        handler.close()


class Blocked(io.StringIO):
    """A stream whose reader takes nothing until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.asked.set()
        assert self.go.wait(60)
        return super().write(text)


def test_records_are_written_in_order(logger: logging.Logger) -> None:
    stream = io.StringIO()
    logger.addHandler(output := LogOutput(stream))
    for number in range(1000):
        logger.info("%d", number)
    output.flush()
    assert stream.getvalue().split() == [str(number) for number in range(1000)]


def test_all_is_written_before_the_output_is_closed(logger: logging.Logger) -> None:
    """And its thread has ended."""
    stream = io.StringIO()
    output = LogOutput(stream)
    logger.addHandler(output)
    logger.info("last words")
    output.close()
    assert stream.getvalue() == "last words\n" and not output._thread.is_alive()


def test_nobody_waits_for_a_stream_that_is_not_read(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three records wait, the two after them are left out, and that is said once the stream is read again."""
    monkeypatch.setattr(log_output, "MOST_WAITING", 3)
    monkeypatch.setattr(log_output, "LAST_WORDS_S", 0.01)
    stream = Blocked()
    logger.addHandler(output := LogOutput(stream))
    logger.info("first")
    assert stream.asked.wait(60)
    for number in range(5):
        logger.info("%d", number)
    output.close()  # nor does the end of the process
    stream.go.set()
    output._thread.join(60)
    notice = "2 records were left out of the log, which is not read fast enough"
    assert stream.getvalue().splitlines() == ["first", "0", "1", "2", notice]


def test_a_stream_whose_reader_has_gone_raises_nothing(logger: logging.Logger) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    output = LogOutput(os.fdopen(writing, "w", encoding="utf-8"))
    logger.addHandler(output)
    for number in range(3):
        logger.info("%d", number)
        output.flush()
    assert output._thread.is_alive()
    output.close()
    with pytest.raises(BrokenPipeError):
        output._stream.close()
