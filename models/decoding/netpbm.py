"""Reading PBM, PGM, PPM, PAM and PFM files (netpbm.sourceforge.net/doc) with numpy.

Pillow is not used: its decoder runs a Python loop per sample, and it keeps at most 8 bits of a colour.
"""

import re
from dataclasses import dataclass, replace

import numpy as np

from models.decoding.errors import BrokenPicture
from models.decoding.scans.pieces import FEW_PIECES, refuse

TOKEN = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])+([^\s#]{1,20})")
"""A word of the header, after blanks and comments."""

LARGEST_HEADER = 65_536
"""Bytes from the start of the file in which the header must end."""
PLAIN_BLOCK = 1 << 20
"""Bytes of digits that are converted to numbers at once."""
CHANNELS = {b"1": 1, b"2": 1, b"3": 3, b"4": 1, b"5": 1, b"6": 3, b"f": 1, b"F": 3}
"""Number of channels by the digit or letter after the P; the header of a PAM (P7) states it."""


@dataclass(frozen=True)
class Header:
    """The text before the samples: `white` is the largest value (1 for PFM), `start` the position of the samples.

    `kind` is the digit or letter after the P, `order` the byte order as in numpy's type names.
    """

    kind: bytes
    width: int
    height: int
    channels: int
    white: int
    start: int
    order: str = ">"

    @property
    def samples(self) -> int:
        """Number of samples of the whole picture."""
        return self.width * self.height * self.channels

    @property
    def size(self) -> int:
        """Bytes of the samples, for the formats that do not write them as text."""
        if self.kind == b"4":
            return -(-self.width // 8) * self.height
        return self.samples * (4 if self.kind in b"fF" else 1 if self.white < 256 else 2)


def header_of(data: bytes) -> Header:
    """Read the header; raises BrokenPicture."""
    kind = data[1:2]
    try:
        header = _pam_header(data) if kind == b"7" else _header(data, kind)
    except (ValueError, KeyError) as error:
        raise BrokenPicture(
            f"the header of the P{kind.decode()} picture cannot be read ({error})", "send it whole"
        ) from error
    if not (0 < header.white < 65536 and 1 <= header.channels <= 4):
        raise BrokenPicture(
            f"the P{kind.decode()} picture has {header.channels} channels with values up to {header.white}",
            "save it again",
        )
    return header


def _header(data: bytes, kind: bytes) -> Header:
    place, tokens = 2, []
    for _ in range(2 if kind in b"14" else 3):
        token = TOKEN.match(data, place, LARGEST_HEADER)
        if token is None:
            raise ValueError("a number is missing")
        tokens.append(token[1])
        place = token.end()
    width, height = _whole_number(tokens[0]), _whole_number(tokens[1])
    if kind in b"fF":
        scale = float(tokens[2])
        if not (np.isfinite(scale) and scale):
            raise ValueError("its scale is no number")
        return Header(kind, width, height, CHANNELS[kind], 1, place + 1, "<" if scale < 0 else ">")
    header = Header(kind, width, height, CHANNELS[kind], 1 if kind in b"14" else _whole_number(tokens[2]), place + 1)
    # One blank ends the header. Programs on Windows may write two, and then the file is a byte longer.
    longer = data[place : place + 2] == b"\r\n" and len(data) == place + 2 + header.size
    return replace(header, start=place + 2) if longer else header


def _pam_header(data: bytes) -> Header:
    text, end, _ = data[:LARGEST_HEADER].partition(b"ENDHDR")
    start = data.find(b"\n", len(text)) + 1
    if not (end and start):
        raise ValueError("its end is missing")
    lines = (line.split() for line in text.splitlines()[1:] if not line.startswith(b"#"))
    fields = {line[0]: line[1] for line in lines if len(line) > 1}
    width, height, depth, white = (_whole_number(fields[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    return Header(b"7", width, height, depth, white, start)


def _whole_number(token: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,10}", token):
        raise ValueError(f"{token[:10]!r} is no whole number")
    return int(token)


def numbers_of(data: bytes, header: Header) -> np.ndarray:
    """The samples as they are in the file, [height, width, channels]; raises BrokenPicture if some are missing."""
    if header.kind in b"123":
        values = _plain(data, header)
    elif header.kind == b"4":
        return _packed(data, header)
    else:
        values = _binary(data, header)
    if header.kind not in b"fF" and len(values) and int(values.max()) > header.white:
        raise BrokenPicture(
            f"the picture holds {int(values.max())}, and its header says {header.white} at most", "save it again"
        )
    picture = values.reshape(header.height, header.width, header.channels)
    if header.kind == b"1":
        return 1 - picture  # 1 is black in a bitmap
    return picture[::-1] if header.kind in b"fF" else picture


def _binary(data: bytes, header: Header) -> np.ndarray:
    kind = f"{header.order}f4" if header.kind in b"fF" else "u1" if header.white < 256 else ">u2"
    if len(data) - header.start < header.size:
        raise BrokenPicture("the file ends before the picture does", "send it whole")
    return np.frombuffer(data, kind, header.samples, header.start)


def _packed(data: bytes, header: Header) -> np.ndarray:
    row = -(-header.width // 8)
    if len(data) - header.start < header.size:
        raise BrokenPicture("the file ends before the picture does", "send it whole")
    bits = np.frombuffer(data, "u1", row * header.height, header.start).reshape(header.height, row)
    return 1 - np.unpackbits(bits, axis=1, count=header.width)[..., None]


def _plain(data: bytes, header: Header) -> np.ndarray:
    """Samples written as digits; memory for them is taken only if the text is long enough to hold them."""
    text = memoryview(data)[header.start - 1 :]
    comments = data.count(b"#", header.start - 1)
    if comments > FEW_PIECES:
        raise refuse("picture's text", comments, "comments", FEW_PIECES)
    if comments:
        text = memoryview(re.sub(rb"#[^\r\n]*", b"", text))
    bits = header.kind == b"1"
    if len(text) * (1 if bits else 0.5) + 1 < header.samples:
        raise BrokenPicture("the file ends before the picture does", "send it whole")
    samples = np.empty(header.samples, np.uint8 if header.white < 256 else np.uint16)
    count = place = 0
    while count < header.samples and place < len(text):
        block = bytes(text[place : place + PLAIN_BLOCK])
        if place + len(block) < len(text) and not bits:
            block = block[: max(block.rfind(b" "), block.rfind(b"\n"), block.rfind(b"\t"), block.rfind(b"\r")) + 1]
        values = _digits(block, header, bits)[: header.samples - count]
        samples[count : count + len(values)] = values
        count, place = count + len(values), place + len(block)
    if count < header.samples:
        raise BrokenPicture("the file ends before the picture does", "send it whole")
    return samples


def _digits(block: bytes, header: Header, bits: bool) -> np.ndarray:
    if not block or block.translate(None, b"0123456789 \t\n\v\f\r"):
        raise BrokenPicture("the picture's text holds something other than whole numbers", "save it again")
    if bits:
        digits = np.frombuffer(block.translate(None, b" \t\n\v\f\r"), "u1") - ord("0")
        values: np.ndarray = digits.astype(np.int64)
    else:
        values = np.fromstring(block, np.int64, sep=" ") if block.strip() else np.empty(0, np.int64)
    if len(values) and int(values.max()) > header.white:
        raise BrokenPicture(
            f"the picture holds {values.max()}, and its header says {header.white} at most", "save it again"
        )
    return values
