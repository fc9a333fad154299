"""Tests that an archive is read only if nothing in it is larger, or elsewhere, than PyTorch writes it."""

import struct
import zipfile
from pathlib import Path

import pytest

from models.program.graph import BadProgram
from training.importing.archive import opened


def write(file: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "model.pt2", {"model/a": b"first", "model/data/b": b"second"})


def test_members_are_read_by_their_names_in_the_folder(file: Path) -> None:
    with opened(file) as archive:
        assert archive.names == ["a", "data/b"] and archive.size == file.stat().st_size
        assert archive.read("a") == b"first" and archive.read("data/b", most=6) == b"second"
        with pytest.raises(BadProgram, match="has no c"):
            archive.read("c")
        with pytest.raises(BadProgram, match="data/b has more than 0 MB"):
            archive.read("data/b", most=5)


def test_without_a_common_folder_the_names_are_whole(tmp_path: Path) -> None:
    with opened(write(tmp_path / "old.pt2", {"version": b"1", "data/b": b"x"})) as archive:
        assert archive.names == ["version", "data/b"]


def refusal(file: Path) -> str:
    """Return why the archive, or one of its members, is refused."""
    with pytest.raises(BadProgram) as refused, opened(file) as archive:
        for name in archive.names:
            archive.read(name)
    return str(refused.value)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.pt2").write_text("no archive")
    assert "this is no archive" in refusal(tmp_path / "text.pt2")
    assert "there is no file" in refusal(tmp_path / "missing.pt2")
    assert "there is no file" in refusal(tmp_path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """A compressed member of a hundred kilobytes would become a hundred megabytes."""
    file = write(tmp_path / "bomb.pt2", {"model/a": bytes(100_000_000)}, zipfile.ZIP_DEFLATED)
    assert file.stat().st_size < 200_000
    assert "is compressed or encrypted" in refusal(file)


@pytest.mark.parametrize(
    "name", ["../outside", "model/../../outside", "/etc/passwd", "model\\..\\outside", "model/a\nb"]
)
def test_members_with_names_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    """Nothing is ever unpacked, but no honest archive has such names."""
    member = zipfile.ZipInfo("model/x")
    member.filename = name
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as archive:
        archive.writestr(member, b"x")
    assert "has a member named" in refusal(tmp_path / "model.pt2")


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    """Different programs might read different ones."""
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as archive:
        archive.writestr("model/a", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("model/a", b"second")
    assert "two members of the same name" in refusal(tmp_path / "model.pt2")


def directory_fields(content: bytes) -> list[int]:
    """Return where the entries of the directory at the end of an archive begin."""
    return [place for place in range(len(content)) if content[place : place + 4] == b"PK\1\2"]


def test_overlapping_members_are_refused(file: Path) -> None:
    """The second entry of the directory points to the first member, so that its bytes would count twice."""
    content = bytearray(file.read_bytes())
    second = directory_fields(content)[1]
    struct.pack_into("<I", content, second + 42, 0)
    file.write_bytes(content)
    assert "overlaps another member" in refusal(file)


def test_a_member_that_claims_more_bytes_than_it_has_is_refused(file: Path) -> None:
    """With a larger size the first member would reach into the second, and the second beyond the file."""
    original = file.read_bytes()
    for number, why in ((0, "overlaps another member"), (1, "longer than the file")):
        content = bytearray(original)
        struct.pack_into("<II", content, directory_fields(content)[number] + 20, 10_000, 10_000)
        file.write_bytes(content)
        assert why in refusal(file) or "damaged" in refusal(file)


def test_a_member_whose_header_is_overwritten_is_refused(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[:4] = b"JUNK"
    file.write_bytes(content)
    assert "model/a in the archive is damaged" in refusal(file)


def test_changed_bytes_are_noticed(file: Path) -> None:
    """Each member has a checksum."""
    file.write_bytes(file.read_bytes().replace(b"second", b"sEcond"))
    assert "data/b in the archive is damaged" in refusal(file)


def test_an_encrypted_member_is_refused(file: Path) -> None:
    content = bytearray(file.read_bytes())
    struct.pack_into("<H", content, directory_fields(content)[0] + 8, 1)
    file.write_bytes(content)
    assert "compressed or encrypted" in refusal(file)


def test_a_file_that_was_cut_off_is_refused(file: Path) -> None:
    content = file.read_bytes()
    for length in range(len(content)):
        file.write_bytes(content[:length])
        assert refusal(file)
