"""Tests that unsupported files are refused by name with a remedy, and reading AVIF, JPEG 2000 and HEIC."""

import builtins
import gzip
import importlib.util
import io
import json
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image, features

from models.pictures import FORMATS, BrokenPicture, NotAPicture, PictureTooLarge, UnclearLevels, decode, inspect
from soak.pictures.files import chunk, png, tiff

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((64, 48), 3)


def file_of(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "a")
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
    return buffer.getvalue()


def numpy_file() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


CGBI = chunk(b"CgBI", b"\x50\0\x20\x02") + b"\0\0\0\rIHDR"

OTHER_FILES = {
    "PDF": (file_of(PHOTO, "PDF"), "PDF", "pdftoppm"),
    "PostScript": (file_of(PHOTO, "EPS"), "PostScript", "pdftoppm"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG", "rsvg-convert"),
    "SVG behind a declaration": (
        b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- c -->\n<svg width='1'/>",
        "SVG",
        "rsvg-convert",
    ),
    "HTML": (b"\n<!DOCTYPE html><html><body>404</body></html>", "web page", "not downloaded"),
    "JSON": (json.dumps({"error": "no"}).encode(), "JSON", "own bytes"),
    "base64 of a PNG": (b"iVBORw0KGgoAAAANSUhEUg", "base64", "base64 -d"),
    "base64 of a JPEG": (b"/9j/4AAQSkZJRg", "base64", "base64 -d"),
    "data URL": (b"data:image/png;base64,iVBOR", "data URL", "base64"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS", "git lfs pull"),
    "zip": (zipped(), "zip", "unpack"),
    "gzip": (gzip.compress(b"x"), "gzip", "unpack"),
    "tar": (tarred(), "tar", "unpack"),
    "DICOM": (bytes(128) + b"DICM" + bytes(20), "DICOM", "8 bits"),
    "FITS": (b"SIMPLE  =                    T".ljust(80), "FITS", "8 bits"),
    "OpenEXR": (b"\x76\x2f\x31\x01\x02\0\0\0", "OpenEXR", "8 bits"),
    "NumPy": (numpy_file(), "NumPy", "8 bits"),
    "HDF5": (b"\x89HDF\r\n\x1a\n", "HDF5", "8 bits"),
    "PSD": (b"8BPS\0\1" + bytes(20), "Photoshop", "magick"),
    "icon": (file_of(PHOTO, "ICO"), "ICO", "magick"),
    "DDS": (file_of(PHOTO, "DDS"), "DDS", "magick"),
    "a PNG of an iPhone app": (png(np.zeros((2, 2, 3)), bits=8).replace(b"\0\0\0\rIHDR", CGBI), "CgBI", "pngcrush"),
    "JPEG XL": (b"\xff\x0a\xfa\x1f", "JPEG XL", "djxl"),
    "JPEG XL in a box": (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL", "djxl"),
    "CR2": (b"II*\0\x10\0\0\0CR\x02\0", "raw", "darktable"),
    "CR3": (b"\0\0\0\x18ftypcrx \0\0\0\1", "raw", "darktable"),
    "RAF": (b"FUJIFILMCCD-RAW 0201", "raw", "darktable"),
    "DNG": (tiff(bytes(64), 8, 8, bits=8, extra_tags={50706: ("u4", 0x01040000)}), "raw", "darktable"),
    "NEF": (tiff(bytes(64), 8, 8, bits=8, extra_tags={254: ("u4", 1), 330: ("u4", 8)}), "raw", "darktable"),
    "CFA": (tiff(bytes(128), 8, 8, bits=16, photometric=32803), "raw", "darktable"),
    "MP4": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "video", "ffmpeg"),
    "WebM": (b"\x1aE\xdf\xa3\x01\0\0\0", "video", "ffmpeg"),
    "AVI": (b"RIFF\0\0\0\0AVI LIST", "video", "ffmpeg"),
    "empty": (b"", "empty", "send"),
    "a word": (b"BMW and other cars", "no picture format", "send PNG, JPEG"),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_unsupported_files_are_refused_by_name_with_a_remedy(kind: str) -> None:
    data, name, remedy = OTHER_FILES[kind]
    with pytest.raises(NotAPicture) as caught:
        decode(data)
    assert name in caught.value.fault
    assert remedy in caught.value.remedy


def is_close(pixels: torch.Tensor, image: Image.Image, largest_difference: float) -> bool:
    """Return whether the mean absolute difference in levels is smaller than the given one."""
    expected = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    return (
        pixels.shape == expected.shape
        and (pixels.int() - expected.int()).abs().float().mean().item() < largest_difference
    )


needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
needs_jpeg2000 = pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow reads no JPEG 2000")
needs_heif = pytest.mark.skipif(not importlib.util.find_spec("pillow_heif"), reason="pillow-heif is not installed")


@needs_avif
def test_an_avif_is_read_and_turned_upright() -> None:
    """Pixels agree up to the loss of the format, and the orientation stored in the file is applied."""
    picture = inspect(file_of(PHOTO, "AVIF", quality=95, subsampling="4:4:4"))
    assert (picture.format, picture.width, picture.height) == ("AVIF", 64, 48)
    assert is_close(picture.pixels, PHOTO, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = inspect(file_of(PHOTO, "AVIF", quality=95, subsampling="4:4:4", exif=exif))
    assert is_close(turned.pixels, PHOTO.transpose(Image.Transpose.ROTATE_270), 3)
    assert (turned.width, turned.height) == (48, 64)


@needs_avif
def test_an_avif_animation_is_decoded_to_its_first_frame() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", *(30 * ("blue", "lime")))]
    pixels = decode(file_of(frames[0], "AVIF", quality=100, save_all=True, append_images=frames[1:]))
    assert (pixels.float().mean(dim=(1, 2)) - torch.tensor([255.0, 0, 0])).abs().max() < 4


@needs_avif
def test_the_alpha_of_an_avif_is_composited_on_white() -> None:
    clear = Image.new("RGBA", (32, 32), (10, 20, 30, 0))
    assert decode(file_of(clear, "AVIF", quality=100)).float().mean() > 254


def with_frames(data: bytes, count: int) -> bytes:
    """Make the only item of an AVIF consist of `count` hidden frames; the last one does not state its size."""
    frames = b"\x12\0" + (count - 1) * (b"\x32\x04" + bytes(4)) + b"\x30" + bytes(8)
    kind = data.index(b"iloc")
    version, sizes = data[kind + 4], data[kind + 8 : kind + 10]
    assert (version, sizes) == (0, b"\x44\0")  # offset and length have 4 bytes each
    changed = bytearray(data)
    changed[kind + 18 : kind + 22] = len(data).to_bytes(4, "big")
    changed[kind + 22 : kind + 26] = len(frames).to_bytes(4, "big")
    return bytes(changed) + frames


@needs_avif
def test_an_avif_of_many_hidden_frames_is_refused() -> None:
    """A frame of a few bytes makes the decoder decode a whole picture; up to 16 may be a progressive picture."""
    plain = file_of(PHOTO, "AVIF")
    with pytest.raises(BrokenPicture, match="more frames than any program writes"):
        decode(with_frames(plain, 17))
    with pytest.raises(BrokenPicture, match="cannot be"):  # these frames are empty
        decode(with_frames(plain, 16))


@needs_jpeg2000
def test_a_jpeg_2000_of_tiny_blocks_is_refused() -> None:
    """Precincts of 8 x 8, code blocks of 4 x 4 and 60,000 layers all take far more memory than the pixels."""
    for options in ({"precinct_size": (8, 8)}, {"codeblock_size": (4, 4)}):
        with pytest.raises(BrokenPicture, match="smaller blocks"):
            decode(file_of(Image.new("L", (1600, 1600), 99), "JPEG2000", **options))
    assert decode(file_of(PHOTO, "JPEG2000", precinct_size=(64, 64), codeblock_size=(32, 32))).shape == (3, 48, 64)
    data = bytearray(file_of(PHOTO, "JPEG2000"))
    place = data.index(b"\xff\x52") + 6
    data[place : place + 2] = (60_000).to_bytes(2, "big")
    with pytest.raises(BrokenPicture, match="quality layers"):
        decode(bytes(data))


@needs_jpeg2000
@pytest.mark.parametrize("boxed", [True, False])
def test_a_lossless_jpeg_2000_is_decoded_exactly(boxed: bool) -> None:
    """Pillow writes it lossless by default; both the JP2 file and the bare codestream are read."""
    data = file_of(PHOTO, "JPEG2000", no_jp2=not boxed)
    assert data.startswith(b"\xff\x4f") is not boxed
    picture = inspect(data)
    assert (picture.format, picture.width, picture.height) == ("JPEG2000", 64, 48)
    assert is_close(picture.pixels, PHOTO, 0.001)


def jpeg2000_of(numbers: np.ndarray, bits: int, container_bits: int) -> bytearray:
    """Return a lossless codestream of `bits` bits, made from one of 8 or 16 bits by adding its sign offset."""
    shifted = numbers + (1 << container_bits - 1) - (1 << bits - 1)
    kind = np.uint8 if container_bits == 8 else np.uint16
    data = bytearray(file_of(Image.fromarray(shifted.astype(kind)), "JPEG2000", no_jp2=True))
    place = data.index(b"\xff\x51") + 40
    assert data[place] == container_bits - 1
    data[place] = bits - 1
    return data


@needs_jpeg2000
@pytest.mark.parametrize(("bits", "container_bits"), [(4, 8), (1, 8), (10, 16), (12, 16), (15, 16)])
def test_a_jpeg_2000_of_any_bits_reaches_white(bits: int, container_bits: int) -> None:
    """The codestream states its bits: 15 of 4 bits is white, though Pillow itself would give 240."""
    white = (1 << bits) - 1
    numbers = np.linspace(0, white, 256).astype(int).reshape(16, 16)
    pixels = decode(bytes(jpeg2000_of(numbers, bits, container_bits)))
    assert (pixels[0].numpy() == np.rint(numbers * 255 / white)).all()


@needs_jpeg2000
def test_a_jpeg_2000_of_signed_numbers_is_refused() -> None:
    data = jpeg2000_of(np.full((16, 16), 200), 8, 8)
    data[data.index(b"\xff\x51") + 40] |= 0x80
    with pytest.raises(UnclearLevels, match="sign"):
        decode(bytes(data))


@needs_jpeg2000
@pytest.mark.parametrize("boxed", [True, False])
def test_the_size_of_a_jpeg_2000_is_that_of_its_codestream(boxed: bool) -> None:
    """The codestream says 64,000 x 48,000, whatever the box says; tiles of one pixel are refused as well."""
    data = bytearray(file_of(PHOTO, "JPEG2000", no_jp2=not boxed))
    place = data.index(b"\xff\x4f\xff\x51") + 8
    data[place : place + 8] = (64_000).to_bytes(4, "big") + (48_000).to_bytes(4, "big")
    with pytest.raises(PictureTooLarge):
        decode(bytes(data))
    data[place : place + 8] = (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
    data[place + 16 : place + 24] = (1).to_bytes(4, "big") * 2
    with pytest.raises(BrokenPicture):
        decode(bytes(data))


@needs_heif
def test_a_heic_is_read_and_turned_upright_once() -> None:
    """Pixels agree up to the loss; such files store the orientation twice, and it must be applied once."""
    from pillow_heif import from_pillow

    def heic(image: Image.Image, **options: object) -> bytes:
        buffer = io.BytesIO()
        from_pillow(image).save(buffer, quality=95, chroma=444, **options)
        return buffer.getvalue()

    picture = inspect(heic(PHOTO))
    assert (picture.format, picture.width, picture.height) == ("HEIF", 64, 48)
    assert is_close(picture.pixels, PHOTO, 4)
    for orientation, turn in ((3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_270)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert is_close(decode(heic(PHOTO, exif=exif.tobytes())), PHOTO.transpose(turn), 4)
    with pytest.raises(PictureTooLarge):
        inspect(heic(PHOTO), max_pixels=3000)
    with pytest.raises(BrokenPicture):
        decode(heic(PHOTO)[:-600])


def test_without_pillow_heif_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first bytes are enough to recognise a HEIC file."""
    real_import = builtins.__import__

    def import_without_heif(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("pillow_heif"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", import_without_heif)
    monkeypatch.delitem(sys.modules, "pillow_heif", raising=False)
    for brand in (b"heic", b"heix", b"mif1"):
        with pytest.raises(NotAPicture, match=r"HEIC.*pip install pillow-heif"):
            decode(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(100))


@pytest.mark.parametrize("format", ["PPM", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("fraction", [0.3, 0.9])
def test_a_truncated_file_of_ppm_avif_or_jpeg_2000_is_broken(format: str, fraction: float) -> None:
    if format not in Image.registered_extensions().values():
        pytest.skip(f"this Pillow reads no {format}")
    noise = Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = file_of(noise, format)
    with pytest.raises(BrokenPicture):
        decode(data[: int(len(data) * fraction)])


def test_every_format_has_a_file_name_suffix() -> None:
    """The check for misnamed files knows all formats that are read."""
    from training.data.scan.inspect_file import FORMAT_OF_ENDING

    assert {format for formats in FORMAT_OF_ENDING.values() for format in formats} == {*FORMATS, "MPO"}
