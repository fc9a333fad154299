"""The scan of a TIFF: one directory of the tags that the pixels need."""

import struct

import numpy as np
import pytest
import torch

from models.decoding.errors import BrokenPicture
from models.decoding.scans.tiff import trimmed
from models.pictures import PictureTooLarge, decode
from soak.pictures.files import grey_tiff, tiff
from soak.pictures.hostile.segments import COLOUR, GREY, saved
from soak.pictures.hostile.trees import directory, grey_tags
from soak.pictures.hostile.trees import tiff as tiff_of_tags

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 16), dtype=np.uint8)
PLAIN = grey_tiff(PIXELS)


def tags_of(data: bytes) -> dict[int, tuple[int, int]]:
    """Type and count of each tag in the first directory of a TIFF with bytes in Intel's order."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    entries = [struct.unpack_from("<HHI", data, place) for place in range(start + 2, start + 2 + 12 * count, 12)]
    assert data[start + 2 + 12 * count :] == bytes(4), "no directory follows"
    return {number: (kind, values) for number, kind, values in entries}


def test_a_picture_with_the_usual_tags_alone_is_not_copied() -> None:
    assert trimmed(PLAIN) is PLAIN


def test_other_tags_are_left_out() -> None:
    """What programs store there may be large, or point behind the end of the file; the values stay where they are."""
    others = {270: ("u4", 1), 34675: ("u4", 4_000_000_000), 34665: ("u4", 8), 65_000: ("f8", 0.5)}
    data = tiff(PIXELS.tobytes(), 16, 8, bits=8, extra_tags={**others, 274: ("u2", 3)})
    short = trimmed(data)
    assert set(tags_of(short)) == {*tags_of(PLAIN), 274}
    assert short[8 : len(data)] == data[8:]
    assert torch.equal(decode(data), decode(PLAIN).flip(1, 2))


@pytest.mark.parametrize("big", [False, True])
def test_several_pages_are_read_to_the_first(big: bool) -> None:
    """Documents have hundreds of pages, each with a directory that names the next."""
    pages = saved(COLOUR, "TIFF", save_all=True, append_images=[GREY] * 300, big_tiff=big)
    assert torch.equal(decode(pages), decode(saved(COLOUR, "TIFF")))


def test_a_directory_that_follows_itself_is_read_once() -> None:
    data = tiff_of_tags(grey_tags(), bytes(4096), following=16 + 4096)
    assert torch.equal(decode(data), torch.zeros(3, 64, 64, dtype=torch.uint8))


def test_of_tags_with_the_same_number_the_first_counts() -> None:
    data = tiff_of_tags([*grey_tags(), (256, 4, 1, 5_000), (257, 4, 1, 5_000)], bytes(4096))
    assert decode(data).shape == (3, 64, 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"t258": (3, 5_000, 16)}, "5,000 values of the tag 258; 4,096 is the most"),
        ({"t273": (4, 200_000, 16)}, "200,000 values of the tag 273; 100,000 is the most"),
        ({"t277": (3, 9, 16)}, "9 values of the tag 277; 8 is the most"),
        ({"t273": (4, 19, 16), "t278": (4, 1, 64)}, "19 strips or tiles; 1 is the most"),
        ({"t273": (4, 147, 16), "t278": (4, 1, 1)}, "147 strips or tiles; 64 is the most"),
        ({"t279": (4, 20, 16)}, r"hold [\d,]+ bytes, and the file has"),
    ],
)
def test_values_that_no_program_writes_are_refused(changes: dict[str, tuple[int, int, int]], message: str) -> None:
    """A picture of 64 rows has 64 strips of one row, or one of all rows. The strips are each as large as the file."""
    data = tiff_of_tags(grey_tags(**changes), struct.pack("<I", 10**9) * 250_000)
    with pytest.raises(BrokenPicture, match=message):
        trimmed(data)


def test_as_many_strips_as_rows_are_read() -> None:
    """Some programs list a few more."""
    strips = {"t273": (4, 70, 16), "t279": (4, 70, 16 + 4 * 70), "t278": (4, 1, 1)}
    start = 16 + 8 * 70
    values = struct.pack("<70I", *(start + 64 * min(row, 63) for row in range(70))) + struct.pack("<I", 64) * 70
    rows = np.repeat(np.arange(64, dtype=np.uint8), 64).tobytes()
    pixels = decode(tiff_of_tags(grey_tags(**strips), values + rows))
    assert torch.equal(pixels[0, 7], torch.full((64,), 7, dtype=torch.uint8))


def test_more_tags_than_any_program_writes_are_refused() -> None:
    tags = [*grey_tags(), *((40_000 + tag, 3, 1, 0) for tag in range(4_096))]
    with pytest.raises(BrokenPicture, match="4,105 tags; 4,096 is the most"):
        trimmed(tiff_of_tags(tags, bytes(4096)))
    big = b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<Q", 2**63)
    with pytest.raises(BrokenPicture, match="9,223,372,036,854,775,808 tags"):
        trimmed(big)


def test_a_tile_is_not_much_larger_than_the_picture() -> None:
    """The decoder takes memory for a whole tile: 2,048 x 2,048 pixels, or four times the picture."""
    for side, width in ((2_048, 64), (4_096, 2_048)):
        tags = {"t273": (4, 0, 0), "t279": (4, 0, 0), "t322": (4, 1, side), "t323": (4, 1, side)}
        tags |= {"t324": (4, 1, 16), "t325": (4, 1, side * side)}
        data = tiff_of_tags(grey_tags(width, width, **tags), bytes(side * side))
        assert decode(data).shape == (3, width, width)
    data = tiff_of_tags(grey_tags(64, 64, **(tags | {"t322": (4, 1, 4_096)})), bytes(4096 * 4096))
    with pytest.raises(PictureTooLarge, match="tiles have 16,777,216 pixels; the limit is 4,194,304"):
        decode(data)


@pytest.mark.parametrize("data", [b"II*\0", b"II*\0\xff\xff\xff\xff", b"II+\0\x08\0\0\0", b"MM\0*\0\0\0\x08"])
def test_a_file_that_ends_before_its_directory_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenPicture, match="ends before its directory"):
        trimmed(data)


def test_a_directory_that_is_cut_off_is_read_as_far_as_it_goes() -> None:
    """Without its last tags and the position of the next directory, which the picture does not need."""
    tags = [*grey_tags(), (40_000, 3, 1, 0), (40_001, 3, 1, 0)]
    whole = tiff_of_tags(tags, bytes(4096))
    short = trimmed(whole[:-20])
    assert len(tags_of(short)) == len(grey_tags())
    assert decode(whole[:-20]).shape == (3, 64, 64)


def test_xmp_is_kept_unless_it_is_large() -> None:
    """It may state the orientation."""
    xmp = b'<a tiff:Orientation="3"/>'.ljust(1_000_001)
    for size, expected in ((30, True), (1_000_001, False)):
        data = tiff_of_tags([*grey_tags(), (700, 1, size, 16 + 4096)], bytes(4096) + xmp)
        assert (700 in tags_of(trimmed(data))) == expected


def test_a_big_tiff_is_trimmed_in_place() -> None:
    """Its directory has numbers of eight bytes; an unknown tag is left out."""
    head = b"II+\0" + struct.pack("<HHQ", 8, 0, 16 + 4096)
    tags = [*grey_tags(t273=(4, 1, 16)), (40_000, 3, 1, 0)]
    data = head + bytes(4096) + directory(tags, big=True)
    short = trimmed(data)
    assert short[: 16 + 4096][16:] == bytes(4096)
    assert short.endswith(directory(grey_tags(), big=True))
    assert decode(data).shape == (3, 64, 64)


def test_a_progressive_jpeg_in_a_tiff_is_refused() -> None:
    """Libtiff decodes a hundred scans of it, each a pass over all pixels; programs write sequential ones."""
    assert decode(saved(COLOUR, "TIFF", compression="jpeg")).shape == (3, 64, 64)
    for options, expected in (({}, True), ({"progressive": True}, False)):
        strip = saved(GREY, "JPEG", **options)
        tags = grey_tags(t259=(3, 1, 7), t279=(4, 1, len(strip)))
        data = tiff_of_tags(tags, strip)
        if expected:
            assert trimmed(data) is data
            assert decode(data).shape == (3, 64, 64)
        else:
            with pytest.raises(BrokenPicture, match="a JPEG that is progressive, or damaged"):
                trimmed(data)
