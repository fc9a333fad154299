"""The scan of a JPEG 2000: its header agrees with its codestream, and the parts are not too small."""

import struct

import pytest
from PIL import features

from models.decoding.errors import BrokenPicture
from models.decoding.scans.jpeg2000 import trimmed
from models.pictures import decode
from soak.pictures.hostile.segments import COLOUR, GREY, SIZE, saved
from soak.pictures.hostile.trees import jpeg2000s

pytestmark = pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow reads no JPEG 2000")
READ = ("a tile of 2^31", "one huge tile", "1,000 layers", "tiles", "segments of length 0")


@pytest.mark.parametrize("no_jp2", [False, True])
@pytest.mark.parametrize("options", [{}, {"tile_size": (16, 16)}, {"quality_layers": [9, 1], "progression": "RPCL"}])
def test_ordinary_pictures_stay_as_they_are(no_jp2: bool, options: dict[str, object]) -> None:
    for image in (COLOUR, GREY):
        data = saved(image, "JPEG2000", no_jp2=no_jp2, **options)
        assert trimmed(data) is data


def test_the_size_in_the_header_is_that_of_the_codestream() -> None:
    data = saved(COLOUR, "JPEG2000", no_jp2=False)
    place = data.index(b"ihdr") + 4
    with pytest.raises(BrokenPicture, match="is 65 x 64 by its header and 64 x 64 inside"):
        trimmed(data[:place] + struct.pack(">II", 64, 65) + data[place + 8 :])


def test_a_file_without_a_header_is_broken() -> None:
    data = saved(COLOUR, "JPEG2000", no_jp2=False)
    with pytest.raises(BrokenPicture, match="has no header"):
        trimmed(data.replace(b"jp2h", b"free"))
    with pytest.raises(BrokenPicture, match="holds no picture"):
        trimmed(data.replace(b"jp2c", b"free"))


def test_layers_times_precincts_are_limited() -> None:
    """1,000 layers of the smallest precincts would be 100 million packets to remember."""
    data = bytearray(saved(COLOUR, "JPEG2000", no_jp2=True, precinct_size=(2, 2), codeblock_size=(4, 4)))
    with pytest.raises(BrokenPicture, match="smaller blocks than any program writes"):
        trimmed(bytes(data))
    data = bytearray(saved(COLOUR, "JPEG2000", no_jp2=True, precinct_size=(32, 32), codeblock_size=(16, 16)))
    assert decode(bytes(data)).shape == (3, 64, 64)
    place = data.index(b"\xff\x52") + 6
    data[place : place + 2] = struct.pack(">H", 1_000)
    assert trimmed(bytes(data)) == data
    data[place : place + 2] = struct.pack(">H", 1_001)
    with pytest.raises(BrokenPicture, match="1,001 quality layers; 1,000 is the most"):
        trimmed(bytes(data))


def test_small_tiles_are_refused_where_they_are_many() -> None:
    """64 tiles of 8 x 8 pixels are few; 1,024 of 2 x 2 are not."""
    assert decode(saved(COLOUR, "JPEG2000", tile_size=(8, 8), num_resolutions=1)).shape == (3, 64, 64)
    with pytest.raises(BrokenPicture, match="1,024 tiles; 116 is the most"):
        trimmed(saved(COLOUR, "JPEG2000", tile_size=(2, 2), num_resolutions=1))


def test_hostile_files_are_refused() -> None:
    for name, data in jpeg2000s():
        assert len(data) <= 2 * SIZE
        if name in READ:
            assert trimmed(data) is data
            continue
        with pytest.raises(BrokenPicture):
            trimmed(data)
