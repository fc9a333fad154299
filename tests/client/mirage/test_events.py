"""Server-sent events, however their bytes are cut into pieces."""

import pytest

from mirage.errors import UnexpectedResponse
from mirage.events import Event, EventReader

STREAM = (
    ": a comment\r\n\r\nevent: progress\r\ndata: {\"step\": 1}\r\n\r\n"  # CRLF
    "event: progress\ndata:{\"a\":\ndata: 2}\n\n"  # two lines of data, one without a space
    "id: 7\nretry: 100\ndata: caf\u00e9 \u2028 \u0085\n\n"  # no kind; letters that end lines elsewhere
    "event: left\n\n"  # no data: no event
    "event: result\rdata: x\r\r"  # CR alone
).encode()  # fmt: skip
EVENTS = [
    Event("progress", '{"step": 1}'),
    Event("progress", '{"a":\n2}'),
    Event("message", "caf\u00e9 \u2028 \u0085"),
    Event("result", "x"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 10_000])
def test_the_events_do_not_depend_on_the_pieces(size: int) -> None:
    """The expected events follow from the rules of the standard, by hand."""
    reader = EventReader()
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [event for piece in [b"", *pieces, b""] for event in reader.feed(piece)] == EVENTS


def test_an_event_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes of events that ended before, and of comments, do not count."""
    monkeypatch.setattr("mirage.events.MOST_BYTES", 100)
    reader = EventReader()
    for _ in range(50):
        assert len(list(reader.feed(b": still there\n\ndata: x\n\n"))) == 1
    with pytest.raises(UnexpectedResponse):
        for _ in range(50):
            list(reader.feed(b"data: xxxx\n"))
