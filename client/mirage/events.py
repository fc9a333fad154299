"""Server-sent events: from the bytes of a response to events (WHATWG HTML, section 9.2)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mirage.errors import UnexpectedResponse

MOST_BYTES = 1 << 30
"""Largest event in bytes. The largest picture that the service takes makes a result of some 200 MB."""


@dataclass(frozen=True)
class Event:
    """One event: its kind, and its data as text."""

    kind: str
    data: str


@dataclass
class EventReader:
    """Takes a response's bytes, in pieces of any size, and gives the events that are complete."""

    _line: list[bytes] = field(default_factory=list[bytes])
    _bytes: int = 0
    _after_return: bool = False
    _kind: str = ""
    _data: list[str] = field(default_factory=list[str])

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that this piece completes. Raises UnexpectedResponse if one is larger than MOST_BYTES."""
        if not piece:
            return
        self._bytes += len(piece)
        if self._bytes > MOST_BYTES:
            raise UnexpectedResponse("an event of the response is larger than a gigabyte: is this address Mirage's?")
        if self._after_return and piece.startswith(b"\n"):  # the second half of the end of a line
            piece = piece[1:]
        self._after_return = piece.endswith(b"\r")
        *lines, rest = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            whole = b"".join([*self._line, line])
            self._line = []
            if (event := self._take(whole)) is not None:
                yield event
        self._line.append(rest)
        if not self._data and lines:
            self._bytes = len(rest)

    def _take(self, line: bytes) -> Event | None:
        """Take one line; an empty one ends an event."""
        if not line:
            event = Event(self._kind or "message", "\n".join(self._data)) if self._data else None
            self._kind, self._data = "", []
            return event
        name, _, value = line.decode("utf-8", errors="replace").partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        return None
