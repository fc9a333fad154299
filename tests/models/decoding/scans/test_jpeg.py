"""The scan of a JPEG: what is cut off and left out, and what is refused."""

import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from models.decoding.errors import BrokenPicture
from models.decoding.scans.jpeg import trimmed
from models.pictures import decode
from soak.pictures.hostile.segments import COLOUR, jpegs, saved, segment

PLAIN = saved(COLOUR, "JPEG")
PROGRESSIVE = saved(COLOUR, "JPEG", progressive=True)
REFUSED = {
    "comments": "more pieces",
    "escaped bytes": "more pieces",
    "restarts before the pixels": "more pieces",
    "starts": "damaged or cut off before its pixels",
    "segments of length 0": "damaged or cut off before its pixels",
    "quantization tables": "130,004 bytes of tables; 65,536 is the most",
    "Huffman tables": "bytes of tables; 65,536 is the most",
    "restart intervals": "more pieces",
    "frames": "two headers",
    "comments among the pixels": "more pieces",
    "tables among the pixels": "more pieces",
    "fill bytes among the pixels": "4,096 fill bytes",
    "scans": "101 scans or more",
    "empty scans": "41 scans or more, too many for 24,995,000 pixels",
    "arithmetic scans": "2 scans or more, too many for 24,995,000 pixels",
}


def test_a_picture_without_metadata_is_not_copied() -> None:
    assert trimmed(PLAIN) is PLAIN
    assert trimmed(PROGRESSIVE) is PROGRESSIVE


def test_metadata_is_left_out() -> None:
    """Three hundred segments, a colour profile in 200 parts, and a thumbnail, as programs for photos write them."""
    profile = b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes([part + 1, 200]) + bytes(65_000)) for part in range(200))
    metadata = segment(0xED, b"Photoshop 3.0\0" + PLAIN) * 300 + profile + segment(0xFE, b"a comment")
    assert trimmed(PLAIN[:2] + metadata + PLAIN[2:]) == PLAIN


def test_fill_bytes_before_a_marker_are_left_out() -> None:
    assert trimmed(PLAIN[:2] + b"\xff" * 1_000_000 + PLAIN[2:]) == PLAIN


@pytest.mark.parametrize("photo", [PLAIN, PROGRESSIVE], ids=["baseline", "progressive"])
def test_what_follows_the_picture_is_cut_off(photo: bytes) -> None:
    """Phones append a video to a photo, in which there are any markers, and previews and gain maps."""
    video = np.random.default_rng(0).bytes(1_000_000) + b"\xff\xda" * 1000
    assert trimmed(photo + video) == photo
    assert torch.equal(decode(photo + video), decode(photo))


def test_the_pictures_behind_the_first_are_cut_off() -> None:
    """In an MPO, such as stereo photos and photos with a gain map, the first is the photo."""
    several = saved(COLOUR, "MPO", save_all=True, append_images=[COLOUR.rotate(180)] * 3)
    assert torch.equal(decode(several), decode(PLAIN))


def test_the_orientation_stays() -> None:
    """EXIF is replaced by a block with the orientation alone; XMP counts where EXIF says nothing."""
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "Maker" * 5000})
    xmp = segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0<a tiff:Orientation="3"/>')
    for data, orientation in ((saved(COLOUR, "JPEG", exif=exif), 6), (PLAIN[:2] + xmp + PLAIN[2:], 3)):
        short = trimmed(data)
        assert len(short) == len(PLAIN) + 36
        assert Image.open(io.BytesIO(short)).getexif()[0x0112] == orientation


def test_tables_between_scans_are_skipped_by_their_length() -> None:
    """The bytes of a marker in a table, here those of the end of a picture, are no marker."""
    place = PROGRESSIVE.rindex(b"\xff\xc4")
    table = segment(0xDB, b"\3" + b"\xff\xd9" * 32)
    data = PROGRESSIVE[:place] + table + PROGRESSIVE[place:]
    assert trimmed(data) is data


@pytest.mark.parametrize("scans", [20, 21])
def test_the_number_of_scans_depends_on_the_size(scans: int) -> None:
    """Up to 20 scans are read at any size, here of 50 million pixels, more only of a smaller picture."""
    last, frame = PROGRESSIVE.rindex(b"\xff\xda"), PROGRESSIVE.index(b"\xff\xc2") + 5
    large = PROGRESSIVE[:frame] + struct.pack(">HH", 5_000, 10_000) + PROGRESSIVE[frame + 4 : last]
    more = scans - PROGRESSIVE.count(b"\xff\xda") + 1
    data = large + more * (PROGRESSIVE[last : last + 10] + b"\0\0") + b"\xff\xd9"
    small = PROGRESSIVE[:last] + more * (PROGRESSIVE[last : last + 10] + b"\0\0") + b"\xff\xd9"
    assert trimmed(small) is small
    if scans == 20:
        assert trimmed(data) is data
    else:
        with pytest.raises(BrokenPicture, match="21 scans or more, too many for 50,000,000 pixels"):
            trimmed(data)


def test_hostile_files_are_refused_or_shortened() -> None:
    """What remains of a file of 19 MB has few pieces; every refusal is expected."""
    for name, data in jpegs():
        if name in REFUSED:
            with pytest.raises(BrokenPicture, match=REFUSED[name]):
                trimmed(data)
        elif name in ("junk among the pixels", "restarts among the pixels"):
            assert trimmed(data) is data  # the decoder skips them fast
        elif name in ("metadata", "JFIF", "Adobe", "colour profiles"):
            with pytest.raises(BrokenPicture, match="more pieces"):
                trimmed(data)
        elif name != "junk":  # which is recognised as no JPEG before
            assert len(trimmed(data)) < 2 * len(PROGRESSIVE), name


@pytest.mark.parametrize("data", [b"\xff\xd8\xff", b"\xff\xd8\xff\xe0", PLAIN[:100], b"\xff\xd8" + b"\xff" * 100])
def test_a_file_that_ends_before_its_pixels_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenPicture, match="before its pixels"):
        trimmed(data)


def test_a_scan_without_a_frame_is_refused() -> None:
    with pytest.raises(BrokenPicture, match="no header that states its size"):
        trimmed(b"\xff\xd8" + PLAIN[PLAIN.index(b"\xff\xda") :])
