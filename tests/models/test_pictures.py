"""Files from anywhere become the picture that a person sees in them, or one of three errors."""

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from models.pictures import BrokenPicture, NotAPicture, PictureTooLarge, decode, encode, inspect
from tests.conftest import Draw
from tests.models.decoding.files import chunk, png

ORIENTATION = 0x0112


def file_of(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def image_of(pixels: Tensor) -> Image.Image:
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def corners() -> Tensor:
    """2 x 3 pixels, all different: levels 0, 40, .. 200 in red, with green and blue beside it."""
    red = torch.arange(6, dtype=torch.uint8).reshape(2, 3) * 40
    return torch.stack([red, 255 - red, red // 2])


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that states any size and holds a handful of bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(900))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


# How a stored picture is turned upright, by EXIF's orientation, on [3, h, w].
UPRIGHT: dict[int, Callable[[Tensor], Tensor]] = {
    1: lambda p: p,
    2: lambda p: p.flip(2),
    3: lambda p: p.flip(1, 2),
    4: lambda p: p.flip(1),
    5: lambda p: p.transpose(1, 2),
    6: lambda p: p.transpose(1, 2).flip(2),
    7: lambda p: p.transpose(1, 2).flip(1, 2),
    8: lambda p: p.transpose(1, 2).flip(1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_pictures_stand_upright(format: str, orientation: int) -> None:
    """EXIF's eight orientations are those of its standard: 6, the commonest, is a quarter turn clockwise."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if format == "WEBP" else {}
    data = file_of(image_of(corners()), format, exif=exif, **options)
    assert torch.equal(decode(data), UPRIGHT[orientation](corners()))


def test_a_phones_jpeg_stands_upright(draw: Draw) -> None:
    """The same through JPEG, within its loss."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    pixels = draw(40, 64)
    found = decode(file_of(image_of(pixels), "JPEG", exif=exif, quality=95, subsampling=0))
    assert found.shape == (3, 64, 40)
    assert (found.int() - UPRIGHT[6](pixels).int()).abs().max() <= 12


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert torch.equal(decode(file_of(image_of(corners()), "PNG", exif=exif)), corners())


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow's word on the block
@pytest.mark.parametrize(
    "block",
    [
        b"Exif\x00\x00garbage without any structure",
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff",
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x02\x00\x12\x01\x02\x00\x00\x01\x00\x00\xff\xff\xff\x7f\x0f\x01\x05\x00",
        b"Exif\x00\x00",
    ],
)
def test_a_damaged_exif_block_spoils_no_picture(block: bytes, draw: Draw) -> None:
    """Cameras write odd blocks; the pixels are whole, so the picture is read as it is stored."""
    whole = file_of(image_of(draw(16, 24)), "JPEG")
    marker = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    assert torch.equal(decode(whole[:2] + marker + whole[2:]), decode(whole))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_no_byte_of_an_exif_block_can_spoil_a_picture() -> None:
    """Each byte of a real block set to 0, 1, 2 and 255: the picture stays, as stored or turned."""
    exif = Image.Exif()
    exif.update({ORIENTATION: 6, 0x010F: "Maker", 0x011A: 72.0, 0x0132: "2020:01:01 00:00:00"})
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    data = file_of(Image.new("RGB", (3, 2), "red"), "JPEG", exif=exif)
    start = data.index(b"Exif\x00\x00")
    (length,) = struct.unpack(">H", data[start - 2 : start])
    for place in range(start, start + length - 2):
        for value in (0, 1, 2, 255):
            changed = data[:place] + bytes([value]) + data[place + 1 :]
            assert decode(changed).shape in [(3, 2, 3), (3, 3, 2)]


def test_grey_becomes_three_equal_channels() -> None:
    levels = np.array([[0, 100, 255]], dtype=np.uint8)
    assert decode(file_of(Image.fromarray(levels), "PNG")).tolist() == [levels.tolist()] * 3


def test_black_and_white_bits() -> None:
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).convert("1")
    assert decode(file_of(bits, "PNG"))[0].tolist() == [[0, 255], [255, 0]]


def test_palette() -> None:
    """Entry 0 is red and 1 is a blue: a row of both."""
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), 1)
    assert decode(file_of(image, "PNG"))[:, 0].T.tolist() == [[255, 0, 0], [10, 20, 30]]


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_palette_with_transparency_lies_on_white(format: str) -> None:
    """Entry 1 is transparent, so white; entry 0 stays red."""
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), 1)
    found = decode(file_of(image, format, transparency=1))
    assert found[:, 0].T.tolist() == [[255, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_lies_on_white(format: str) -> None:
    """Opaque stays, transparent is white, and black at 1/5 is 4/5 of white: 204."""
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    options = {"lossless": True} if format == "WEBP" else {}
    found = decode(file_of(Image.fromarray(rgba), format, **options))
    assert found[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255], [204, 204, 204]]


def test_grey_with_alpha_lies_on_white() -> None:
    image = Image.fromarray(np.array([[[0, 255], [0, 0]]], dtype=np.uint8), mode=None)
    assert image.mode == "LA"
    assert decode(file_of(image, "PNG"))[0].tolist() == [[0, 255]]


def test_rgb_with_a_transparent_colour_lies_on_white() -> None:
    """PNG's tRNS chunk names one colour that is not there."""
    found = decode(file_of(image_of(corners()), "PNG", transparency=(0, 255, 0)))
    assert found[:, 0, 0].tolist() == [255, 255, 255]
    assert torch.equal(found[:, 1], corners()[:, 1])


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(format: str) -> None:
    """65535 is white, 257 k is level k for all 256, and what lies between goes to the nearest."""
    exact = 257 * np.arange(256).reshape(16, 16)
    levels = np.concatenate([exact, np.minimum(exact + 120, 65535)]).astype(np.uint16)
    found = decode(file_of(Image.fromarray(levels), format))[0].flatten().tolist()
    assert found == [*range(256), *range(256)]


def test_cmyk_jpeg(draw: Draw) -> None:
    """Converted as Pillow does it, which Adobe's inverted files need too."""
    cmyk = image_of(draw(16, 16)).convert("CMYK")
    data = file_of(cmyk, "JPEG", quality=95)
    found = decode(data)
    assert found.shape == (3, 16, 16)
    wanted = torch.from_numpy(np.array(Image.open(io.BytesIO(data)).convert("RGB"))).permute(2, 0, 1)
    assert torch.equal(found, wanted)
    assert (found.int() - draw(16, 16).int()).abs().float().mean() < 8


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_is_its_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if format == "WEBP" else {}
    found = decode(file_of(frames[0], format, save_all=True, append_images=frames[1:], **options))
    assert found.shape == (3, 3, 4)
    assert found.flatten(1).T.unique(dim=0).tolist() == [[255, 0, 0]]


def test_mpo_is_a_jpeg_with_more_in_it(draw: Draw) -> None:
    """Phones write the main picture first."""
    first, second = image_of(draw(16, 24)), image_of(draw(16, 24, seed=1))
    data = file_of(first, "MPO", save_all=True, append_images=[second])
    assert (decode(data).int() - draw(16, 24).int()).abs().float().mean() < 6


def test_the_format_is_told_by_the_bytes() -> None:
    assert inspect(file_of(image_of(corners()), "BMP")).format == "BMP"
    assert inspect(encode(corners())).format == "PNG"


FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_half_a_file_is_a_broken_picture(format: str, kept: float, draw: Draw) -> None:
    """Not half a picture with grey below it. (A TIFF's directory lies behind the cut: nothing tells its kind.)"""
    data = file_of(image_of(draw(64, 64)), format)
    with pytest.raises(BrokenPicture if format != "TIFF" else (BrokenPicture, NotAPicture)):
        decode(data[: int(len(data) * kept)])


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"no picture", b"\xff\xd8\xff", b"%PDF-1.7\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_other_bytes_are_not_a_picture(data: bytes) -> None:
    with pytest.raises((NotAPicture, BrokenPicture) if data.startswith(b"\xff\xd8") else NotAPicture, match="send"):
        decode(data)


@pytest.mark.parametrize("format", ["ICO", "TGA", "PCX", "PDF", "EPS", "SGI", "DDS", "ICNS", "MSP"])
def test_formats_that_people_do_not_send_are_no_pictures(format: str) -> None:
    """Each decoder is an attack surface, so Pillow's other thirty stay shut."""
    with pytest.raises(NotAPicture):
        decode(file_of(Image.new("1" if format == "MSP" else "RGB", (32, 32), 1), format))


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (10_000, 10_000), (7_072, 7_072), (2**31 - 1, 1)])
def test_too_many_pixels_are_refused_by_the_header(width: int, height: int) -> None:
    """A file of a kilobyte that claims 400 million pixels, 1.2 GB, costs less than 2 MB to refuse."""
    data = png_of_size(width, height)
    assert len(data) < 1100
    tracemalloc.start()
    with pytest.raises(PictureTooLarge, match="send a smaller one"):
        decode(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_the_limit_itself_is_allowed() -> None:
    """6 pixels pass a limit of 6 and not one of 5."""
    assert decode(encode(corners()), max_pixels=6).shape == (3, 2, 3)
    with pytest.raises(PictureTooLarge, match="3 x 2 pixels; the limit is 5"):
        decode(encode(corners()), max_pixels=5)


@pytest.mark.parametrize(("width", "height"), [(1, 5000), (5000, 1), (1, 33)])
def test_a_strip_is_refused(width: int, height: int) -> None:
    """Resized to 256 pixels across, 1 x 5000 would be 256 x 1,280,000: 3.9 GB of floats."""
    with pytest.raises(BrokenPicture, match="too narrow"):
        decode(file_of(Image.new("RGB", (width, height)), "PNG"))


def test_the_narrowest_that_is_allowed() -> None:
    assert decode(file_of(Image.new("RGB", (1, 32)), "PNG")).shape == (3, 32, 1)


@given(st.binary(max_size=200))
@example(b"\x89PNG\r\n\x1a\n")
@example(b"GIF89a")
@example(b"BM")
@example(b"II*\x00\x08\x00\x00\x00")
@example(b"RIFF\x00\x00\x00\x00WEBPVP8 ")
@settings(max_examples=300)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
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


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns of what it then reads or refuses
@pytest.mark.parametrize("kind", SEEDS)
@given(data=st.data())
@settings(max_examples=150)
def test_damaged_files_give_a_picture_or_one_of_three_errors(kind: str, data: st.DataObject) -> None:
    """Bytes changed, cut out, put in and cut off: whatever comes of it is a sound tensor or a stated error."""
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
        found = decode(bytes(file), max_pixels=1_000_000)
    except (NotAPicture, BrokenPicture, PictureTooLarge):
        return
    assert found.dtype == torch.uint8
    assert found.shape[0] == 3
    assert found.shape[1] * found.shape[2] <= 1_000_000


@given(height=st.integers(1, 20), width=st.integers(1, 20), seed=st.integers(0, 99))
@pytest.mark.parametrize("format", ["png", "webp"])
def test_exact_formats_return_every_level(format: str, height: int, width: int, seed: int) -> None:
    """Not one bit is lost: an adversarial picture survives its own file."""
    pixels = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(decode(encode(pixels, format=format)), pixels)


def test_jpeg_is_near(draw: Draw) -> None:
    found = decode(encode(draw(40, 60), format="jpeg"))
    assert (found.int() - draw(40, 60).int()).abs().float().mean() < 3


def test_text_stands_in_the_png() -> None:
    """In any script, beside the unchanged pixels."""
    data = encode(corners(), text={"mirage:label": "Siamese cat", "mirage:words": "狐 фокс"})
    image = Image.open(io.BytesIO(data))
    assert image.text == {"mirage:label": "Siamese cat", "mirage:words": "狐 фокс"}
    assert torch.equal(decode(data), corners())


def test_a_decoded_picture_owns_its_memory() -> None:
    """Writing into it is allowed, and does not touch the file's bytes."""
    data = encode(corners())
    pixels = decode(data)
    pixels.zero_()
    assert pixels.is_contiguous()
    assert torch.equal(decode(data), corners())


def test_a_tiff_of_huge_tiles_is_refused() -> None:
    """32 x 32 pixels in a tile of 8,000 x 8,000: the decoder would make room for the whole tile."""
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
    """Each scan is another pass over all pixels, for a few bytes."""
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 90).save(buffer, "JPEG", progressive=True)
    whole = buffer.getvalue()
    assert decode(whole).shape == (3, 64, 64)
    last = whole.rindex(b"\xff\xda")
    with pytest.raises(BrokenPicture, match="scans"):
        decode(whole[:last] + whole[last:-2] * 200 + whole[-2:])


def bmp_with_alpha(alpha: np.ndarray) -> bytes:
    """2 x 3 pixels of (30, 20, 10), each with an alpha of its own (BITMAPV5HEADER)."""
    rows = np.concatenate([np.full((2, 3, 3), [10, 20, 30]), alpha[::-1, :, None]], axis=2).astype("u1").tobytes()
    header = struct.pack("<IiiHHIIiiII", 124, 3, 2, 1, 32, 3, len(rows), 0, 0, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(64)
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(rows), 0, 0, 14 + len(header)) + header + rows


def test_a_bmp_whose_alpha_was_left_unused_is_opaque() -> None:
    """It would be a white picture otherwise; an alpha that is used is laid on white."""
    assert decode(bmp_with_alpha(np.zeros((2, 3)))).permute(1, 2, 0).tolist() == [[[30, 20, 10]] * 3] * 2
    used = decode(bmp_with_alpha(np.array([[255, 0, 0], [0, 0, 0]])))
    assert used.permute(1, 2, 0).tolist() == [[[30, 20, 10], [255] * 3, [255] * 3], [[255] * 3] * 3]
