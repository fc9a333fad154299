"""Tests that damaged or oversized metadata does not affect the picture, and that damaged pixels are refused."""

import io
import random
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, features

from models.pictures import BrokenPicture, decode, inspect
from soak.pictures.files import chunk, png, tiff

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 3))
UPRIGHT = torch.from_numpy(PIXELS.astype(np.uint8)).permute(2, 0, 1)
ZEROS = bytes(3_000_000)
ORIENTATION_6 = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def text(kind: bytes, keyword: bytes, words: bytes) -> bytes:
    """Return a text chunk of a PNG; the texts of zTXt and iTXt are compressed."""
    between = {b"tEXt": b"\0", b"zTXt": b"\0\0", b"iTXt": b"\0\1\0\0\0"}[kind]
    return chunk(kind, keyword + between + (words if kind == b"tEXt" else zlib.compress(words)))


PNG_METADATA = {
    "large compressed text": text(b"zTXt", b"Comment", ZEROS),
    "large international text": text(b"iTXt", b"Comment", ZEROS),
    "large plain text": text(b"tEXt", b"Comment", ZEROS),
    "large XMP": text(b"iTXt", b"XML:com.adobe.xmp", ZEROS),
    "large raw EXIF": text(b"zTXt", b"Raw profile type exif", ZEROS),
    "70 texts of 1 MB": 70 * text(b"zTXt", b"Comment", bytes(1_000_000)),
    "a text that is no zlib stream": chunk(b"zTXt", b"Comment\0\0nonsense"),
    "a text of an unknown compression": chunk(b"zTXt", b"Comment\0\x07nonsense"),
    "a text that is not UTF-8": chunk(b"iTXt", b"Comment\0\0\0\0\0\xff\xfe"),
    "a large colour profile": chunk(b"iCCP", b"ICC\0\0" + zlib.compress(ZEROS)),
    "a damaged colour profile": chunk(b"iCCP", b"ICC\0\0nonsense"),
    "an empty colour profile": chunk(b"iCCP", b""),
    "a large EXIF": chunk(b"eXIf", b"MM\0*" + ZEROS),
    "a damaged EXIF": chunk(b"eXIf", b"nonsense"),
    "an EXIF cut off": chunk(b"eXIf", b"MM\0*\0\0"),
    "a wrong checksum of a text": chunk(b"tEXt", b"Comment\0hello", valid=False),
    "a wrong checksum of EXIF": chunk(b"eXIf", ORIENTATION_6, valid=False),
    "a wrong checksum of a size": chunk(b"pHYs", bytes(9), valid=False),
    "a size cut off": chunk(b"pHYs", b"\0"),
    "a gamma cut off": chunk(b"gAMA", b""),
    "primaries cut off": chunk(b"cHRM", b"\1"),
    "an animation's header cut off": chunk(b"acTL", b"\0"),
    "an animation of no frames": chunk(b"acTL", bytes(8)),
    "an animation's frame cut off": chunk(b"acTL", struct.pack(">II", 1, 0)) + chunk(b"fcTL", b"\0"),
    "an unknown chunk": chunk(b"abCd", b"whatever"),
    "an unknown chunk of a wrong checksum": chunk(b"abCd", b"whatever", valid=False),
    "a private chunk of 3 MB": chunk(b"prVt", ZEROS),
}


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("kind", PNG_METADATA)
def test_metadata_of_a_png_does_not_affect_its_pixels(kind: str, place: str) -> None:
    """The chunk is placed before and after the pixels."""
    picture = inspect(png(PIXELS, bits=8, **{place: PNG_METADATA[kind]}))
    assert torch.equal(picture.pixels, UPRIGHT)
    assert (picture.format, picture.width, picture.height) == ("PNG", 20, 12)


@pytest.mark.parametrize(
    "orientation_chunk",
    [
        chunk(b"eXIf", ORIENTATION_6),
        text(
            b"zTXt", b"Raw profile type exif", b"\nexif\n%8d\n%b\n" % (32, (b"Exif\0\0" + ORIENTATION_6).hex().encode())
        ),
        text(b"iTXt", b"XML:com.adobe.xmp", b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'),
    ],
)
@pytest.mark.parametrize("kind", ["large compressed text", "a damaged colour profile", "an unknown chunk"])
def test_the_orientation_is_read_beside_damaged_metadata(orientation_chunk: bytes, kind: str) -> None:
    """Orientation 6 is a quarter turn clockwise, whether it is stored as EXIF, as raw profile or as XMP."""
    picture = inspect(png(PIXELS, bits=8, before=PNG_METADATA[kind] + orientation_chunk))
    assert torch.equal(picture.pixels, UPRIGHT.transpose(1, 2).flip(2))
    assert (picture.width, picture.height) == (12, 20)


def test_an_animated_png_is_decoded_to_its_still_picture() -> None:
    """The pixels of IDAT are those that a program without support for animations shows."""
    frames = [Image.fromarray(PIXELS.astype(np.uint8)), Image.new("RGB", (20, 12), "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    assert torch.equal(decode(buffer.getvalue()), UPRIGHT)


def test_damage_of_pixels_is_refused() -> None:
    """Wrong checksums of IDAT, IHDR and tRNS, and truncated pixels, are errors."""
    whole = png(PIXELS, bits=8)
    place = whole.index(b"IDAT")
    for offset in (place + 9, whole.index(b"IHDR") + 20):
        with pytest.raises(BrokenPicture):
            decode(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
    with pytest.raises(BrokenPicture):
        decode(whole[: place + 200])
    with pytest.raises(BrokenPicture):
        decode(png(PIXELS, bits=8, before=chunk(b"tRNS", bytes(6), valid=False)))


def test_a_png_of_many_empty_chunks_is_refused_at_once() -> None:
    """Reading a million chunks would take longer than decoding the picture."""
    with pytest.raises(BrokenPicture, match=r"more pieces.*\(10,\d\d\d so far\)"):
        decode(png(PIXELS, bits=8, before=1_000_000 * chunk(b"abCd", b"")))


def test_texts_are_not_unpacked() -> None:
    """A text of 100 MB, compressed to 0.1 MB, must not take more memory than the file."""
    packer = zlib.compressobj()
    packed = b"".join([*(packer.compress(bytes(10_000_000)) for _ in range(10)), packer.flush()])
    data = png(PIXELS, bits=8, before=chunk(b"zTXt", b"Raw profile type exif\0\0" + packed))
    tracemalloc.start()
    assert torch.equal(decode(data), UPRIGHT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


def jpeg(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS.astype(np.uint8)).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


JPEG_METADATA = {
    "JFIF cut off": segment(0xE0, b"JFIF\0"),
    "Adobe cut off": segment(0xEE, b"Adobe"),
    "a colour profile cut off": segment(0xE2, b"ICC_PROFILE\0"),
    "a list of pictures that is none": segment(0xE2, b"MPF\0MM\0*\0\0\0\x08\0\1\xb0\1\0\4\0\0\0\1\0\0\0\2\0\0\0\0"),
    "a damaged Photoshop block": segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\x02ab"),
    "3 MB of comments": 50 * segment(0xFE, bytes(65_000)),
    "EXIF that is none": segment(0xE1, b"Exif\0\0nonsense"),
    "300 pieces of EXIF": 300 * segment(0xE1, b"Exif\0\0nonsense"),
    "XMP that is none": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0\xff\xfe<"),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns about the damaged block
@pytest.mark.parametrize("kind", JPEG_METADATA)
def test_metadata_of_a_jpeg_does_not_affect_its_pixels(kind: str) -> None:
    whole = jpeg()
    data = whole[:2] + JPEG_METADATA[kind] + whole[2:]
    assert torch.equal(decode(data), decode(whole))


def test_a_jpeg_of_many_empty_comments_is_refused_at_once() -> None:
    whole = jpeg()
    with pytest.raises(BrokenPicture, match="more pieces"):
        decode(whole[:2] + 4_500_000 * b"\xff\xfe\0\2" + whole[2:])


def test_metadata_that_affects_the_pixels_of_a_jpeg_is_used() -> None:
    """With the Adobe segment of CMYK, EXIF and a colour profile, the pixels are those of Pillow, turned upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode in ("RGB", "L", "CMYK"):
        buffer = io.BytesIO()
        Image.fromarray(PIXELS.astype(np.uint8)).convert(mode).save(buffer, "JPEG", exif=exif, icc_profile=profile)
        with Image.open(buffer) as image:
            expected = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).transpose(1, 2).flip(2)
        assert torch.equal(decode(buffer.getvalue()), expected)


DAMAGED_EXIF = [b"", b"nonsense", b"MM\0*\0\0\0\x08\xff\xff", b"II*\0\xff\xff\xff\xff", b"MM\0*" + bytes(70_000)]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("exif", DAMAGED_EXIF)
@pytest.mark.parametrize("format", ["WEBP", "AVIF", "PNG"])
def test_damaged_exif_of_other_formats_is_ignored(format: str, exif: bytes) -> None:
    """WebP and AVIF store EXIF separately from the pixels."""
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    plain, damaged = io.BytesIO(), io.BytesIO()
    image = Image.fromarray(PIXELS.astype(np.uint8))
    image.save(plain, format)
    real = Image.Exif()
    real[0x010F] = "x" * max(len(exif), 40)
    image.save(damaged, format, exif=real)
    data = damaged.getvalue()
    block = real.tobytes().removeprefix(b"Exif\0\0")
    start = data.index(block)
    data = data[:start] + exif[: len(block)].ljust(len(block), b"\0") + data[start + len(block) :]
    assert torch.equal(decode(data), decode(plain.getvalue()))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_metadata_tags_of_a_tiff_are_ignored() -> None:
    """The tags point behind the end of the file, for example those of EXIF, XMP and the software."""
    raw = PIXELS.astype("u1").tobytes()
    for tag in (34665, 34853, 700, 305, 34675, 33723, 34377):
        data = tiff(raw, 20, 12, bits=8, channels=3, extra_tags={tag: ("u4", 4_000_000_000)})
        assert torch.equal(decode(data), UPRIGHT), tag


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_random_ancillary_chunks_never_change_the_pixels() -> None:
    """The chunks have random names (none that affects pixels), random bytes, and valid or wrong checksums."""
    draw = random.Random(0)
    names = [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"pHYs", b"tIME", b"bKGD", b"hIST", b"acTL"]
    for _ in range(300):
        name = draw.choice(names) if draw.random() < 0.7 else bytes(draw.choice(b"abcxyz") for _ in range(4))
        extra = chunk(name, draw.randbytes(draw.randrange(30)), valid=draw.random() < 0.5)
        place = draw.choice(["before", "after"])
        assert torch.equal(decode(png(PIXELS, bits=8, **{place: extra})), UPRIGHT), (name, extra)
