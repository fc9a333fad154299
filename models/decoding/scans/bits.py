"""The size in pixels that coded pictures state: AV1 (5.5) and HEVC (H.265, 7.3.2.2), whose headers are single bits.

The container states a size too, but the decoder takes memory and time for this one.
"""


class Bits:
    """Reads numbers of any number of bits; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """The next `count` bits as a whole number."""
        self._left -= count
        shifted = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return shifted & ((1 << count) - 1)

    def golomb(self) -> int:
        """A number in Exp-Golomb code, as `ue(v)` in H.265 and `uvlc()` in AV1."""
        zeros = 0
        while zeros < 32 and self._left > 0 and not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)


def av1_size(header: bytes) -> tuple[int, int]:
    """Largest width and height of the frames after this sequence header (without the header of its unit)."""
    bits = Bits(header[:64])
    bits.read(4)  # profile, whether it is a still picture
    if bits.read(1):  # the short form
        bits.read(5)
        return _av1_frame_size(bits)
    delay = 0
    if bits.read(1):  # timing
        bits.read(64)
        if bits.read(1):
            bits.golomb()
        if bits.read(1):  # the model of the decoder
            delay = 1 + bits.read(5)
            bits.read(42)
    has_initial_delay = bits.read(1)
    for _ in range(1 + bits.read(5)):  # operating points
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay and bits.read(1):
            bits.read(2 * delay + 1)
        if has_initial_delay and bits.read(1):
            bits.read(4)
    return _av1_frame_size(bits)


def _av1_frame_size(bits: Bits) -> tuple[int, int]:
    width_bits, height_bits = 1 + bits.read(4), 1 + bits.read(4)
    return 1 + bits.read(width_bits), 1 + bits.read(height_bits)


def hevc_size(unit: bytes) -> tuple[int, int]:
    """Width and height in a sequence parameter set, given as a unit with its header of two bytes."""
    bits = Bits(unit[2:128].replace(b"\0\0\3", b"\0\0"))  # the 3 keeps zeros from looking like the start of a unit
    bits.read(4)
    layers = bits.read(3)
    bits.read(1 + 88 + 8)  # profile and level
    flags = [bits.read(2) for _ in range(8 if layers else 0)]
    for flag in flags[:layers]:
        bits.read((88 if flag & 2 else 0) + (8 if flag & 1 else 0))
    bits.golomb()
    if bits.golomb() == 3:  # colours that are not subsampled
        bits.read(1)
    return bits.golomb(), bits.golomb()
