"""Tests the header that makes a browser save a response as a file."""

import pytest

from app.web.attachments import attachment


@pytest.mark.parametrize(
    ("filename", "plain", "encoded"),
    [
        ("pets.md", "pets.md", "pets.md"),
        ("imagenet/resnet18.md", "imagenet_resnet18.md", "imagenet_resnet18.md"),
        ("Kätzchen 2.md", "K_tzchen_2.md", "K%C3%A4tzchen%202.md"),
        ('a"b\\c\r\nX: y.md', "a_b_c__X__y.md", "a%22b%5Cc%0D%0AX%3A%20y.md"),
        ("猫.md", "_.md", "%E7%8C%AB.md"),
    ],
)
def test_the_name_is_written_for_old_and_new_clients(filename: str, plain: str, encoded: str) -> None:
    """Quotes and line breaks can end neither the name nor the header."""
    value = attachment(filename)
    assert value == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    assert value.isascii() and value.isprintable()
