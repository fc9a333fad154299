"""The scan of a WebP: the first picture and the orientation are kept."""

import io
import struct

import pytest
import torch
from PIL import Image

from models.decoding.errors import BrokenPicture
from models.decoding.scans.webp import canvas, trimmed
from models.pictures import PictureTooLarge, decode, inspect
from soak.pictures.hostile.segments import COLOUR, saved

PLAIN = saved(COLOUR, "WEBP")


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


EXTENDED = chunk(b"VP8X", bytes([0x2C, 0, 0, 0, 63, 0, 0, 63, 0, 0]))


def test_a_picture_alone_is_not_copied() -> None:
    assert trimmed(PLAIN) is PLAIN


def test_metadata_and_what_follows_are_left_out() -> None:
    """EXIF is replaced by a block with the orientation alone, 34 bytes with its head."""
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "Maker" * 500})
    data = saved(COLOUR, "WEBP", exif=exif, icc_profile=bytes(5000)) + b"a video"
    short = trimmed(data)
    assert len(short) == len(PLAIN) + len(EXTENDED) + 34
    assert Image.open(io.BytesIO(short)).getexif()[0x0112] == 6


def test_the_alpha_channel_stays() -> None:
    image = COLOUR.copy()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    data = saved(image, "WEBP", xmp=b'tiff:Orientation="3"')
    expected = decode(saved(image, "WEBP"))
    assert (decode(data).flip(1, 2).int() - expected.int()).abs().max() <= 4  # colours are enlarged before the turn
    assert trimmed(saved(image, "WEBP")) == saved(image, "WEBP")


def test_a_long_animation_is_cut_off_behind_its_first_frame() -> None:
    """30,000 frames are more chunks than a still picture may have."""
    frames = [COLOUR, COLOUR.rotate(90)]
    short = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    place = short.index(b"ANMF")
    size = 8 + struct.unpack_from("<I", short, place + 4)[0]
    frame = short[place : place + size]
    head = short[12:place]
    data = riff(head, frame, *[chunk(b"ANMF", bytes(16) + chunk(b"VP8L"))] * 30_000)
    assert trimmed(data) == riff(head, frame)
    assert torch.equal(decode(data), decode(short))


@pytest.mark.parametrize("kind", [b"abcd", b"EXIF", b"ANIM", b"ALPH"])
def test_too_many_chunks_before_the_picture_are_refused(kind: bytes) -> None:
    with pytest.raises(BrokenPicture, match="WEBP consists of more pieces"):
        trimmed(riff(EXTENDED, *[chunk(kind)] * 20_000, PLAIN[12:]))


def test_the_size_of_the_canvas_is_checked_before_the_decoder_takes_memory_for_it() -> None:
    huge = chunk(b"VP8X", b"\2\0\0\0" + (16_382).to_bytes(3, "little") * 2)
    data = riff(huge, PLAIN[12:])
    assert canvas(data) == (16_383, 16_383)
    assert canvas(PLAIN) is None
    with pytest.raises(PictureTooLarge, match="16383 x 16383"):
        inspect(data)


def test_a_file_that_is_cut_off_stays_so() -> None:
    with pytest.raises(BrokenPicture):
        decode(PLAIN[:-40])
    with pytest.raises(BrokenPicture):
        decode(b"RIFF\0\0\0\0WEBPVP8 ")
