"""Files of other kinds are named, with what to do next; the formats that were added are read."""

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
from tests.models.decoding.files import chunk, png, tiff

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

OTHERS = {
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
    "DNG": (tiff(bytes(64), 8, 8, bits=8, more={50706: ("u4", 0x01040000)}), "raw", "darktable"),
    "NEF": (tiff(bytes(64), 8, 8, bits=8, more={254: ("u4", 1), 330: ("u4", 8)}), "raw", "darktable"),
    "CFA": (tiff(bytes(128), 8, 8, bits=16, photometric=32803), "raw", "darktable"),
    "MP4": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "video", "ffmpeg"),
    "WebM": (b"\x1aE\xdf\xa3\x01\0\0\0", "video", "ffmpeg"),
    "AVI": (b"RIFF\0\0\0\0AVI LIST", "video", "ffmpeg"),
    "empty": (b"", "empty", "send"),
    "a word": (b"BMW and other cars", "no picture format", "send PNG, JPEG"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_files_are_named(kind: str) -> None:
    data, name, remedy = OTHERS[kind]
    with pytest.raises(NotAPicture) as caught:
        decode(data)
    assert name in caught.value.fault
    assert remedy in caught.value.remedy


def near(found: torch.Tensor, image: Image.Image, most: float) -> bool:
    """Within a mean difference in levels."""
    wanted = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    return found.shape == wanted.shape and (found.int() - wanted.int()).abs().float().mean().item() < most


needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
needs_jpeg2000 = pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow reads no JPEG 2000")
needs_heif = pytest.mark.skipif(not importlib.util.find_spec("pillow_heif"), reason="pillow-heif is not installed")


@needs_avif
def test_avif() -> None:
    """Within its loss, and upright: the file's own rotation counts."""
    found = inspect(file_of(PHOTO, "AVIF", quality=95, subsampling="4:4:4"))
    assert (found.format, found.width, found.height) == ("AVIF", 64, 48)
    assert near(found.pixels, PHOTO, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = inspect(file_of(PHOTO, "AVIF", quality=95, subsampling="4:4:4", exif=exif))
    assert near(turned.pixels, PHOTO.transpose(Image.Transpose.ROTATE_270), 3)
    assert (turned.width, turned.height) == (48, 64)


@needs_avif
def test_an_avif_animation_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", *(30 * ("blue", "lime")))]
    found = decode(file_of(frames[0], "AVIF", quality=100, save_all=True, append_images=frames[1:]))
    assert (found.float().mean(dim=(1, 2)) - torch.tensor([255.0, 0, 0])).abs().max() < 4


@needs_avif
def test_an_avifs_alpha_lies_on_white() -> None:
    clear = Image.new("RGBA", (32, 32), (10, 20, 30, 0))
    assert decode(file_of(clear, "AVIF", quality=100)).float().mean() > 254


def with_frames(data: bytes, count: int) -> bytes:
    """An AVIF of one more box, the only item of which is so many hidden frames; the size of the last is left out."""
    frames = b"\x12\0" + (count - 1) * (b"\x32\x04" + bytes(4)) + b"\x30" + bytes(8)
    kind = data.index(b"iloc")
    version, sizes = data[kind + 4], data[kind + 8 : kind + 10]
    assert (version, sizes) == (0, b"\x44\0")  # 4 bytes each for an offset and a length
    changed = bytearray(data)
    changed[kind + 18 : kind + 22] = len(data).to_bytes(4, "big")
    changed[kind + 22 : kind + 26] = len(frames).to_bytes(4, "big")
    return bytes(changed) + frames


@needs_avif
def test_an_avif_of_many_hidden_frames_is_refused() -> None:
    """Each costs a whole picture and takes a few bytes; sixteen are a progressive picture still."""
    plain = file_of(PHOTO, "AVIF")
    with pytest.raises(BrokenPicture, match="more frames than any program writes"):
        decode(with_frames(plain, 17))
    with pytest.raises(BrokenPicture, match="cannot be"):  # these frames hold nothing
        decode(with_frames(plain, 16))


@needs_jpeg2000
def test_a_jpeg_2000_of_tiny_blocks_is_refused() -> None:
    """Precincts of 8 x 8, code blocks of 4 x 4, 60,000 layers: each part costs more memory than it holds."""
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
def test_jpeg_2000_is_exact(boxed: bool) -> None:
    """Lossless by default: a JP2 file and the bare codestream."""
    data = file_of(PHOTO, "JPEG2000", no_jp2=not boxed)
    assert data.startswith(b"\xff\x4f") is not boxed
    found = inspect(data)
    assert (found.format, found.width, found.height) == ("JPEG2000", 64, 48)
    assert near(found.pixels, PHOTO, 0.001)


def jpeg2000_of(numbers: np.ndarray, bits: int, written: int) -> bytearray:
    """A lossless codestream of so few bits: written with more, moved by what the decoder then takes off."""
    moved = numbers + (1 << written - 1) - (1 << bits - 1)
    kind = np.uint8 if written == 8 else np.uint16
    data = bytearray(file_of(Image.fromarray(moved.astype(kind)), "JPEG2000", no_jp2=True))
    place = data.index(b"\xff\x51") + 40
    assert data[place] == written - 1
    data[place] = bits - 1
    return data


@needs_jpeg2000
@pytest.mark.parametrize(("bits", "written"), [(4, 8), (1, 8), (10, 16), (12, 16), (15, 16)])
def test_a_jpeg_2000_of_any_bits_reaches_white(bits: int, written: int) -> None:
    """The codestream says how many: 15 of 4 bits is white, where Pillow alone moves it up to 240."""
    white = (1 << bits) - 1
    numbers = np.linspace(0, white, 256).astype(int).reshape(16, 16)
    found = decode(bytes(jpeg2000_of(numbers, bits, written)))
    assert (found[0].numpy() == np.rint(numbers * 255 / white)).all()


@needs_jpeg2000
def test_a_jpeg_2000_with_signs_is_refused() -> None:
    data = jpeg2000_of(np.full((16, 16), 200), 8, 8)
    data[data.index(b"\xff\x51") + 40] |= 0x80
    with pytest.raises(UnclearLevels, match="sign"):
        decode(bytes(data))


@needs_jpeg2000
@pytest.mark.parametrize("boxed", [True, False])
def test_a_jpeg_2000_is_judged_by_what_is_inside(boxed: bool) -> None:
    """A box that says 64 x 48 around a codestream of 64,000 x 48,000, and tiles of one pixel."""
    data = bytearray(file_of(PHOTO, "JPEG2000", no_jp2=not boxed))
    place = data.index(b"\xff\x4f\xff\x51") + 8
    data[place : place + 8] = (64_000).to_bytes(4, "big") + (48_000).to_bytes(4, "big")
    with pytest.raises(BrokenPicture if boxed else PictureTooLarge):
        decode(bytes(data))
    data[place : place + 8] = (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
    data[place + 16 : place + 24] = (1).to_bytes(4, "big") * 2
    with pytest.raises(BrokenPicture):
        decode(bytes(data))


@needs_heif
def test_heic() -> None:
    """Within its loss, and upright once: such files say in two places how they are turned."""
    from pillow_heif import from_pillow

    def heic(image: Image.Image, **options: object) -> bytes:
        buffer = io.BytesIO()
        from_pillow(image).save(buffer, quality=95, chroma=444, **options)
        return buffer.getvalue()

    found = inspect(heic(PHOTO))
    assert (found.format, found.width, found.height) == ("HEIF", 64, 48)
    assert near(found.pixels, PHOTO, 4)
    for orientation, turn in ((3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_270)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert near(decode(heic(PHOTO, exif=exif.tobytes())), PHOTO.transpose(turn), 4)
    with pytest.raises(PictureTooLarge):
        inspect(heic(PHOTO), max_pixels=3000)
    with pytest.raises(BrokenPicture):
        decode(heic(PHOTO)[:-600])


def test_heic_without_its_reader_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's first bytes are enough to know it."""
    whole = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("pillow_heif"):
            raise ImportError(name)
        return whole(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "pillow_heif", raising=False)
    for brand in (b"heic", b"heix", b"mif1"):
        with pytest.raises(NotAPicture, match=r"HEIC.*pip install 'mirage-vision\[heif\]'"):
            decode(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(100))


@pytest.mark.parametrize("format", ["PPM", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_half_a_file_of_the_new_formats_is_broken(format: str, kept: float) -> None:
    if format not in Image.registered_extensions().values():
        pytest.skip(f"this Pillow reads no {format}")
    noise = Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = file_of(noise, format)
    with pytest.raises(BrokenPicture):
        decode(data[: int(len(data) * kept)])


def test_each_format_has_a_file_ending() -> None:
    """Every one that is read is known to the check for misnamed files."""
    from training.data.scan.inspect_file import FORMAT_OF_ENDING

    assert {format for formats in FORMAT_OF_ENDING.values() for format in formats} == {*FORMATS, "MPO"}
