"""Files appear whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from mirage.files import check_writable, write_whole


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").write_bytes(b"")
    write_whole(tmp_path / "new", b"content")
    assert (tmp_path / "new").read_bytes() == b"content"
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_file_that_is_replaced_keeps_its_permissions_and_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=r"No space.*file"):
        write_whole(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_bytes() == b"old"


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_whole(Path(os.devnull), b"content")
    assert not Path(os.devnull).is_file()


def test_what_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    """A folder, a path in no folder, links in a circle; and nothing is touched."""
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name in (".", "no/such/file", "circle"):
        with pytest.raises(OSError):  # the text is the system's
            check_writable(tmp_path / name)
    check_writable(tmp_path / "new")
    assert os.listdir(tmp_path) == ["circle"]
