"""Tests that damaged, hostile, too large and other files raise one of three errors, and nothing else."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from models.pictures import BrokenPicture, NotAPicture, PictureTooLarge, decode, encode
from soak.pictures.files import chunk, png
from tests.conftest import Draw
from tests.models.picture_files import FORMATS, ORIENTATION, corners, file_of, image_of, png_of_size


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("fraction", [0.5, 0.9])
def test_a_truncated_file_is_a_broken_picture(format: str, fraction: float, draw: Draw) -> None:
    """It is never decoded to half a picture. A TIFF's directory is cut off, so it may also be no picture at all."""
    data = file_of(image_of(draw(64, 64)), format)
    with pytest.raises(BrokenPicture if format != "TIFF" else (BrokenPicture, NotAPicture)):
        decode(data[: int(len(data) * fraction)])


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"no picture", b"\xff\xd8\xff", b"%PDF-1.7\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_other_bytes_are_not_a_picture(data: bytes) -> None:
    with pytest.raises((NotAPicture, BrokenPicture) if data.startswith(b"\xff\xd8") else NotAPicture, match="send"):
        decode(data)


@pytest.mark.parametrize("format", ["ICO", "TGA", "PCX", "PDF", "EPS", "SGI", "DDS", "ICNS", "MSP"])
def test_rare_formats_of_pillow_are_refused(format: str) -> None:
    """Every decoder can have security bugs, so about thirty decoders of Pillow are never used."""
    with pytest.raises(NotAPicture):
        decode(file_of(Image.new("1" if format == "MSP" else "RGB", (32, 32), 1), format))


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (10_000, 10_000), (7_072, 7_072), (2**31 - 1, 1)])
def test_a_header_with_too_many_pixels_is_refused_before_decoding(width: int, height: int) -> None:
    """Refusing a file of 1 kB that claims 400 million pixels (1.2 GB) takes less than 2 MB of memory."""
    data = png_of_size(width, height)
    assert len(data) < 1100
    tracemalloc.start()
    with pytest.raises(PictureTooLarge, match="send a smaller one"):
        decode(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_picture_exactly_at_the_limit_is_allowed() -> None:
    """A picture of 6 pixels passes a limit of 6 but not a limit of 5."""
    assert decode(encode(corners()), max_pixels=6).shape == (3, 2, 3)
    with pytest.raises(PictureTooLarge, match="3 x 2 pixels; the limit is 5"):
        decode(encode(corners()), max_pixels=5)


@pytest.mark.parametrize(("width", "height"), [(1, 5000), (5000, 1), (1, 33)])
def test_a_very_narrow_picture_is_refused(width: int, height: int) -> None:
    """Resized to 256 pixels across, 1 x 5000 would be 256 x 1,280,000: 3.9 GB of floats."""
    with pytest.raises(BrokenPicture, match="too narrow"):
        decode(file_of(Image.new("RGB", (width, height)), "PNG"))


def test_an_aspect_ratio_of_32_is_allowed() -> None:
    assert decode(file_of(Image.new("RGB", (1, 32)), "PNG")).shape == (3, 32, 1)


@given(st.binary(max_size=200))
@example(b"\x89PNG\r\n\x1a\n")
@example(b"GIF89a")
@example(b"BM")
@example(b"II*\x00\x08\x00\x00\x00")
@example(b"RIFF\x00\x00\x00\x00WEBPVP8 ")
@settings(max_examples=300)
def test_random_bytes_raise_one_of_three_errors(data: bytes) -> None:
    with pytest.raises((NotAPicture, BrokenPicture, PictureTooLarge)):
        decode(data)


def seed_files() -> dict[str, bytes]:
    random = np.random.Generator(np.random.PCG64(0))
    image = Image.fromarray(random.integers(0, 256, (12, 10, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    files = {format: file_of(image, format) for format in FORMATS}
    files["JPEG with EXIF"] = file_of(image, "JPEG", exif=exif)
    files["palette"] = file_of(image.quantize(8), "PNG", transparency=3)
    files["16 bit"] = file_of(Image.fromarray(random.integers(0, 65536, (9, 9), dtype=np.uint16)), "TIFF")
    files["16 bit colours"] = png(random.integers(0, 65536, (9, 9, 3)), bits=16, before=chunk(b"sBIT", b"\x10\x10\x10"))
    files["texts"] = png(random.integers(0, 256, (9, 9, 3)), bits=8, before=chunk(b"tEXt", b"Comment\0hello"))
    files["plain text"] = b"P3 3 2 255 " + b" ".join(b"%d" % number for number in random.integers(0, 256, 18))
    files["any map"] = b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 4\nMAXVAL 255\nENDHDR\n" + random.bytes(16)
    files |= {new: file_of(image, new) for new in ("PPM", "AVIF", "JPEG2000") if new in Image.SAVE}
    files["animation"] = file_of(image, "GIF", save_all=True, append_images=[image.rotate(90), image])
    return files


SEEDS = seed_files()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns about damage before it reads or refuses the file
@pytest.mark.parametrize("kind", SEEDS)
@given(data=st.data())
@settings(max_examples=75)
def test_damaged_files_give_a_picture_or_one_of_three_errors(kind: str, data: st.DataObject) -> None:
    """After bytes are changed, deleted, inserted or cut off, decoding gives a valid tensor or a documented error."""
    file = bytearray(SEEDS[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, max(len(file) - 1, 0)))
        match data.draw(st.sampled_from(["set", "set", "set", "delete", "insert", "cut"])):
            case "set" if file:
                file[place] = data.draw(st.integers(0, 255))
            case "delete":
                del file[place : place + data.draw(st.integers(1, 16))]
            case "insert":
                file[place:place] = data.draw(st.binary(max_size=16))
            case "cut":
                del file[place:]
    try:
        pixels = decode(bytes(file), max_pixels=1_000_000)
    except (NotAPicture, BrokenPicture, PictureTooLarge):
        return
    assert pixels.dtype == torch.uint8
    assert pixels.shape[0] == 3
    assert pixels.shape[1] * pixels.shape[2] <= 1_000_000


def test_a_tiff_of_huge_tiles_is_refused() -> None:
    """For 32 x 32 pixels in a tile of 8,000 x 8,000, the decoder would allocate the whole tile."""
    data = zlib.compress(b"")
    tags = {256: 32, 257: 32, 258: 8, 259: 8, 262: 1, 277: 1, 322: 8000, 323: 8000, 324: 8, 325: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    with pytest.raises(PictureTooLarge, match="tiles"):
        decode(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory)


def test_a_tiff_whose_tile_size_is_a_text_is_refused() -> None:
    data = zlib.compress(b"")
    tags = {256: 32, 257: 32, 258: 8, 259: 8, 262: 1, 277: 1, 322: 0, 323: 8, 324: 8, 325: len(data)}
    entries = b"".join(
        struct.pack("<HHI4s", tag, 2, 4, b"wide") if tag == 322 else struct.pack("<HHII", tag, 4, 1, value)
        for tag, value in tags.items()
    )
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    with pytest.raises(BrokenPicture, match="tiles"):
        decode(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory)


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    """Every scan takes only a few bytes but makes the decoder pass over all pixels again."""
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 90).save(buffer, "JPEG", progressive=True)
    whole = buffer.getvalue()
    assert decode(whole).shape == (3, 64, 64)
    last = whole.rindex(b"\xff\xda")
    with pytest.raises(BrokenPicture, match="scans"):
        decode(whole[:last] + whole[last:-2] * 200 + whole[-2:])
