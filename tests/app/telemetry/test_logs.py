"""Tests the lines of the log: their form, their length, and that nobody can forge one."""

import json
import logging
import re
from collections.abc import Iterator
from contextvars import copy_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.telemetry.logs import (
    MOST_CHARACTERS,
    JsonFormatter,
    TextFormatter,
    clean,
    configure,
    escaped,
    shortened,
)
from app.telemetry.record import begin_record

FORGED = "2026-01-01T00:00:00.000Z CRITICAL app: the disk is on fire"
HOSTILE = f"x\r\n{FORGED}\n\x1b[31m\u2028\x85\x7f"


def a_record(message: object = "it works", *arguments: object, **attributes: object) -> logging.LogRecord:
    record = logging.LogRecord("app.test", logging.INFO, "file.py", 1, message, arguments, None)
    record.created = 0.0
    for name, value in attributes.items():
        setattr(record, name, value)
    return record


def failure(message: str) -> tuple[type[BaseException], BaseException, object]:
    try:
        raise ValueError(message)
    except ValueError as error:
        return type(error), error, error.__traceback__


def test_the_text_of_a_record() -> None:
    """Time, level, logger and message; with the id of the request, if there is one."""
    assert TextFormatter().format(a_record("%d of %d", 1, 2)) == "1970-01-01T00:00:00.000Z INFO app.test: 1 of 2"

    def in_request() -> str:
        begin_record("my-id")
        return TextFormatter().format(a_record())

    assert copy_context().run(in_request) == "1970-01-01T00:00:00.000Z INFO app.test [my-id]: it works"


def test_the_id_of_a_request_that_is_over_is_left_out() -> None:
    """A connection keeps the context of its request, and what it logs next is about something else."""

    def after() -> str:
        begin_record("my-id").is_over = True
        return TextFormatter().format(a_record())

    assert "my-id" not in copy_context().run(after)


def test_the_json_of_a_record() -> None:
    fields = json.loads(JsonFormatter().format(a_record("done", fields={"status": 200, "model": "cat é"})))
    assert fields == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "info",
        "logger": "app.test",
        "message": "done",
        "status": 200,
        "model": "cat é",
    }


def test_a_traceback_is_part_of_its_record() -> None:
    """As text, each of its lines stands behind a bar; in JSON it is a field."""
    record = a_record("it failed", exc_info=failure("because"))
    first, *others = TextFormatter().format(record).split("\n")
    assert first.endswith("it failed") and others[-1] == "  | ValueError: because"
    assert all(line.startswith("  | ") for line in others)
    line = JsonFormatter().format(record)
    assert "\n" not in line and json.loads(line)["traceback"].endswith("ValueError: because")


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_no_text_can_pass_for_another_record(formatter: logging.Formatter) -> None:
    """Neither in the message, nor in an argument, nor in the message of an error."""
    text = formatter.format(a_record(HOSTILE + "%s", HOSTILE, exc_info=failure(HOSTILE)))
    first, *others = re.split(r"[\r\n\u2028\x85]", text)
    assert all(line.startswith("  | ") for line in others)
    assert not any(line.startswith("2026") for line in [first, *others])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]", text)


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
@pytest.mark.parametrize("letter", ["x", '"', "\\", "\n", "\x1b", "é", "\U0001f408", "\ud800"])
def test_the_length_of_a_record_is_bounded(formatter: logging.Formatter, letter: str) -> None:
    """Also where each letter becomes several; the end of a traceback, which names the error, is still there."""
    huge = letter * 100_000
    text = formatter.format(a_record(huge, fields={"model": huge}, exc_info=failure(f"{huge} the end")))
    assert len(text) <= MOST_CHARACTERS and "the end" in text
    if isinstance(formatter, JsonFormatter):
        assert json.loads(text)["level"] == "info"


@given(st.text())
def test_an_escaped_text_has_printable_letters_only(text: str) -> None:
    assert escaped(text).isprintable()
    assert escaped(text) == text or not text.isprintable()


def test_escapes_are_those_of_python() -> None:
    assert escaped("a\nb\x1b\u2028é\ud800") == r"a\nb\x1b\u2028é\ud800"


@given(st.text(), st.integers(10, 50))
def test_a_shortened_text_has_at_most_so_many_letters(text: str, most: int) -> None:
    short = shortened(text, most)
    assert len(short) <= most and (short == text if len(text) <= most else "[...]" in short)


def test_a_shortened_text_has_its_beginning_and_its_end() -> None:
    """A quarter of 20 is 5; the mark has 5; 10 are left for the end."""
    assert shortened("abcdefghijklmnopqrstuvwxyz", 20) == "abcde[...]qrstuvwxyz"
    assert clean("\n" * 1000, 20) == r"\n\n\[...]\n\n\n\n\n"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:], logger.level = handlers, level


def test_the_settings_choose_format_and_level(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure("warning", "json")
    logging.getLogger("app").info("not this")
    logging.getLogger("app").warning("but this")
    root.handlers[0].flush()
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "but this"
    configure("info", "text")
    logging.getLogger("app").info("this")
    root.handlers[0].flush()
    assert capsys.readouterr().err.endswith("INFO app: this\n")
