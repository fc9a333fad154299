"""As `segments`, for the formats that are trees of tags or boxes: TIFF, JPEG 2000, AVIF and HEIC; and for PPM."""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

from PIL import features

from soak.pictures.hostile.segments import COLOUR, GREY, SIZE, box, filled, full_box, saved

Tags = dict[int, tuple[int, int, int]]


def directory(tags: Sequence[tuple[int, int, int, int]], following: int = 0, *, big: bool = False) -> bytes:
    """Write tags as number, type, count, and value or position."""
    entries = b"".join(struct.pack("<HHQQ" if big else "<HHII", *tag) for tag in tags)
    return struct.pack("<Q" if big else "<H", len(tags)) + entries + struct.pack("<Q" if big else "<I", following)


def grey_tags(width: int = 64, height: int = 64, /, **changes: tuple[int, int, int]) -> list[tuple[int, int, int, int]]:
    """Tags of a grey picture in one strip behind the header; `changes` are named t273 and so on."""
    tags: dict[int, tuple[int, int, int]] = {
        256: (4, 1, width),
        257: (4, 1, height),
        258: (3, 1, 8),
        259: (3, 1, 1),
        262: (3, 1, 1),
        273: (4, 1, 16),
        277: (3, 1, 1),
        278: (4, 1, height),
        279: (4, 1, width * height),
    }
    tags |= {int(name[1:]): change for name, change in changes.items()}
    return [(number, *rest) for number, rest in sorted(tags.items()) if rest[1]]


def tiff(tags: Sequence[tuple[int, int, int, int]], pixels: bytes, following: int = 0) -> bytes:
    start = 16 + len(pixels)
    return b"II*\0" + struct.pack("<I", start) + bytes(8) + pixels + directory(tags, following)


def tiffs() -> Iterator[tuple[str, bytes]]:
    pixels = bytes(64 * 64)
    fill = bytes(SIZE - 70_000)
    many = len(fill)
    for number in (270, 305, 700, 34675, 34377, 33723, 34665, 330, 37724):
        yield f"tag {number} of the whole file", tiff([*grey_tags(), (number, 1, many, 16)], fill)
    unknown = [(40_000 + tag, 7, many, 16) for tag in range(4_000)]
    yield "tags of the whole file", tiff([*grey_tags(), *unknown], fill)
    yield "65,535 tags", tiff(([*grey_tags(), *unknown] * 20)[:65_535], fill)
    for number in (258, 273, 277, 279, 338, 339, 320, 347, 282):
        kind = 5 if number == 282 else 4
        units = 8 if number == 282 else 4
        changes = {f"t{number}": (kind, many // units, 16)}
        yield f"tag {number} of many values", tiff(grey_tags(**changes), fill)
    for compression in (1, 5, 8):
        strips = {"t273": (4, 90_000, 16), "t279": (4, 90_000, 16), "t278": (4, 1, 1), "t259": (3, 1, compression)}
        value = struct.pack("<I", 999_999) * 100_000
        yield (
            f"strips of 1 MB each, compression {compression}",
            tiff(
                grey_tags(800, 20_000, **(strips | {"t273": (4, 20_000, 16), "t279": (4, 20_000, 16)})),
                value + fill[:15_000_000],
            ),
        )
        yield f"more strips than rows, compression {compression}", tiff(grey_tags(**strips), fill)
    again = {"t273": (4, 90_000, 16), "t279": (4, 90_000, 16), "t278": (4, 1, 3_999)}
    yield "strips from the top again", tiff(grey_tags(4_000, 4_000, **again), fill)
    rows = {"t273": (4, 20_000, 16), "t279": (4, 20_000, 16), "t278": (4, 1, 1)}
    yield (
        "strips of one row",
        tiff(grey_tags(900, 20_000, **rows), struct.pack("<I", 100_000) * 20_000 + fill[:18_000_000]),
    )
    tiles = {"t273": (4, 0, 0), "t279": (4, 0, 0), "t322": (4, 1, 16), "t323": (4, 1, 16)}
    tiles |= {"t324": (4, 97_969, 16), "t325": (4, 97_969, 16)}
    yield "small tiles", tiff(grey_tags(4_999, 4_999, **tiles), fill)
    yield "small packed tiles", tiff(grey_tags(4_999, 4_999, **tiles, t259=(3, 1, 8)), fill)
    one = {"t273": (4, 0, 0), "t279": (4, 0, 0), "t324": (4, 1, 16), "t325": (4, 1, 5_000), "t259": (3, 1, 8)}
    bomb = zlib.compress(bytes(25_000_000))
    yield "one large tile", tiff(grey_tags(**one, t322=(4, 1, 4_992), t323=(4, 1, 4_992)), bomb)
    bombed = {"t259": (3, 1, 8), "t279": (4, 1, 970_000)}
    yield "a strip longer than the picture", tiff(grey_tags(**bombed), zlib.compress(bytes(10**9), 1)[:980_000])
    first = tiff(grey_tags(), pixels, 0)
    chained = bytearray(first)
    chained[-4:] = struct.pack("<I", len(first))
    one_more = b"".join(struct.pack("<HI", 0, len(first) + 6 * (page + 1)) for page in range(3_000_000))
    yield "empty directories", bytes(chained) + one_more
    chained[-4:] = struct.pack("<I", 16 + len(pixels))
    yield "a directory that follows itself", bytes(chained)
    head = b"II+\0" + struct.pack("<HHQ", 8, 0, 16 + len(fill))
    yield "a BigTIFF of large tags", head + fill + directory([*grey_tags(), *unknown], big=True)
    yield "a BigTIFF of 10^18 tags", head + fill + struct.pack("<Q", 10**18)
    packed = saved(COLOUR, "TIFF", compression="jpeg")
    yield "JPEG in a TIFF", packed
    for packing in ("packbits", "tiff_lzw", "tiff_adobe_deflate", "group4", "tiff_ccitt", "zstd", "lzma", "webp"):
        image = GREY.convert("1") if packing in ("group4", "tiff_ccitt") else COLOUR
        try:
            data = bytearray(saved(image, "TIFF", compression=packing))
        except (OSError, KeyError, ValueError, RuntimeError):
            continue
        start = struct.unpack_from("<I", data, 4)[0]
        for entry in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
            if struct.unpack_from("<H", data, entry)[0] in (256, 257, 278):
                data[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, 4_999)
        yield f"{packing} of a larger picture", bytes(data)


def jpeg2000s() -> Iterator[tuple[str, bytes]]:
    if not features.check("jpg_2000"):
        return
    whole = saved(COLOUR, "JPEG2000", no_jp2=False)
    stream = saved(COLOUR, "JPEG2000", no_jp2=True)
    start, header = whole[:12], whole[12:]
    place = header.index(b"jp2h") - 4
    length = struct.unpack_from(">I", header, place)[0]
    inside, behind = header[place + 8 : place + length], header[place + length :]
    yield "boxes", filled(start, box(b"free"), header)
    yield "boxes in the header", start + header[:place] + box(b"jp2h", inside, filled(b"", box(b"free"))) + behind
    palette = box(b"pclr", struct.pack(">HB", 1024, 3), bytes([7] * 3), bytes(3 * 1024))
    yield "palettes", start + header[:place] + box(b"jp2h", inside, filled(b"", palette)) + behind
    many = box(b"pclr", struct.pack(">HB", 65_535, 255), bytes([7] * 255), bytes(255 * 65_535))
    grey = inside.replace(b"\0\3\7\7", b"\0\1\7\7").replace(b"\0\0\0\x10", b"\0\0\0\x0c")
    yield "a large palette", start + header[:place] + box(b"jp2h", grey, many) + behind
    yield "resolutions", start + header[:place] + box(b"jp2h", inside, box(b"res ", filled(b"", box(b"free")))) + behind
    yield "boxes of length 0", filled(start, b"\0\0\0\0free", header)
    main = stream.index(b"\xff\x52")
    for name, piece in {
        "comments": b"\xff\x64\0\4\0\0",
        "unknown segments": b"\xff\x30\0\2",
        "segments of length 0": b"\xff\x30\0\0",
        "quantizations": b"\xff\x5d\0\5\0\x40\x40",
        "styles": stream[main : main + 2 + struct.unpack_from(">H", stream, main + 2)[0]],
        "progressions": b"\xff\x5f\0\x09\0\0\0\1\1\1\0",
    }.items():
        yield name, filled(stream[:main], piece, stream[main:])
    tile = stream.index(b"\xff\x90")
    part = b"\xff\x90\0\x0a\0\0" + struct.pack(">I", 14) + b"\0\0\xff\x93"
    yield "parts of tiles", filled(stream[:tile], part, stream[tile:])
    sizes = stream.index(b"\xff\x51") + 4

    def with_size(width: int, height: int, tile_w: int, tile_h: int) -> bytearray:
        data = bytearray(stream)
        struct.pack_into(">4I", data, sizes + 2, width, height, 0, 0)
        struct.pack_into(">4I", data, sizes + 18, tile_w, tile_h, 0, 0)
        return data

    yield "tiles", bytes(with_size(4_000, 4_000, 40, 40))
    yield "one huge tile", bytes(with_size(4_999, 4_999, 4_999, 4_999))
    yield "a tile of 2^31", bytes(with_size(64, 64, 2**31, 2**31))
    layers = with_size(4_999, 4_999, 4_999, 4_999)
    struct.pack_into(">H", layers, main + 6, 65_535)
    yield "65,535 layers", bytes(layers)
    struct.pack_into(">H", layers, main + 6, 1_000)
    yield "1,000 layers", bytes(layers)
    count = 16_384
    data = stream[: sizes + 34] + struct.pack(">H", count) + b"\7\1\1" * count
    data = data[: sizes - 2] + struct.pack(">H", 38 + 3 * count) + data[sizes:]
    yield "16,384 channels", data + stream[main:]


def media(format: str) -> Iterator[tuple[str, bytes]]:
    """Boxes of an AVIF or HEIC whose picture is an ordinary one."""
    if format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
        whole = saved(COLOUR, "HEIF")
    else:
        whole = saved(COLOUR, "AVIF")
    place = whole.index(b"meta") - 4
    length = struct.unpack_from(">I", whole, place)[0]
    before, meta, behind = whole[:place], whole[place + 12 : place + length], whole[place + length :]
    parts = dict(_boxes(meta))
    top = bytes(4)

    def built(changes: dict[bytes, bytes], more: bytes = b"") -> bytes:
        return before + box(b"meta", top, *(changes.get(kind, body) for kind, body in parts.items()), more) + behind

    yield "boxes", filled(before, box(b"free"), whole[place:])
    yield "boxes in meta", built({}, filled(b"", box(b"free")))
    yield "boxes of length 0", filled(before, b"\0\0\0\0free", whole[place:])
    entries = b"".join(
        full_box(b"infe", struct.pack(">IH", item, 0), (b"av01" if format == "AVIF" else b"hvc1") + b"\0", version=3)
        for item in range(1, 760_000)
    )
    yield "items", built({b"iinf": full_box(b"iinf", struct.pack(">I", 759_999), entries, version=1)})
    yield (
        "the same item",
        built({b"iinf": full_box(b"iinf", struct.pack(">I", 759_999), entries[:22] * 759_999, version=1)}),
    )
    extents = struct.pack(">II", 0, len(whole)) * 65_535
    located = b"".join(
        struct.pack(">HHHH", item, 0, 0, 65_535)[:4] + struct.pack(">H", 65_535) + extents for item in range(1, 30)
    )
    yield "parts of items", built({b"iloc": full_box(b"iloc", b"\x44\0" + struct.pack(">H", 29), located)})
    empty = b"".join(struct.pack(">HHH", item & 0xFFFF, 0, 0) for item in range(3_000_000))
    yield "locations", built({b"iloc": full_box(b"iloc", b"\x44\0" + struct.pack(">H", 65_535), empty)})
    uses = struct.pack(">HB", 1, 255) + b"\1" * 255
    yield (
        "uses of properties",
        built(
            {
                b"iprp": box(
                    b"iprp", box(b"ipco", box(b"free")), full_box(b"ipma", struct.pack(">I", 70_000), uses * 70_000)
                )
            }
        ),
    )
    nothing = struct.pack(">HB", 1, 0) * 6_000_000
    yield (
        "items without properties",
        built({b"iprp": box(b"iprp", box(b"ipco"), full_box(b"ipma", struct.pack(">I", 6_000_000), nothing))}),
    )
    property_ = full_box(b"pixi", b"\3\x08\x08\x08")
    yield (
        "properties",
        built({b"iprp": box(b"iprp", filled(b"ipco"[:0] + b"", box(b"ipco", property_ * 1_000_000)))[:SIZE]}),
    )
    reference = box(b"dimg", struct.pack(">HH", 1, 65_535), b"\0\1" * 65_535)
    yield "references", built({}, full_box(b"iref", reference * 140))
    short = box(b"auxl", struct.pack(">HHH", 1, 1, 1))
    yield "short references", built({}, full_box(b"iref", short * 1_300_000))
    table = full_box(b"stts", struct.pack(">I", 2_300_000), bytes(18_400_000))
    yield (
        "frames of an animation",
        before + whole[place:] + box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table))))),
    )
    yield "tracks", before + whole[place:] + box(b"moov", filled(b"", box(b"trak", full_box(b"tkhd", bytes(84)))))
    yield "EXIF", built({}, filled(b"", box(b"Exif")))


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        length = struct.unpack_from(">I", data, place)[0]
        yield data[place + 4 : place + 8], data[place : place + length]
        place += length


def avifs() -> Iterator[tuple[str, bytes]]:
    if features.check("avif"):
        yield from media("AVIF")


def heifs() -> Iterator[tuple[str, bytes]]:
    yield from media("HEIF")


def netpbms() -> Iterator[tuple[str, bytes]]:
    yield "comments in the header", filled(b"P3\n", b"#\n", b"2 2 255\n" + b"1 " * 12)
    yield "a few comments in the header", b"P3\n" + b"#\n" * 30_000 + b"2 2 255\n" + b"1 " * 12
    yield "blanks in the header", filled(b"P6", b" ", b"2 2 255\n" + bytes(12))
    yield "comments among the numbers", filled(b"P2 64 64 255\n", b"#\n", b"1 " * 4096)
    yield "comments behind numbers", filled(b"P2 2800 2800 255\n", b"1#\n")
    yield "blanks among the numbers", filled(b"P2 64 64 255\n", b" ", b"1 " * 4096)
    yield "single digits", filled(b"P2 3000 3000 255\n", b"1 ")
    yield "a number without end", filled(b"P2 64 64 255\n", b"1")
    yield "bits", filled(b"P1 4300 4300\n", b"1")
    yield "lines of a PAM", filled(b"P7\n", b"WIDTH 2\n", b"ENDHDR\n")


FILES: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
    "TIFF": tiffs,
    "JPEG2000": jpeg2000s,
    "AVIF": avifs,
    "HEIF": heifs,
    "PPM": netpbms,
}
