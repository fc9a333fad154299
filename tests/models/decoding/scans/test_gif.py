"""The scan of a GIF: extensions before the first picture are left out, and what is behind it is not read."""

import pytest
import torch
from PIL import Image

from models.decoding.errors import BrokenPicture
from models.decoding.scans.gif import trimmed
from models.pictures import decode
from soak.pictures.hostile.segments import saved

PALETTE = Image.linear_gradient("L").resize((16, 16)).quantize(8)
PLAIN = saved(PALETTE, "GIF", transparency=3)
START = 13 + (3 << (PLAIN[10] & 7) + 1)


def test_a_picture_with_its_transparent_colour_alone_is_not_copied() -> None:
    assert PLAIN[START : START + 3] == b"!\xf9\x04"
    assert trimmed(PLAIN) is PLAIN


@pytest.mark.parametrize(
    "extension",
    [
        b"!\xfe" + b"\1a" * 3000 + b"\0",
        b"!\xfe\0" * 1000,
        b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0",
        b"!\xff\x0bXMP DataXMP" + b"<x:xmpmeta>" * 50 + b"\1" + bytes(range(255, -1, -1)) + b"\0",
        b"\0" * 100,
    ],
    ids=["comment", "empty comments", "loop", "XMP", "bytes between blocks"],
)
def test_extensions_are_left_out(extension: bytes) -> None:
    """XMP is written between the blocks of a GIF, whose lengths are then the letters."""
    assert trimmed(PLAIN[:START] + extension + PLAIN[START:]) == PLAIN


def test_a_long_animation_is_read_to_its_first_frame() -> None:
    frame = PLAIN[START:-1]
    data = PLAIN[:-1] + 20_000 * frame + b";"
    assert trimmed(data) is data
    assert torch.equal(decode(data), decode(PLAIN))


@pytest.mark.parametrize("extension", [b"!\xfe\0", b"!\xfe" + b"\1a" * 300_000 + b"\0", b"!\xf9\4\0\0\0\0\0"])
def test_too_many_blocks_are_refused(extension: bytes) -> None:
    data = PLAIN[:START] + extension * (300_000 if len(extension) < 10 else 1) + PLAIN[START:]
    with pytest.raises(BrokenPicture, match=r"200,00\d blocks or more before its first picture"):
        trimmed(data)


@pytest.mark.parametrize("data", [PLAIN[:START] + b";", PLAIN[:START], b"GIF89a", PLAIN[:START] + b"!\xfe\xffa"])
def test_a_file_without_a_picture_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenPicture, match="ends before its first picture"):
        trimmed(data)
