"""Tests that a picture is admitted, with the pixels that will be in memory, before they are decoded."""

import io

import pytest
from PIL import Image

from models.pictures import BrokenPicture, PictureTooLarge, inspect


def file(format: str, *, size: tuple[int, int] = (640, 320), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "PPM"])
def test_the_pixels_of_the_header_are_admitted_once(format: str) -> None:
    admitted: list[int] = []
    inspect(file(format), admit=admitted.append)
    assert admitted == [640 * 320]


def test_a_reduced_jpeg_takes_less_unless_it_is_progressive() -> None:
    """320 x 160 pixels are decoded; the decoder of a progressive one holds the coefficients of all its pixels."""
    for progressive, expected in ((False, 320 * 160), (True, 640 * 320)):
        admitted: list[int] = []
        inspect(file("JPEG", progressive=progressive), reduce_above=320 * 160, admit=admitted.append)
        assert admitted == [expected]


def test_what_is_refused_by_its_header_is_not_admitted() -> None:
    admitted: list[int] = []
    with pytest.raises(PictureTooLarge):
        inspect(file("PNG"), max_pixels=1000, admit=admitted.append)
    with pytest.raises(BrokenPicture):
        inspect(file("PNG", size=(1, 100)), admit=admitted.append)
    assert admitted == []


def test_nothing_is_decoded_when_it_is_not_admitted() -> None:
    """The file is cut off, which only decoding notices."""

    def refuse(pixels: int) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        inspect(file("PNG")[:-30], admit=refuse)
