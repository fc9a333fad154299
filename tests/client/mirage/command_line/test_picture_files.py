"""Which files a command works on."""

import os
from pathlib import Path

import pytest

from mirage.command_line.picture_files import picture_files
from mirage.errors import BadPicture


def test_folders_give_their_pictures_in_order_and_files_are_taken_as_they_are(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "sub/c.webp", "notes.txt", ".hidden.png", ".cache/d.png", "sub/._e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    folder, text = str(tmp_path), str(tmp_path / "notes.txt")
    found = picture_files([text, folder])
    assert found == [text, *(os.path.join(folder, name) for name in ("a.png", "b.JPG", os.path.join("sub", "c.webp")))]


def test_a_folder_that_contains_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert picture_files([str(tmp_path)]) == [str(tmp_path / "a.png")]


@pytest.mark.parametrize("name", ["missing.png", "empty"])
def test_what_has_no_pictures_is_said_before_anything_is_done(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadPicture, match=name):
        picture_files([str(tmp_path / name)])
