"""Recognising the format of a file by its content; for formats that are not read, what to do instead."""

import re

from models.decoding.errors import NotAPicture

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "HEIF")
"""Formats that are read, by Pillow's names; no more than people need, since each decoder is an attack surface."""
READ = "PNG, JPEG, WebP, GIF, BMP, TIFF, PPM, PGM, PBM, PAM, AVIF, JPEG 2000 or HEIC"
"""The formats that are read, as people call them."""

# What the user can do next with a file of another format.
EXPORT = "export it as PNG or JPEG, for example: magick {input} picture.png"
DRAW = "draw it as PNG first, for example: rsvg-convert -o picture.png picture.svg"
PAGE = "save the page as PNG first, for example: pdftoppm -png -r 150 document.pdf page"
DEVELOP = "develop it to JPEG first, in the camera maker's program or with: darktable-cli photo.raw photo.jpg"
FRAME = "save one frame as a picture, for example: ffmpeg -i video.mp4 -frames:v 1 frame.png"
REVERT = "turn it back first, for example: pngcrush -revert-iphone-optimizations picture.png plain.png"
UNPACK = "unpack it and send one of the pictures in it"
MEASURED = "convert it to 8 bits per channel, with black as 0 and white as 255, and save it as PNG"
DOWNLOAD = "the picture was not downloaded; save the picture itself, not the page around it"
DECODE = "decode the text to bytes first, for example: base64 -d picture.txt > picture.png"

OTHERS: tuple[tuple[int, bytes, str, str], ...] = (
    *(
        (0, b"%PDF-", "a PDF document", PAGE),
        (0, b"%!PS", "a PostScript file", PAGE),
        (0, b"AT&TFORM", "a DjVu file", PAGE),
    ),
    *((0, b"8BPS", "a Photoshop document (PSD)", EXPORT), (0, b"gimp xcf", "a GIMP document (XCF)", EXPORT)),
    *((0, b"\xff\x0a", "a JPEG XL picture", "convert it first: djxl picture.jxl picture.png"),),
    *((0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture", "convert it first: djxl picture.jxl picture.png"),),
    *((0, b"II\xbc\x01", "a JPEG XR picture", EXPORT), (0, b"\xff\xd8\xff\xf7", "a JPEG-LS picture", EXPORT)),
    *(
        (0, b"qoif", "a QOI picture", EXPORT),
        (0, b"FLIF", "a FLIF picture", EXPORT),
        (0, b"BPG\xfb", "a BPG picture", EXPORT),
    ),
    *((12, b"CgBI", "a PNG in Apple's own variant for iPhone apps (CgBI)", REVERT),),
    *((0, b"icns", "an Apple icon (ICNS)", EXPORT), (0, b"\0\0\1\0", "a Windows icon (ICO)", EXPORT)),
    *((0, b"\0\0\2\0", "a Windows cursor (CUR)", EXPORT), (0, b"DDS ", "a DDS texture", EXPORT)),
    *((0, b"\x8aMNG", "an MNG animation", EXPORT), (0, b"Y\xa6j\x95", "a Sun raster picture", EXPORT)),
    *((0, b"\x01\xda\0", "an SGI picture", EXPORT), (0, b"\x01\xda\1", "an SGI picture", EXPORT)),
    *((0, b"\xd7\xcd\xc6\x9a", "a Windows metafile (WMF)", EXPORT), (40, b" EMF", "a Windows metafile (EMF)", EXPORT)),
    *((0, b"\x76\x2f\x31\x01", "an OpenEXR picture", MEASURED), (0, b"#?RADIANCE", "a Radiance HDR picture", MEASURED)),
    *((0, b"#?RGBE", "a Radiance HDR picture", MEASURED), (0, b"SIMPLE  =", "a FITS file", MEASURED)),
    *((128, b"DICM", "a DICOM file", MEASURED), (0, b"\x89HDF\r\n", "an HDF5 file", MEASURED)),
    *((0, b"\x93NUMPY", "a NumPy array", MEASURED), (0, b"MATLAB 5.0", "a MATLAB file", MEASURED)),
    *((344, b"n+1\0", "a NIfTI volume", MEASURED), (344, b"ni1\0", "a NIfTI volume", MEASURED)),
    *((0, b"IIRO", "a camera's raw file (ORF)", DEVELOP), (0, b"IIRS", "a camera's raw file (ORF)", DEVELOP)),
    *((0, b"MMOR", "a camera's raw file (ORF)", DEVELOP), (0, b"IIU\0", "a camera's raw file (RW2)", DEVELOP)),
    *(
        (0, b"FUJIFILMCCD-RAW", "a camera's raw file (RAF)", DEVELOP),
        (0, b"FOVb", "a camera's raw file (X3F)", DEVELOP),
    ),
    *((0, b"\0MRM", "a camera's raw file (MRW)", DEVELOP), (8, b"CR\2\0", "a camera's raw file (CR2)", DEVELOP)),
    *((4, b"ftypcrx ", "a camera's raw file (CR3)", DEVELOP), (6, b"HEAPCCDR", "a camera's raw file (CRW)", DEVELOP)),
    *((4, b"ftyp", "a video", FRAME), (4, b"moov", "a video", FRAME), (4, b"mdat", "a video", FRAME)),
    *((0, b"\x1aE\xdf\xa3", "a video (Matroska or WebM)", FRAME), (8, b"AVI ", "a video (AVI)", FRAME)),
    *((0, b"\0\0\1\xba", "a video (MPEG)", FRAME), (0, b"\0\0\1\xb3", "a video (MPEG)", FRAME)),
    *((0, b"FLV\1", "a video (Flash)", FRAME), (0, b"0&\xb2u\x8ef\xcf\x11", "a video (Windows Media)", FRAME)),
    *((8, b"WAVE", "a sound file", "send a picture"), (0, b"ID3", "a sound file", "send a picture")),
    *((0, b"PK\3\4", "a zip archive", UNPACK), (0, b"PK\5\6", "an empty zip archive", UNPACK)),
    *((0, b"\x1f\x8b", "gzip data", UNPACK), (0, b"BZh", "bzip2 data", UNPACK), (0, b"\xfd7zXZ", "xz data", UNPACK)),
    *((0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK), (0, b"Rar!", "a RAR archive", UNPACK)),
    *((0, b"\x28\xb5\x2f\xfd", "zstd data", UNPACK), (257, b"ustar", "a tar archive", UNPACK)),
    *((0, b"version https://git-lfs", "a Git LFS pointer in place of the picture", "fetch the picture: git lfs pull"),),
    *((0, b"iVBORw0KGgo", "base64 text of a picture", DECODE), (0, b"/9j/", "base64 text of a picture", DECODE)),
    *((0, b"data:image/", "a data URL", "send the bytes that the text after the comma stands for (base64)"),),
    *((0, b"R0lGOD", "base64 text of a picture", DECODE), (0, b"UklGR", "base64 text of a picture", DECODE)),
)
"""Formats that are not read: position of their magic bytes, these bytes, the name, and what to do next."""
TEXTS = (
    (re.compile(rb"<svg[\s>]"), "an SVG drawing", DRAW),
    (re.compile(rb"<(!doctype html|html|head|body)[\s>]"), "a web page (HTML)", DOWNLOAD),
    (re.compile(rb"^<\?xml"), "an XML text", DOWNLOAD),
    (re.compile(rb"^[\[{]"), "a JSON text", "send the picture's own bytes, not a text about it"),
    (re.compile(rb"^#!"), "a script", "send a picture"),
)
"""Texts in place of pictures: a pattern for the first kilobyte in lower case, the name, and what to do next."""
BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
"""Sizes in bytes that the second header of a BMP may have."""

TIFFS = (b"II*\0", b"MM\0*", b"MM*\0", b"II\0*", b"MM\0+", b"II+\0")
"""Beginnings of TIFF files: both byte orders, the order of the number 42 as some programs write it, and BigTIFF."""

HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
"""Brands of ISO media files whose pictures are coded with HEVC."""


def kind_of(data: bytes) -> str:
    """The format of the file, one of FORMATS; raises NotAPicture, which names the format if it is known."""
    start = data[:64]
    if start.startswith(b"\x89PNG\r\n\x1a\n") and start[12:16] != b"CgBI":
        return "PNG"
    if start.startswith(b"\xff\xd8\xff") and not start.startswith(b"\xff\xd8\xff\xf7"):
        return "JPEG"
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WEBP"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if start.startswith(b"BM") and int.from_bytes(start[14:18], "little") in BMP_HEADERS:
        return "BMP"
    if start.startswith(TIFFS) and start[8:12] != b"CR\2\0":
        return "TIFF"
    if re.match(rb"P([1-6]|[Ff])[\s#]|P7\s*\n", start):
        return "PPM"
    if start.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")):
        return "JPEG2000"
    return _media_kind(data) or _refuse(data)


def _media_kind(data: bytes) -> str:
    """AVIF or HEIF, by the brands of an ISO media file; empty for a video or anything else."""
    if data[4:8] != b"ftyp":
        return ""
    length = min(int.from_bytes(data[:4], "big"), 1024)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, length - 3, 4))]
    if {b"avif", b"avis"} & set(brands) and brands[0] not in HEIF_BRANDS:
        return "AVIF"
    if HEIF_BRANDS & set(brands) or brands[0] in (b"mif1", b"msf1"):
        return "HEIF"
    return ""


def _refuse(data: bytes) -> str:
    if not data:
        raise NotAPicture("the file is empty", f"send a picture ({READ})")
    for offset, magic, name, remedy in OTHERS:
        if data.startswith(magic, offset):
            raise NotAPicture(f"the bytes are {name}, no picture that is read here", _next_step(remedy))
    text = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for pattern, name, remedy in TEXTS:
        if pattern.search(text):
            raise NotAPicture(f"the bytes are {name}, no picture that is read here", _next_step(remedy))
    shown = data[:8].hex(" ")
    raise NotAPicture(f"the bytes (they begin with {shown}) are of no picture format that is read", f"send {READ}")


def _next_step(remedy: str) -> str:
    return f"{remedy.format(input='picture')}, and send {READ}" if "send" not in remedy else remedy
