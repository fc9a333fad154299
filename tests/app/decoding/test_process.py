"""Tests a decoder process: what it decodes, what it refuses, and that what kills it costs one picture."""

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from app.decoding.process import CannotDecode, DecoderProcess
from models.decoding.errors import BrokenPicture, NotAPicture, PictureError, PictureTooLarge
from models.decoding.levels import read_levels
from models.query import DeadlineExceeded

FREE = 1_000_000_000


def request(**changes: object) -> dict[str, object]:
    return {"max_pixels": 25_000_000, "shorter": None, "limit_name": "LIMIT", "free_pixels": FREE} | changes


def drawn(width: int = 40, height: int = 30) -> Image.Image:
    random = np.random.default_rng(0)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))


def file_of(format: str, image: Image.Image | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    (image or drawn()).save(file, format, **options)
    return file.getvalue()


def soon() -> float:
    return time.monotonic() + 60


@pytest.fixture(scope="module")
def process() -> Iterator[DecoderProcess]:
    """Return the process that most tests share; each leaves it alive."""
    process = DecoderProcess()
    process.wait_until_ready()
    yield process
    assert process.alive
    process.end()


@pytest.fixture
def own_process() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    process.wait_until_ready()
    yield process
    process.end()


def refuse(pixels: int) -> None:
    pytest.fail("nobody is asked about a small picture")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_it_decodes_what_this_process_would(process: DecoderProcess, format: str) -> None:
    file = file_of(format)
    expected, read = read_levels(file), process.decode(file, request(), refuse, until=soon())
    assert np.array_equal(read.values, expected.values)
    assert (read.format, read.width, read.height) == (expected.format, 40, 30)


def test_a_jpeg_is_decoded_at_a_smaller_scale_where_that_is_asked_for(process: DecoderProcess) -> None:
    read = process.decode(file_of("JPEG", drawn(640, 480)), request(shorter=100), refuse, until=soon())
    assert (read.values.shape, read.width, read.height) == ((3, 120, 160), 640, 480)


@pytest.mark.parametrize(
    ("file", "changes", "error", "message"),
    [
        (b"no picture at all", {}, NotAPicture, "are of no picture format"),
        (file_of("PNG")[:-40], {}, BrokenPicture, "cannot be decoded"),
        (file_of("PNG"), {"max_pixels": 1000}, PictureTooLarge, "40 x 30 pixels; the limit is 1,000.*raise LIMIT"),
        (file_of("PPM")[:20], {}, BrokenPicture, "."),
    ],
)
def test_its_errors_are_those_of_the_decoder(
    process: DecoderProcess, file: bytes, changes: dict[str, object], error: type[PictureError], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        process.decode(file, request(**changes), refuse, until=soon())
    assert type(raised.value) is error and raised.value.fault and raised.value.remedy


def test_it_asks_about_a_picture_with_more_pixels_than_are_free(process: DecoderProcess) -> None:
    asked: list[int] = []
    read = process.decode(file_of("PNG"), request(free_pixels=1199), asked.append, until=soon())
    assert asked == [1200] and read.values.shape == (3, 30, 40)
    process.decode(file_of("PNG"), request(free_pixels=1200), refuse, until=soon())


def test_an_error_of_whoever_is_asked_ends_the_process(own_process: DecoderProcess) -> None:
    def refuse(pixels: int) -> None:
        raise KeyError("no memory")

    with pytest.raises(KeyError, match="no memory"):
        own_process.decode(file_of("PNG"), request(free_pixels=0), refuse, until=soon())
    assert not own_process.alive


def test_a_process_that_is_killed_from_outside_costs_one_picture(own_process: DecoderProcess) -> None:
    """As the kernel does when memory runs out: that is no fault of the picture."""

    def kill(pixels: int) -> None:
        os.kill(own_process.number, signal.SIGKILL)

    with pytest.raises(CannotDecode, match="was killed: try again later"):
        own_process.decode(file_of("PNG"), request(free_pixels=0), kill, until=soon())
    assert not own_process.alive


def test_a_picture_that_is_overdue_is_given_up(own_process: DecoderProcess) -> None:
    """The process is stopped, as if it computed for ever, until it is killed."""
    os.kill(own_process.number, signal.SIGSTOP)

    def give_up() -> None:
        while not own_process.begun:
            time.sleep(0.001)
        own_process.kill(own_process.begun, DeadlineExceeded("too late"))

    threading.Thread(target=give_up).start()
    with pytest.raises(DeadlineExceeded, match="too late"):
        own_process.decode(file_of("PNG"), request(), refuse, until=soon())
    assert not own_process.alive


def test_the_next_picture_is_not_killed_in_the_place_of_the_last(process: DecoderProcess) -> None:
    process.decode(file_of("PNG"), request(), refuse, until=soon())
    process.kill(12345.0, DeadlineExceeded("of a picture that was decoded long ago"))
    assert process.decode(file_of("PNG"), request(), refuse, until=soon()).width == 40


COSTLY = """
from app.decoding import child
def read_levels(file, admit, **options):
    admit(1000)
    {work}
child.read_levels = read_levels
child.main()
"""
"""A decoder process whose decoder does some work with every picture of a thousand pixels."""


def decode_costly(work: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.decoding.process.PROGRAM", ("-c", COSTLY.format(work=work)))
    process = DecoderProcess()
    process.wait_until_ready()
    try:
        process.decode(file_of("PNG"), request(), refuse, until=soon())
    finally:
        process.end()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs limits of the address space")
def test_a_picture_gets_no_memory_beyond_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokenPicture, match="far more memory to decode"):
        decode_costly("bytearray(400_000_000)", monkeypatch)


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of computing time")
def test_a_picture_gets_no_time_beyond_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokenPicture, match="far more time to decode"):
        decode_costly("while True: pass", monkeypatch)


def test_a_crash_of_the_decoder_costs_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokenPicture, match="failed on this picture"):
        decode_costly("import os; os.abort()", monkeypatch)


def test_a_bug_of_the_decoder_is_an_error_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no fault of the file, and the log gets its traceback."""
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        decode_costly("1 / 0", monkeypatch)


def test_what_a_library_prints_reaches_neither_the_answers_nor_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RuntimeError, match="done"):
        decode_costly("import os; os.write(1, b'odd tag'); os.write(2, b'warning'); raise OSError('done')", monkeypatch)
    assert capfd.readouterr() == ("", "")


def test_signals_to_the_group_do_not_end_it(process: DecoderProcess) -> None:
    """Ctrl-C and a supervisor's SIGTERM are for the service, which still needs it to finish what it has begun."""
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process.number, number)
    assert process.decode(file_of("PNG"), request(), refuse, until=soon()).width == 40


def test_it_knows_no_settings_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRAGE_API_KEYS", "secret-key")
    process = DecoderProcess()
    process.wait_until_ready()
    try:
        if sys.platform.startswith("linux"):
            with open(f"/proc/{process.number}/environ", "rb") as file:
                assert b"secret-key" not in file.read()
    finally:
        process.end()


def test_without_a_process_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(CannotDecode, match="try again later"):
        DecoderProcess()
    monkeypatch.setattr(sys, "executable", "/bin/true")
    broken = DecoderProcess()
    with pytest.raises(CannotDecode, match="ended at its start"):
        broken.wait_until_ready()
