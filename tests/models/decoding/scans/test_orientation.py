"""The orientation in EXIF and XMP."""

import struct

import pytest
from PIL import Image

from models.decoding.scans.orientation import exif_of, in_exif, in_xmp


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_block_with_the_orientation_alone_is_read_by_pillow(orientation: int) -> None:
    exif = Image.Exif()
    exif.load(exif_of(orientation))
    assert dict(exif) == {0x0112: orientation}
    assert in_exif(exif_of(orientation)) == in_exif(b"Exif\0\0" + exif_of(orientation)) == orientation


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "value", "expected"), [(3, 6, 6), (4, 6, 6), (3, 0, None), (3, 9, None), (2, 6, None)]
)
def test_the_tag_is_a_number_of_2_or_4_bytes(order: str, kind: int, value: int, expected: int | None) -> None:
    body = struct.pack(order + "I", value) if kind == 4 else struct.pack(order + "HH", value, 0)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 2)
    first = struct.pack(order + "HHII", 0x010F, 2, 4, 0)
    assert in_exif(head + first + struct.pack(order + "HHI", 0x0112, kind, 1) + body) == expected


@pytest.mark.parametrize(
    "block",
    [b"", b"Exif\0\0", b"II*\0", b"nonsense", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", b"MM\0*\0\0\0\x08"],
)
def test_a_damaged_block_has_no_orientation(block: bytes) -> None:
    assert in_exif(block) is None


def test_only_the_first_1000_tags_are_searched() -> None:
    head = b"II*\0" + struct.pack("<IH", 8, 65_535)
    tag = struct.pack("<HHII", 0x0112, 3, 1, 6)
    assert in_exif(head + bytes(12 * 999) + tag) == 6
    assert in_exif(head + bytes(12 * 1000) + tag) is None


def test_the_orientation_in_xmp_is_an_attribute_or_an_element() -> None:
    assert in_xmp(b'<rdf:Description tiff:Orientation="6"/>') == 6
    assert in_xmp(b"<tiff:Orientation>8</tiff:Orientation>") == 8
    assert in_xmp(b'<rdf:Description tiff:Orientation="9"/>') is None
    assert in_xmp(b"") is None
