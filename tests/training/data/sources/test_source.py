import os
import zipfile
from pathlib import Path

import pytest

from tests.training.drawn import write_gratings, zipped
from training.data.sources import source as source_module
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData


def test_a_zip_has_the_names_and_contents_of_its_folder(tmp_path: Path) -> None:
    folder = write_gratings(tmp_path / "data", {"x": 2, "y": 1})
    plain, packed = open_source(folder), open_source(zipped(folder, tmp_path / "data.zip"))
    files = [name for name in plain.names if not name.endswith("/")]
    assert files == list(packed.names) == ["x/0.png", "x/1.png", "y/0.png"]
    assert all(plain.read(name) == packed.read(name) for name in files)


def test_no_member_is_written_outside_of_the_zip(tmp_path: Path) -> None:
    """A member called ../evil is read as bytes like any other, and no file appears anywhere."""
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("x/../../evil.png", b"data")
    source = open_source(tmp_path / "evil.zip")
    assert source.read(source.names[0]) == b"data"
    assert [file.name for file in tmp_path.rglob("*")] == ["evil.zip"]


def test_a_decompression_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_FILE_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/bomb.png", bytes(10**6))
    with pytest.raises(BadData, match="more than 1,000 bytes"):
        open_source(tmp_path / "bomb.zip").read("x/bomb.png")


def test_missing_and_broken_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="there is no"):
        open_source(tmp_path / "missing")
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    with pytest.raises(BadData, match="not a zip or tar archive"):
        open_source(tmp_path / "broken.zip")


def test_a_missing_file_is_named_without_its_folder(tmp_path: Path) -> None:
    folder = write_gratings(tmp_path / "data", {"x": 1, "y": 1})
    source = open_source(folder)
    (folder / "x" / "0.png").unlink()
    with pytest.raises(BadData, match=r"x/0\.png cannot be read") as error:
        source.read("x/0.png")
    assert str(tmp_path) not in str(error.value)


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    """A class folder may be a link; one that leads back to a folder above ends there."""
    write_gratings(tmp_path / "elsewhere", {"x": 2})
    folder = write_gratings(tmp_path / "data", {"y": 1})
    (folder / "x").symlink_to(tmp_path / "elsewhere" / "x")
    (folder / "y" / "up").symlink_to(folder)
    (folder / "round").symlink_to(folder / "y")
    (folder / "y" / "lost.png").symlink_to(folder / "nothing.png")
    files = [name for name in open_source(folder).names if not name.endswith("/")]
    assert files == ["round/0.png", "round/lost.png", "x/0.png", "x/1.png", "y/0.png", "y/lost.png"]
    with pytest.raises(BadData, match=r"y/lost\.png cannot be read"):
        open_source(folder).read("y/lost.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe_is_ignored(tmp_path: Path) -> None:
    """Opening it would wait until a process writes to it."""
    folder = write_gratings(tmp_path / "data", {"x": 1, "y": 1})
    os.mkfifo(folder / "x" / "pipe.png")
    assert "x/pipe.png" not in open_source(folder).names


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    """The bytes of the member are no valid deflate stream."""
    with zipfile.ZipFile(tmp_path / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/0.png", bytes(range(256)) * 40)
    data = bytearray((tmp_path / "data.zip").read_bytes())
    data[37:60] = b"\xff" * 23
    (tmp_path / "data.zip").write_bytes(data)
    with pytest.raises(BadData, match=r"x/0\.png cannot be read \(error"):
        open_source(tmp_path / "data.zip").read("x/0.png")


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sub-folder is listed as a file that cannot be read; for the data set itself it is an error."""
    folder = write_gratings(tmp_path / "data", {"x": 1, "x/closed": 1})
    system_scandir = os.scandir

    def scandir(path: str) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return system_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    closed = folder / "x" / "closed"
    source = open_source(folder)
    assert source.names == ("x/", "x/0.png", "x/closed")
    with pytest.raises(BadData, match="x/closed cannot be read"):
        source.read("x/closed")
    closed = folder
    with pytest.raises(BadData, match=r"data cannot be listed \(Permission denied\)"):
        open_source(folder)
