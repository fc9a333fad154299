"""Log records as one line each, of bounded length, in which nothing that a client sent can pass for another record."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from app.telemetry.log_output import LogOutput
from app.telemetry.record import current_record

Format: TypeAlias = Literal["text", "json"]
Value = str | int | float | bool | None
MOST_CHARACTERS = 8_000
"""Length of a record, with its traceback."""
MOST_OF_A_VALUE = 300
"""Length of a text among the fields of a record."""
CUT = "[...]"
"""Stands where a text was cut."""
BEGINNING = 0.25
"""Part of a cut text that comes from its beginning; the rest is its end, where a traceback names the error."""


def escaped(text: str) -> str:
    """The text with each character that could end a line or control a terminal as an escape, such as \\n or \\x1b."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def shortened(text: str, most: int) -> str:
    """The text in at most `most` characters: its beginning and its end, if it is longer."""
    if len(text) <= most:
        return text
    beginning = int(BEGINNING * most)
    return text[:beginning] + CUT + text[len(text) - (most - beginning - len(CUT)) :]


def clean(text: str, most: int = MOST_OF_A_VALUE) -> str:
    """A text from outside as it may stand in a line."""
    return shortened(escaped(shortened(text, most)), most)


def configure(level: str, format: Format) -> None:
    """Let all records of at least this level (debug, info, warning, error) go to the standard error output.

    Whoever calls this calls `logging.shutdown` at the end, which writes those that wait.
    """
    handler = LogOutput(sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class TextFormatter(logging.Formatter):
    """Time, level, logger, the id of the request, the message, and the record's own fields as name=value.

    The lines of a traceback follow, each behind a bar.

    So a line that begins with a date always is a record of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as text; see the class."""
        request_id = _request_id()
        origin = f"{record.name} [{request_id}]" if request_id else record.name
        message = record.getMessage()
        for name, value in getattr(record, "fields", {}).items():
            message += f" {name}={value}"
        message = clean(message, MOST_CHARACTERS // 2)
        line = f"{_time(record)} {record.levelname} {origin}: {message}"
        trace = _traceback(self, record)
        if trace:
            lines = "\n".join(f"  | {escaped(part)}" for part in trace.split("\n"))
            line += "\n" + shortened(lines, MOST_CHARACTERS - len(line) - 1)
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time, level, logger, message, request_id, the record's own fields, and its traceback.

    It is in ASCII, and so has no character that ends a line.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; the longest of its texts are cut until it is short enough."""
        fields: dict[str, Value] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := _request_id():
            fields["request_id"] = request_id
        fields |= getattr(record, "fields", {})
        if trace := _traceback(self, record):
            fields["traceback"] = trace
        while len(line := json.dumps(fields)) > MOST_CHARACTERS:
            texts = {name: value for name, value in fields.items() if isinstance(value, str)}
            longest = max(texts, key=lambda name: len(texts[name]))
            fields[longest] = shortened(texts[longest], max(len(CUT), len(texts[longest]) * 3 // 4))
        return line.replace("\x7f", "\\u007f")  # the one control character that JSON leaves as it is


def _request_id() -> str:
    record = current_record()
    return "" if record is None or record.is_over else record.request_id


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback and the stack of the record as text; empty if it has none."""
    parts = [formatter.formatException(record.exc_info)] if record.exc_info and record.exc_info[0] else []
    return "\n".join(parts + ([formatter.formatStack(record.stack_info)] if record.stack_info else []))
