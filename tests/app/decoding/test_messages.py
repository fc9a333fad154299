"""Tests that messages between the service and its decoders arrive whole, and that an end is noticed."""

import io

import pytest

from app.decoding.messages import receive, send


class Dribbling(io.RawIOBase):
    """A stream that takes and gives three bytes at a time."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: object) -> int:
        part = bytes(memoryview(data))[:3]  # type: ignore[call-overload]
        self.data += part
        return len(part)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = self.data[: min(3, len(buffer))]
        buffer[: len(part)] = part
        del self.data[: len(part)]
        return len(part)


def test_messages_arrive_whole_and_in_order() -> None:
    stream = Dribbling()
    send(stream, {"a": 1, "text": "Grüße"}, b"0123456789")
    send(stream, {})
    assert receive(stream) == ({"a": 1, "text": "Grüße"}, bytearray(b"0123456789"))
    assert receive(stream) == ({}, bytearray())


def test_the_end_of_the_stream_is_an_error() -> None:
    stream = Dribbling()
    with pytest.raises(EOFError):
        receive(stream)
    send(stream, {"a": 1}, b"0123456789")
    del stream.data[-4:]
    with pytest.raises(EOFError):
        receive(stream)
