"""Files of 19 MB in which one kind of piece is repeated as often as it fits, or points to the whole file.

Every decoder can be kept busy in its own way; the names say what is repeated.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image

from soak.pictures.files import chunk

SIZE = 19_000_000
"""Bytes of each file: the service takes 20 MB."""
GREY = Image.new("L", (64, 64), 99)
COLOUR = Image.linear_gradient("L").resize((64, 64)).convert("RGB")


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.copy().save(buffer, format, **options)
    return buffer.getvalue()


def filled(before: bytes, piece: bytes, after: bytes = b"", size: int = SIZE) -> bytes:
    """Return `piece` as often as it fits, between the beginning and the end of a file."""
    return before + piece * ((size - len(before) - len(after)) // len(piece)) + after


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def box(kind: bytes, *bodies: bytes) -> bytes:
    body = b"".join(bodies)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full_box(kind: bytes, *bodies: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, bytes([version]) + flags.to_bytes(3, "big"), *bodies)


def jpegs() -> Iterator[tuple[str, bytes]]:
    plain, progressive = saved(COLOUR, "JPEG"), saved(COLOUR, "JPEG", progressive=True)
    start, rest = plain[:2], plain[2:]
    scan = plain.index(b"\xff\xda")
    yield "comments", filled(start, b"\xff\xfe\0\2", rest)
    yield "metadata", filled(start, segment(0xE5, b"x"), rest)
    yield "fill bytes", filled(start, b"\xff", rest)
    yield "escaped bytes", filled(start, b"\xff\0", rest)
    yield "junk", filled(start, b"a", rest)
    yield "restarts before the pixels", filled(start, b"\xff\xd0", rest)
    yield "starts", filled(start, b"\xff\xd8", rest)
    yield "segments of length 0", filled(start, b"\xff\xe5\0\0", rest)
    yield "JFIF", filled(start, segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"), rest)
    yield "Adobe", filled(start, segment(0xEE, b"Adobe\0d\0\0\0\0\1"), rest)
    yield "colour profiles", filled(start, segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(9)), rest)
    yield "Photoshop", filled(start, segment(0xED, b"Photoshop 3.0\0" + b"8BIM\3\xe9\0\0\0\0\0\0" * 5000), rest)
    yield "quantization tables", filled(start, segment(0xDB, (b"\0" + bytes([1]) * 64) * 1000), rest)
    yield "Huffman tables", filled(start, segment(0xC4, b"\0\1" + bytes(15) + b"\0"), rest)
    yield "restart intervals", filled(start, segment(0xDD, b"\0\1"), rest)
    yield "frames", filled(start, segment(0xC0, b"\x08\0\x40\0\x40\1\1\x11\0"), rest)
    tags = b"".join(struct.pack(">HHII", 40_000 + tag, 7, 60_000, 8) for tag in range(4_000))
    exif = b"MM\0*\0\0\0\x08" + struct.pack(">H", 4_000) + tags
    yield "EXIF tags", filled(start, segment(0xE1, b"Exif\0\0" + exif.ljust(65_000, b"\0")), rest)
    yield "comments among the pixels", filled(plain[: scan + 40], b"\xff\xfe\0\2", plain[scan + 40 :])
    yield "fill bytes among the pixels", filled(plain[: scan + 40], b"\xff", plain[scan + 40 :])
    yield "junk among the pixels", filled(plain[: scan + 40], b"\xff\0", plain[scan + 40 :])
    yield "restarts among the pixels", filled(plain[: scan + 40], b"\xff\xd0", plain[scan + 40 :])
    yield "tables among the pixels", filled(plain[: scan + 40], segment(0xDD, b"\0\0"), plain[scan + 40 :])
    yield "bytes behind the picture", filled(plain, b"\xff\xda")
    last = progressive.rindex(b"\xff\xda")
    yield "scans", filled(progressive[:last], progressive[last:-2], progressive[-2:])
    # 5,000 x 5,000 pixels, of which no scan holds any: the decoder goes through all blocks a hundred times.
    frame = progressive.index(b"\xff\xc2") + 5
    large = progressive[:frame] + struct.pack(">HH", 4999, 5000) + progressive[frame + 4 : last]
    yield "empty scans", large + 90 * (progressive[last : last + 10] + b"\0\0") + b"\xff\xd9"
    yield (
        "arithmetic scans",
        (large.replace(b"\xff\xc2", b"\xff\xca") + 90 * (progressive[last : last + 10] + b"\0\0") + b"\xff\xd9"),
    )


def pngs() -> Iterator[tuple[str, bytes]]:
    head, header = b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
    pixels, end = chunk(b"IDAT", zlib.compress(bytes(65 * 64))), chunk(b"IEND", b"")
    start, rest = head + header, pixels + end
    for kind in (b"tEXt", b"acTL", b"fcTL", b"abCd", b"ABCD", b"IDAT", b"PLTE", b"tRNS", b"IHDR", b"IEND", b"sBIT"):
        yield f"empty {kind.decode()}", filled(start, chunk(kind, b""), rest)
        yield f"empty {kind.decode()} behind the pixels", filled(start + pixels, chunk(kind, b""), end)
    yield "headers", filled(head, header, rest)
    yield "palettes", filled(start, chunk(b"PLTE", bytes(768)), rest)
    yield "texts", filled(start, chunk(b"tEXt", b"Comment\0" + bytes(600)), rest)
    bomb = zlib.compress(bytes(900_000))
    yield "packed texts", filled(start, chunk(b"zTXt", b"Raw profile type exif\0\0" + bomb), rest)
    yield (
        "packed lines",
        filled(start, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\n" * 990_000)), rest),
    )
    yield "packed XMP", filled(start, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb), rest)
    yield "profiles", filled(start, chunk(b"iCCP", b"x\0\0" + bomb), rest)
    tags = b"".join(struct.pack(">HHII", 40_000 + tag, 7, 900_000, 8) for tag in range(4_000))
    exif = b"MM\0*\0\0\0\x08" + struct.pack(">H", 4_000) + tags
    yield "EXIF tags", start + chunk(b"eXIf", exif.ljust(990_000, b"\0")) + rest
    yield "a longer stream than the picture", start + chunk(b"IDAT", zlib.compress(bytes(10**9), 1)) + end
    small = zlib.compressobj(0)
    stored = small.compress(bytes(65 * 64)) + small.flush()
    one_byte = b"".join(chunk(b"IDAT", stored[place : place + 1]) for place in range(len(stored)))
    yield "pixels of one byte", start + one_byte + end
    pieces = b"".join(chunk(b"IDAT", bytes(501)) for _ in range(36_000))
    yield "many pieces of pixels", start + pixels + pieces + end


def gifs() -> Iterator[tuple[str, bytes]]:
    whole = saved(GREY, "GIF")
    start = 13 + (3 << (whole[10] & 7) + 1 if whole[10] & 0x80 else 0)
    head, rest = whole[:start], whole[start:]
    yield "comments", filled(head, b"!\xfe\1a\0", rest)
    yield "empty comments", filled(head, b"!\xfe\0", rest)
    yield "a comment of single bytes", filled(head + b"!\xfe", b"\1a", b"\0" + rest)
    yield "a comment of full blocks", filled(head + b"!\xfe", b"\xff" + bytes(255), b"\0" + rest)
    yield "applications", filled(head, b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0", rest)
    yield "an application of single bytes", filled(head + b"!\xff\x0bXMP DataXMP", b"\1a", b"\0" + rest)
    yield "controls", filled(head, b"!\xf9\4\0\0\0\0\0", rest)
    yield "junk", filled(head, b"\0", rest)
    place = rest.index(b",") + 10
    pixels, tail = rest[: place + 1], rest[place + 1 :]
    yield "pixels of single bytes", filled(head + pixels, b"\1\0", tail)
    yield "a stream that starts anew", filled(head + pixels, b"\xff" + bytes([0, 1, 2, 4] * 63) + b"\0\1\2", tail)
    yield "frames", filled(head, rest[:-1], b";")
    yield "pixels behind the picture", filled(whole[:-2], b"\xff" + bytes(255), b"\0;")


def webps() -> Iterator[tuple[str, bytes]]:
    still = saved(COLOUR, "WEBP")[12:]
    frames = saved(COLOUR, "WEBP", save_all=True, append_images=[GREY.convert("RGB")])[12:]

    def piece(kind: bytes, body: bytes = b"") -> bytes:
        return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    def riff(before: bytes, repeated: bytes, after: bytes = b"") -> bytes:
        body = b"WEBP" + filled(before, repeated, after, SIZE - 12)
        return b"RIFF" + struct.pack("<I", len(body)) + body

    extended = piece(b"VP8X", bytes([0x2C, 0, 0, 0, 63, 0, 0, 63, 0, 0]))
    animated = piece(b"VP8X", bytes([2, 0, 0, 0, 63, 0, 0, 63, 0, 0])) + piece(b"ANIM", bytes(6))
    frame = frames[frames.index(b"ANMF") :]
    frame = frame[: 8 + struct.unpack_from("<I", frame, 4)[0]]
    for kind in (b"abcd", b"EXIF", b"XMP ", b"ICCP", b"ALPH", b"ANIM", b"VP8X", b"ANMF", b"VP8 "):
        yield f"empty {kind.decode().strip()}", riff(extended, piece(kind), still)
        yield f"empty {kind.decode().strip()} behind the pixels", riff(extended + still, piece(kind))
    yield "frames", riff(animated, frame)
    tiny = piece(b"ANMF", bytes(16) + piece(b"VP8L", b"\x2f\0\0\0\0\x88\x88\x08"))
    yield "frames of one pixel", riff(animated, tiny)
    yield "chunks in a frame", riff(animated + b"ANMF" + struct.pack("<I", SIZE - 80) + bytes(16), piece(b"abcd"))
    tags = b"".join(struct.pack("<HHII", 40_000 + tag, 7, 900_000, 8) for tag in range(4_000))
    exif = b"II*\0\x08\0\0\0" + struct.pack("<H", 4_000) + tags
    yield "EXIF tags", riff(extended + still + piece(b"EXIF", exif.ljust(990_000, b"\0")), piece(b"abcd", bytes(9000)))
    huge = piece(b"VP8X", b"\2\0\0\0" + (16_382).to_bytes(3, "little") * 2) + piece(b"ANIM", bytes(6))
    yield "a large canvas", riff(huge + frame, piece(b"abcd", bytes(9000)))


def bmps() -> Iterator[tuple[str, bytes]]:
    def bmp(width: int, height: int, bits: int, compression: int, colours: int, body: bytes) -> bytes:
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, colours, 0)
        start = 54 + 4 * min(colours, 65_536)
        return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + bytes(start - 54) + body

    for bits, compression in ((8, 1), (4, 2)):
        yield f"RLE{bits} of single pixels", bmp(4999, 4999, bits, compression, 2, filled(b"", b"\1\0"))
        yield f"RLE{bits} of long runs", bmp(4999, 4999, bits, compression, 2, b"\xff\0" * 100_000)
        yield f"RLE{bits} of empty lines", bmp(4999, 4999, bits, compression, 2, b"\0\0\1\0" * 2500)
        yield f"RLE{bits} without movement", bmp(64, 64, bits, compression, 2, filled(b"", b"\0\2\0\0"))
        yield f"RLE{bits} of lines that are ended", bmp(64, 64, bits, compression, 2, filled(b"", b"\0\0"))
        yield f"RLE{bits} of small copies", bmp(2800, 2800, bits, compression, 2, b"\0\3\0\0\0\0" * 330_000)
        yield f"RLE{bits} at its limit", bmp(2800, 2800, bits, compression, 2, b"\1\0" * 990_000)
    yield "colours", bmp(64, 64, 8, 0, 65_536, filled(b"", b"\0"))
    yield "a billion colours", bmp(64, 64, 8, 0, 2**31 - 1, filled(b"", b"\0"))


FILES: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
    "JPEG": jpegs,
    "PNG": pngs,
    "GIF": gifs,
    "WEBP": webps,
    "BMP": bmps,
}
