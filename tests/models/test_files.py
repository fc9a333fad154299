"""Tests that an atomic write leaves either the old file or the new one, and nothing else."""

import os
from pathlib import Path

import pytest

from models import files
from models.files import write_atomically


def test_missing_folders_are_created(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b" / "file", b"data")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"data"


def test_an_existing_file_is_replaced_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    for data in (b"old", b"new"):
        write_atomically(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_has_the_permissions_that_are_asked_for(tmp_path: Path) -> None:
    """Every user may read a file unless others are asked for, whatever the file had before."""
    for options, expected in (({}, 0o644), ({"mode": 0o600}, 0o600), ({}, 0o644)):
        write_atomically(tmp_path / "file", b"data", **options)
        assert (tmp_path / "file").stat().st_mode & 0o777 == expected


@pytest.mark.parametrize("stage", ["fsync", "chmod", "replace"])
def test_a_failure_at_any_stage_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError("broken")

    monkeypatch.setattr(files.os if stage == "fsync" else Path, stage, fail)
    with pytest.raises(OSError, match="broken"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
