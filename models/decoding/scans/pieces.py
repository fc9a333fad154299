"""The limits of all scans, each far above what programs write and far below what takes long, and their errors."""

from models.decoding.errors import BrokenPicture

FEW_PIECES = 10_000
"""Pieces (segments, chunks, boxes) that a file may have whatever their size. Each takes under 1 µs here; those that
stay in the file take up to 20 µs in Pillow, so this many take 0.2 s."""
SMALLEST_PIECE = 512
"""Bytes that further pieces must have on average: a file of 20 MB has at most 50,000 pieces in all."""
MOST_SUB_BLOCKS = 200_000
"""Blocks of at most 255 bytes in the extensions before the first picture of a GIF: 20 MB of XMP have 80,000."""
LARGEST_TEXT = 1_000_000
"""Bytes of the largest text or EXIF block that is searched for the orientation; larger ones are ignored."""
MOST_TEXTS = 16
"""Texts and EXIF blocks of a file that are searched for the orientation; programs write at most three."""

LARGEST_TABLES = 65_536
"""Bytes of all tables before the pixels of a JPEG. The largest tables that it can use take 2.2 kB."""
MOST_SCANS = 100
"""Scans of a JPEG. Encoders write about ten, and each is a pass of the decoder over the picture."""
FEW_SCANS = 20
"""Scans that a JPEG of any size may have: libjpeg writes up to 18."""
MOST_SCANNED_PIXELS = 1_000_000_000
"""Scans times pixels of a JPEG with more scans than that. The decoder takes up to 2 ns for each."""
MOST_ARITHMETIC_PIXELS = 40_000_000
"""Scans times pixels of a JPEG with arithmetic coding, which hardly any program writes. Each takes up to 40 ns."""
LONGEST_FILL = 4_096
"""Fill bytes in a row among the pixels of a JPEG. The decoder goes through all of them for each 64 kB that it reads."""

MOST_RLE_BYTES = 2_000_000
"""Bytes of the pixels of a run-length encoded BMP, which Pillow decodes in Python at 3 MB/s."""
MOST_RLE_PIXELS = 8_000_000
"""Pixels of such a BMP: Pillow takes 0.1 µs for each."""

MOST_TAGS = 4_096
"""Tags in the directory of a TIFF. Programs write 10 to 100."""
MOST_STRIPS = 100_000
"""Strips or tiles of a TIFF; without compression Pillow takes 10 µs for each."""
MOST_CHANNELS = 4_096
"""Values of a tag that has one for each channel of a TIFF."""
MOST_SHARED_STRIPS = 16
"""How often the strips of a TIFF may cover the file on average; normally each byte belongs to one strip."""
LARGE_TILE = 1 << 22
"""Pixels of a tile that is decoded as a whole, whatever the size of the picture: 2,048 x 2,048."""

MOST_ITEMS = 4_096
"""Items of an AVIF or HEIC, such as the tiles of a photo; the decoder compares each with all others."""
MOST_PROPERTIES = 20_000
"""Properties of an AVIF or HEIC, and their uses by items; the decoder copies each for each use."""
MOST_TRACKS = 16
"""Tracks of an animated AVIF or HEIC: colours, alpha, and sound."""
MOST_SAMPLES = 500_000
"""Entries of the tables of an animated AVIF or HEIC, of which each frame has up to four."""
MOST_FRAMES = 16
"""Frames in one stored picture of an AVIF or HEIC; a progressive one has a handful. Each is decoded as a whole picture,
although a frame that is never shown takes a hundred bytes."""
MOST_CODED = 6
"""Pixels that are decoded for each pixel of an AVIF or HEIC: one, and more for layers and padded tiles."""
FEW_CODED = 4_000_000
"""Pixels that may be decoded besides."""
MOST_NESTED = 4
"""Pictures of an AVIF or HEIC inside one another: a coded tile in a grid in an overlay."""
MOST_SHARED = 4
"""How often the items of an AVIF or HEIC, or their properties, may cover the file; normally each byte has one use."""
FEW_PROPERTY_BYTES = 10_000_000
"""Bytes of properties that may be used besides, such as one colour profile for a thousand tiles."""

MOST_HEADER_MARKERS = 1_000
"""Segments before the first tile of a JPEG 2000; Pillow walks them in Python."""
MOST_TILES = 10_000
"""Tiles of a JPEG 2000; each takes some kilobytes of memory before a pixel is decoded."""
SMALLEST_TILE = 256
"""Pixels of a tile of a JPEG 2000 on average, of more than a hundred tiles."""
MOST_TILE_PARTS = 50_000
"""Parts of tiles of a JPEG 2000, and segments in their headers."""
MOST_LAYERS = 1_000
"""Quality layers of a JPEG 2000."""
MOST_PACKETS = 200_000
"""Packets (layers times precincts) of a JPEG 2000, besides one for each 64 pixels."""
SMALLEST_BLOCK = 8
"""Base-2 logarithm of the fewest pixels (256) of a code block, and of a precinct on average."""
FEW_PRECINCTS = 10_000
"""Precincts that may be smaller than that."""


def check_count(count: int, place: int, kind: str) -> None:
    """Raise BrokenPicture if a file has more pieces than any program writes, `count` of them up to `place`."""
    if count > FEW_PIECES + place // SMALLEST_PIECE:
        raise BrokenPicture(
            f"the {kind} consists of more pieces than any program writes ({count:,} so far)", "save it again"
        )


def refuse(kind: str, number: int, what: str, most: int) -> BrokenPicture:
    """The error for a file of this kind that has `number` of something, for which `most` is the limit."""
    return BrokenPicture(f"the {kind} has {number:,} {what}; {most:,} is the most that is read", "save it again")
