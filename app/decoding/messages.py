"""Messages between the service and a decoder process: a JSON object and bytes, each preceded by its length."""

import json
import struct
from typing import Any, Protocol

LENGTHS = struct.Struct(">IQ")
"""Bytes of the JSON and bytes of the data."""

Fields = dict[str, Any]
"""The JSON object of a message; both ends are this program, so no schema checks it."""


class Stream(Protocol):
    """An unbuffered file, such as one end of a pipe."""

    def write(self, data: bytes | memoryview, /) -> int | None:
        """Write some of the bytes, and return how many."""
        ...

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read some bytes into the buffer, and return how many; 0 at the end of the stream."""
        ...


def send(stream: Stream, fields: Fields, data: bytes | memoryview = b"") -> None:
    """Write one message; raises OSError where the other end is closed."""
    head = json.dumps(fields).encode()
    _write(stream, memoryview(LENGTHS.pack(len(head), len(data)) + head))
    _write(stream, memoryview(data))


def receive(stream: Stream) -> tuple[Fields, bytearray]:
    """Read one message; raises EOFError where the stream ends."""
    head_length, data_length = LENGTHS.unpack(_read(stream, LENGTHS.size))
    fields: Fields = json.loads(_read(stream, head_length))
    return fields, _read(stream, data_length)


def _write(stream: Stream, data: memoryview) -> None:
    while data:
        data = data[stream.write(data) :]


def _read(stream: Stream, length: int) -> bytearray:
    data = bytearray(length)
    rest = memoryview(data)
    while rest:
        count = stream.readinto(rest)
        if not count:
            raise EOFError("the stream has ended")
        rest = rest[count:]
    return data
