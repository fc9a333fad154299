"""Tests the bounds of compressed bodies; tests/app/web/uploads/test_uploads.py sends some over HTTP."""

import gzip
import zlib

import pytest

from app.web.middleware.body_limit import BodyTooLarge
from app.web.middleware.encodings import MAX_MEMBERS, Inflater
from app.web.uploads.multipart import BadBody


def unpacked(encoding: str, data: bytes, max_bytes: int = 10**6) -> bytes:
    inflater = Inflater(encoding, max_bytes)
    result = b"".join(inflater.unpack(data))
    inflater.finish()
    return result


def test_a_body_may_have_many_parts_but_not_any_number() -> None:
    """Also an empty one takes microseconds, and a kilobyte that was compressed twice has 50,000 of them."""
    assert unpacked("gzip", gzip.compress(b"a") * MAX_MEMBERS) == b"a" * MAX_MEMBERS
    with pytest.raises(BadBody, match="more than 1000 parts"):
        unpacked("gzip", gzip.compress(b"") * (MAX_MEMBERS + 1))


@pytest.mark.parametrize("one", [zlib.compress(b""), zlib.compress(b"", wbits=-15)], ids=["zlib", "raw"])
def test_deflate_has_one_part(one: bytes) -> None:
    assert unpacked("deflate", one) == b""
    with pytest.raises(BadBody, match="goes on after the end of its deflate data"):
        unpacked("deflate", one + one)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_each_encoding_is_bounded(encoding: str) -> None:
    """Also one whose data another one unpacks to nothing, such as the zeros that may follow gzip data."""
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    assert unpacked(encoding, pack(bytes(5000)), 5000) == bytes(5000)
    with pytest.raises(BodyTooLarge):
        unpacked(encoding, pack(bytes(5001)), 5000)


def test_data_that_say_nothing_come_in_pieces() -> None:
    """A megabyte of empty blocks, which the caller need not unpack in one go: it gets empty pieces in between."""
    header, stored_block_of_nothing = zlib.compress(b"")[:2], b"\x00\x00\x00\xff\xff"
    empty = header + stored_block_of_nothing * 200_000
    inflater = Inflater("deflate", 10**6)
    pieces = [piece for number in range(0, len(empty), 2**16) for piece in inflater.unpack(empty[number:][: 2**16])]
    assert len(pieces) > 10 and not any(pieces)
