"""Pictures are saved exactly as the service made them, whole or not at all."""

import os
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from mirage.errors import BadOption
from mirage.results.inside import FeatureMap
from mirage.results.pictures import WithPictures


def result(format: str = "PNG") -> FeatureMap:
    buffer = BytesIO()
    image = Image.new("RGB", (5, 4), (255, 0, 0))
    image.save(buffer, format)
    return FeatureMap(3, image, files={"image": buffer.getvalue()})


def test_the_file_is_the_one_of_the_service(tmp_path: Path) -> None:
    saved = result().save(tmp_path / "cat.png")
    assert saved.read_bytes() == result().files["image"]
    assert os.listdir(tmp_path) == ["cat.png"]


@pytest.mark.parametrize(
    ("format", "name"), [("JPEG", "a.jpg"), ("JPEG", "a.JPEG"), ("WEBP", "a.webp"), ("PNG", "a.PNG")]
)
def test_every_format_has_its_endings(format: str, name: str, tmp_path: Path) -> None:
    assert result(format).save(tmp_path / name).exists()


@pytest.mark.parametrize("name", ["cat.jpg", "cat", "cat.webp"])
def test_another_ending_would_be_another_picture(name: str, tmp_path: Path) -> None:
    """A PNG under the name of a JPEG misleads; a converted one has other figures than the result."""
    with pytest.raises(BadOption, match=r"cat\.png"):
        result().save(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_result_without_a_picture_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="no single picture"):
        WithPictures().save(tmp_path / "cat.png")
