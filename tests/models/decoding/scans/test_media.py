"""The scan of AVIF and HEIC: what pictures are put together from, and how large the coded ones are."""

import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image, features

from models.decoding.errors import BrokenPicture
from models.decoding.scans.media import trimmed_avif, trimmed_heif
from models.pictures import decode
from soak.pictures.hostile.segments import box, full_box, saved
from soak.pictures.hostile.trees import FILES
from soak.pictures.media_files import CODED, Item, Picture, grid, media_file, picture_of

TRIMMED = {"AVIF": trimmed_avif, "HEIF": trimmed_heif}
FORMATS = ["AVIF", "HEIF"]


def photo(width: int, height: int) -> Image.Image:
    if width > 1_000:
        return Image.new("RGB", (width, height), "grey")  # which is encoded fast
    noise = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def written(format: str, width: int = 128, height: int = 128) -> bytes:
    """Return a file as a library writes it; skips the test if the library is not installed."""
    if format == "AVIF":
        if not features.check("avif"):
            pytest.skip("this Pillow writes no AVIF")
        return saved(photo(width, height), "AVIF", quality=60)
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(photo(width, height)).save(buffer, quality=60)
    return buffer.getvalue()


def coded(format: str, width: int = 128, height: int = 128) -> Picture:
    return picture_of(written(format, width, height), format)


def item(format: str, picture: Picture, size: tuple[int, int] = (128, 128)) -> Item:
    return Item(CODED[format], picture.coded, size, picture.settings)


@pytest.mark.parametrize("format", FORMATS)
def test_an_ordinary_file_stays_as_it_is(format: str) -> None:
    data = written(format)
    assert TRIMMED[format](data) is data


@pytest.mark.parametrize("format", FORMATS)
def test_a_grid_of_tiles_is_read(format: str) -> None:
    """Phones store a photo as tiles, here 3 x 2 of 128 x 128 pixels, of which the last are cut."""
    tile = coded(format)
    tiles = {name: item(format, tile) for name in range(1, 7)}
    whole = Item(b"grid", grid(2, 3, 380, 250), (380, 250), made_of=list(tiles))
    data = media_file(format, {**tiles, 7: whole}, primary=7)
    assert TRIMMED[format](data) is data
    if format == "HEIF":
        pixels = decode(data)
        assert pixels.shape == (3, 250, 380)
        assert torch.equal(pixels[:, :120, :120], pixels[:, 128:248, 128:248])


@pytest.mark.parametrize("format", FORMATS)
def test_the_coded_picture_must_not_be_much_larger_than_it_is_said_to_be(format: str) -> None:
    """2,100 x 2,100 coded pixels, which the file states as 64 x 64, and the same for an alpha channel."""
    large, small = coded(format, 2_100, 2_100), coded(format, 64, 64)
    with pytest.raises(BrokenPicture, match=r"of 4,096 pixels for which 4,\d\d\d,\d\d\d are decoded"):
        TRIMMED[format](media_file(format, {1: item(format, large, (64, 64))}, primary=1))
    items = {1: item(format, small, (64, 64)), 2: item(format, large, (2_100, 2_100))}
    with pytest.raises(BrokenPicture, match=r"of 4,096 pixels for which 4,\d\d\d,\d\d\d are decoded"):
        TRIMMED[format](media_file(format, items, primary=1, auxiliary={2: 1}))
    data = media_file(format, items, primary=1)  # another picture, which is not read
    assert TRIMMED[format](data) is data


@pytest.mark.parametrize("format", FORMATS)
def test_a_grid_of_the_same_tile_is_refused(format: str) -> None:
    """4,096 times the tile of 16,384 pixels are 67 million, for a picture of 128 x 128."""
    whole = Item(b"grid", grid(64, 64, 128, 128), (128, 128), made_of=[1] * 4_096)
    with pytest.raises(BrokenPicture, match="of 16,384 pixels for which 67,"):
        TRIMMED[format](media_file(format, {1: item(format, coded(format)), 2: whole}, primary=2))


@pytest.mark.parametrize("format", FORMATS)
def test_pictures_inside_one_another_are_counted(format: str) -> None:
    """Each of 16,384 pixels is put together from the one before eight times: 1 + 8 + 64 + 512 times these pixels."""
    items = {1: item(format, coded(format))}
    items |= {name: Item(b"iovl", bytes(20), (128, 128), made_of=[name - 1] * 8) for name in range(2, 5)}
    with pytest.raises(BrokenPicture, match="of 16,384 pixels for which 9,584,640 are decoded"):
        TRIMMED[format](media_file(format, items, primary=4))
    deep = {name: Item(b"iden", b"x", (128, 128), made_of=[name + 1]) for name in range(1, 30)}
    with pytest.raises(BrokenPicture, match="5 pictures inside one another; 4 is the most"):
        TRIMMED[format](media_file(format, {**deep, 30: items[1]}, primary=1))


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_that_contains_itself_is_refused(format: str) -> None:
    itself = Item(b"iden", b"x", (128, 128), made_of=[1])
    with pytest.raises(BrokenPicture, match="inside one another"):
        TRIMMED[format](media_file(format, {1: itself}, primary=1))


@pytest.mark.parametrize("format", FORMATS)
def test_other_codings_are_refused_by_name(format: str) -> None:
    with pytest.raises(BrokenPicture, match="a picture of the type 'avc1', which is not read here"):
        TRIMMED[format](media_file(format, {1: Item(b"avc1", b"x", (64, 64))}, primary=1))


@pytest.mark.parametrize("format", FORMATS)
def test_items_that_share_the_file_are_refused(format: str) -> None:
    """Each of 30 items has the whole file as its bytes."""
    picture = coded(format)
    data = media_file(format, {name: item(format, picture) for name in range(1, 31)}, primary=1)
    place = data.index(b"iloc") + 16
    whole = b"".join(struct.pack(">HHHII", name, 0, 1, 0, len(data)) for name in range(1, 31))
    with pytest.raises(BrokenPicture, match="bytes in its items"):
        TRIMMED[format](data[: place - 4] + whole + data[place - 4 + len(whole) :])


def test_an_avif_of_many_frames_or_units_is_refused() -> None:
    """Frames that are never shown, and units of padding of two bytes each."""
    picture = coded("AVIF")
    for more, message in ((b"\x1a\x01\x00" * 17, "more frames"), (b"\x7a\x00" * 10_001, "10,001 units in one frame")):
        longer = Picture(picture.coded + more, picture.settings)
        with pytest.raises(BrokenPicture, match=message):
            trimmed_avif(media_file("AVIF", {1: item("AVIF", longer)}, primary=1))


def test_a_heic_of_many_units_is_refused() -> None:
    longer = Picture(coded("HEIF").coded + b"\0\0\0\3\x46\1\x50" * 10_001, coded("HEIF").settings)
    with pytest.raises(BrokenPicture, match="units in one frame"):
        trimmed_heif(media_file("HEIF", {1: item("HEIF", longer)}, primary=1))


def test_an_animation_is_read_to_its_first_frame() -> None:
    frames = [photo(64, 48), photo(64, 48).rotate(180), photo(64, 48).rotate(90)]
    written("AVIF")
    data = saved(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    assert trimmed_avif(data) is data
    others = [Image.new("RGB", (2_100, 2_100))]
    large = saved(photo(2_100, 2_100), "AVIF", save_all=True, append_images=others, speed=10)
    with pytest.raises(BrokenPicture, match="a picture of 1 pixels for which 4,410,000 are decoded"):
        trimmed_avif(with_stated_size(large, 1, 1))
    assert trimmed_avif(large) is large


def with_stated_size(data: bytes, width: int, height: int) -> bytes:
    """Change width and height at the end of the header of a track."""
    start = data.index(b"tkhd") - 4
    end = start + struct.unpack_from(">I", data, start)[0]
    return data[: end - 8] + struct.pack(">HHHH", width, 0, height, 0) + data[end:]


@pytest.mark.parametrize("format", FORMATS)
def test_metadata_are_hidden_from_the_decoder(format: str) -> None:
    """The type of their items is changed, and nothing else: the boxes around the picture state the orientation."""
    written(format)
    if format == "AVIF":
        exif = Image.Exif()
        exif[0x0112] = 6
        data = saved(photo(64, 48), "AVIF", exif=exif, xmp=b'<a tiff:Orientation="6"/>')
    else:
        others = {2: Item(b"Exif", b"MM\0*", (0, 0)), 3: Item(b"mime", b"<a/>", (0, 0))}
        data = media_file(format, {1: item(format, coded(format)), **others}, primary=1)
    assert TRIMMED[format](data) == data.replace(b"Exif\0", b"skip\0", 1).replace(b"mime", b"skip", 1)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_repeated_pieces_are_refused(format: str) -> None:
    """Every file of 19 MB but those that end at the first piece, which is then left to the decoder."""
    written(format)
    for name, data in FILES[format]():
        if name in ("boxes of length 0", "the same item"):
            TRIMMED[format](data)
            continue
        with pytest.raises(BrokenPicture, match=r"more pieces than any program writes|is the most that is read"):
            TRIMMED[format](data)


def test_boxes_of_eight_bytes_of_length_are_read() -> None:
    """A length of 1 means that the length follows as a longer number."""
    data = written("AVIF")
    place = data.index(b"mdat") - 4
    longer = box(b"free", bytes(8))
    assert trimmed_avif(data[:place] + data[place:] + struct.pack(">I4sQ", 1, b"free", 24) + bytes(8) + longer)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", [b"meta", b"iloc", b"iinf", b"pitm", b"iprp"])
def test_a_box_that_stands_twice_is_refused(format: str, kind: bytes) -> None:
    """A decoder may believe the other one."""
    data = media_file(format, {1: item(format, coded(format))}, primary=1)
    place = data.index(kind) - 4
    again = data[place : place + struct.unpack_from(">I", data, place)[0]]
    start = data.index(b"meta") - 4
    length = struct.unpack_from(">I", data, start)[0]
    if kind == b"meta":
        changed = data + again
    else:
        meta = struct.pack(">I", length + len(again)) + data[start + 4 : start + length] + again
        changed = data[:start] + meta + data[start + length :]
    with pytest.raises(BrokenPicture, match=f"2 boxes '{kind.decode()}'"):
        TRIMMED[format](changed)


@pytest.mark.parametrize("format", FORMATS)
def test_items_of_a_track_are_no_items_of_the_file(format: str) -> None:
    """They have numbers of their own; EXIF among them is hidden from the decoder as well."""
    entry = full_box(b"infe", struct.pack(">HH", 1, 0) + b"Exif\0", version=2)
    track = box(b"trak", full_box(b"meta", full_box(b"iinf", struct.pack(">H", 1), entry)))
    large = media_file(format, {1: item(format, coded(format, 2_100, 2_100), (64, 64))}, primary=1)
    with pytest.raises(BrokenPicture, match="of 4,096 pixels for which 4,"):
        TRIMMED[format](large + box(b"moov", track))
    small = media_file(format, {1: item(format, coded(format))}, primary=1)
    assert TRIMMED[format](small + box(b"moov", track)) == small + box(b"moov", track).replace(b"Exif", b"skip")


def test_properties_that_many_pictures_share_are_small() -> None:
    """Each of 50 pictures uses the colour profile of the second, of 1 MB, which a reader would copy for each."""
    profile = box(b"colr", b"prof" + bytes(1_000_000))
    items = {1: item("HEIF", coded("HEIF")), 2: Item(b"hvc1", b"x", (128, 128), profile)}
    items |= {name: Item(b"hvc1", b"x", (128, 128)) for name in range(3, 51)}
    data = media_file("HEIF", items, primary=1)
    assert trimmed_heif(data) is data
    shared = bytearray(data)
    uses = data.index(b"ipma") + 12
    for place in range(uses, uses + 5 * 50, 5):  # number, two properties, and their numbers
        shared[place + 4] = 4
    with pytest.raises(BrokenPicture, match=r"50,000,\d\d\d bytes of properties"):
        trimmed_heif(bytes(shared))
