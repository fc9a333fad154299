"""Zips and tars as programs of several systems write them have the same photos as the folder that was packed."""

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from training.data.layout.layout import layout
from training.data.options import DataOptions
from training.data.sources import tars
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData, Source

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PHOTOS = {"cat/1.png": b"one", "cat/2.png": b"two", "dog/1.png": b"three"}


def zip_with(path: Path, names: dict[bytes, bytes]) -> Path:
    """A zip whose members have exactly these bytes as names, as a program of another system writes them."""
    stand_ins = {chr(ord("A") + number) * len(name): name for number, name in enumerate(names)}
    with zipfile.ZipFile(path, "w") as archive:
        for stand_in, name in stand_ins.items():
            archive.writestr(stand_in, names[name])
    raw = path.read_bytes()
    for stand_in, name in stand_ins.items():
        raw = raw.replace(stand_in.encode(), name)
    path.write_bytes(raw)
    return path


def tar_of(files: dict[str, bytes], prefix: str = "", encoding: str = "utf-8") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding=encoding) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def contents(source: Source) -> dict[str, bytes]:
    return {name: source.read(name) for name in source.names if not name.endswith("/")}


def test_backslashes_in_a_zip_are_separators(tmp_path: Path) -> None:
    """PowerShell 5 and .NET write backslashes, and some programs mix both."""
    names = {b"photos\\cat\\1.png": b"one", b"photos/cat\\2.png": b"two", b"photos\\dog\\1.png": b"three"}
    source = open_source(zip_with(tmp_path / "back.zip", names))
    assert contents(source) == {f"photos/{name}": data for name, data in PHOTOS.items()}
    assert layout(source).folders == ("cat", "dog")


@pytest.mark.parametrize(
    ("encoding", "cat", "dog"),
    [
        ("gbk", "猫", "狗"),
        ("cp437", "Kätzchen", "Hündchen"),
        ("shift_jis", "ネコ", "イヌ"),
        ("cp1251", "кошки", "собаки"),
    ],
)
def test_names_in_a_code_page_are_read_and_a_note_names_the_guess(
    tmp_path: Path, encoding: str, cat: str, dog: str
) -> None:
    names = {f"{animal}/1.png".encode(encoding): data for animal, data in ((cat, b"one"), (dog, b"two"))}
    source = open_source(zip_with(tmp_path / "old.zip", names))
    assert contents(source) == {f"{cat}/1.png": b"one", f"{dog}/1.png": b"two"}
    (note,) = layout(source).notes
    assert "does not say which encoding" in note and "--zip-encoding" in note and (cat in note or dog in note)


def test_the_encoding_of_the_option_is_used(tmp_path: Path) -> None:
    """These names are words in another encoding too, so it could not be guessed."""
    path = zip_with(tmp_path / "old.zip", {"kuş/1.png".encode("cp1254"): b"one", "kedi/1.png".encode("cp1254"): b"two"})
    source = open_source(path, DataOptions(zip_encoding="cp1254"))
    assert layout(source).folders == ("kedi", "kuş") and layout(source).notes == ()
    with pytest.raises(BadData, match=r"--zip-encoding: there is no text encoding 'cp0'"):
        open_source(path, DataOptions(zip_encoding="cp0"))


def test_utf8_without_its_flag_is_utf8(tmp_path: Path) -> None:
    """macOS writes zips without the flag."""
    source = open_source(zip_with(tmp_path / "mac.zip", {"Käse/1.png".encode(): b"one", b"Brot/1.png": b"two"}))
    assert layout(source).folders == ("Brot", "Käse") and layout(source).notes == ()


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zip_with(tmp_path / "locked.zip", {b"cat/1.png": b"one"})
    raw = bytearray(path.read_bytes())
    for start, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(start) + flags] |= 1
    path.write_bytes(raw)
    with pytest.raises(BadData, match=r"encrypted: unpack it with its password"):
        open_source(path)


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "photos.tar": bytes,
    "photos.tar.gz": gzip.compress,
    "photos.tgz": gzip.compress,
    "photos.tar.zst": zstd.compress,
    "photos.tar.bz2": bz2.compress,
    "photos.tar.xz": lzma.compress,
    "photos": gzip.compress,
}


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("prefix", ["", "./", "data/"])
def test_a_tar_is_read_whatever_its_compression_and_name(tmp_path: Path, name: str, prefix: str) -> None:
    (tmp_path / name).write_bytes(COMPRESSIONS[name](tar_of(PHOTOS, prefix)))
    source = open_source(tmp_path / name, unpacked=tmp_path / "unpacked")
    assert {file.removeprefix("data/"): data for file, data in contents(source).items()} == PHOTOS
    assert layout(source).folders == ("cat", "dog")
    assert [file.name for file in tmp_path.iterdir() if file.name != "unpacked"] == [name]


def test_a_compressed_tar_is_unpacked_once_for_its_content(tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    for name in ("one.tar.gz", "copy.tar.gz"):
        (tmp_path / name).write_bytes(gzip.compress(tar_of(PHOTOS), mtime=0))
        open_source(tmp_path / name, unpacked=unpacked)
    (file,) = unpacked.iterdir()
    (tmp_path / "one.tar.gz").write_bytes(gzip.compress(tar_of({**PHOTOS, "cat/1.png": b"eno"}), mtime=0))
    assert contents(open_source(tmp_path / "one.tar.gz", unpacked=unpacked))["cat/1.png"] == b"eno"
    assert len(list(unpacked.iterdir())) == 2 and file.is_file()


def test_links_in_a_tar_are_followed_inside_the_archive(tmp_path: Path) -> None:
    """`tar` writes a link for the second name of a file. A link to a file outside of the archive is an error when it is
    read, as in a folder; a pipe is ignored."""
    with tarfile.open(tmp_path / "links.tar", "w") as archive:
        for name, kind, target in (
            ("cat/1.png", tarfile.REGTYPE, ""),
            ("dog/1.png", tarfile.LNKTYPE, "cat/1.png"),
            ("dog/2.png", tarfile.SYMTYPE, "../cat/1.png"),
            ("dog/3.png", tarfile.SYMTYPE, "/etc/passwd"),
            ("dog/4.png", tarfile.SYMTYPE, "../../../etc/passwd"),
            ("dog/pipe", tarfile.FIFOTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, 3 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"one"))
    source = open_source(tmp_path / "links.tar")
    assert source.names == ("cat/1.png", "dog/1.png", "dog/2.png", "dog/3.png", "dog/4.png")
    assert all(source.read(name) == b"one" for name in source.names[:3])
    for name in source.names[3:]:
        with pytest.raises(BadData, match=f"{name} cannot be read.*a link to a file that is not in the archive"):
            source.read(name)


def test_names_of_a_tar_in_a_code_page_are_read(tmp_path: Path) -> None:
    (tmp_path / "old.tar").write_bytes(tar_of({"кошки/1.png": b"one", "собаки/1.png": b"two"}, encoding="cp1251"))
    result = layout(open_source(tmp_path / "old.tar"))
    assert result.folders == ("кошки", "собаки") and "--zip-encoding" in result.notes[0]


def test_a_truncated_tar_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(tar_of({"cat/1.png": bytes(range(256)) * 400}))
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadData, match=r"half\.tar\.gz cannot be unpacked .*: download it again"):
        open_source(tmp_path / "half.tar.gz", unpacked=tmp_path / "unpacked")
    assert list((tmp_path / "unpacked").iterdir()) == []


def test_a_decompression_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "MAX_UNCHECKED_BYTES", 1000)
    (tmp_path / "bomb.tar.gz").write_bytes(gzip.compress(tar_of({"cat/1.png": bytes(10**7)})))
    with pytest.raises(BadData, match="more than 1000 times its size"):
        open_source(tmp_path / "bomb.tar.gz", unpacked=tmp_path / "unpacked")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Rar!\x1a\x07", "is a RAR archive"),
        (b"7z\xbc\xaf'\x1c", "is a 7-Zip archive"),
        (gzip.compress(b"no archive inside", mtime=0), "not a zip or tar archive"),
        (b"", "not a zip or tar archive"),
        (b"file,label", "not a zip or tar archive"),
    ],
)
def test_other_files_and_archives_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "photos").write_bytes(data)
    with pytest.raises(BadData, match=message):
        open_source(tmp_path / "photos", unpacked=tmp_path / "unpacked")


@pytest.mark.parametrize(
    ("encoding", "cat", "dog"),
    [("cp932", "表情", "ソース"), ("big5", "功夫", "許可"), ("cp932", "構造物", "予測")],
)
def test_a_backslash_within_a_character_is_no_separator(tmp_path: Path, encoding: str, cat: str, dog: str) -> None:
    """The second byte of many an East Asian character is that of a backslash."""
    names = {f"{name}/1.png".encode(encoding): data for name, data in ((cat, b"one"), (dog, b"two"))}
    assert any(b"\\" in name for name in names)
    assert contents(open_source(zip_with(tmp_path / "x.zip", names))) == {
        f"{cat}/1.png": b"one",
        f"{dog}/1.png": b"two",
    }


def test_a_replaced_zip_is_read_anew(tmp_path: Path) -> None:
    """In the same process, members with the same name, size and date have the bytes of the new zip."""
    for name, data in (("a.zip", b"old"), ("b.zip", b"new")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(zipfile.ZipInfo("cat/1.png"), data)
    first = open_source(tmp_path / "a.zip")
    assert first.read("cat/1.png") == b"old"
    (tmp_path / "b.zip").replace(tmp_path / "a.zip")
    assert open_source(tmp_path / "a.zip").read("cat/1.png") == b"new"


def with_method(path: Path, method: int, only: int | None = None) -> Path:
    """The zip with another compression method in its headers, of all members or of one."""
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start, number = raw.find(signature), 0
        while start >= 0:
            if only is None or number == only:
                raw[start + offset : start + offset + 2] = method.to_bytes(2, "little")
            start, number = raw.find(signature, start + 4), number + 1
    path.write_bytes(raw)
    return path


def test_the_error_names_an_unsupported_compression(tmp_path: Path) -> None:
    names = {name.encode(): data for name, data in PHOTOS.items()}
    with pytest.raises(BadData, match=r"x\.zip cannot be read: it is compressed by Deflate64.*unpack it"):
        open_source(with_method(zip_with(tmp_path / "x.zip", names), 9))
    source = open_source(with_method(zip_with(tmp_path / "y.zip", names), 98, only=1))
    assert source.read("cat/1.png") == b"one"
    with pytest.raises(BadData, match=r"cat/2\.png cannot be read.*PPMd.*unpack it"):
        source.read("cat/2.png")


def test_a_zip_may_be_compressed_by_zstandard(tmp_path: Path) -> None:
    """7-Zip and WinZip write method 93 with one frame for every member."""
    frames = {name.encode(): zstd.compress(data) for name, data in PHOTOS.items()}
    raw = bytearray(with_method(zip_with(tmp_path / "x.zip", frames), 93).read_bytes())
    for (name, frame), data in zip(frames.items(), PHOTOS.values(), strict=True):
        sizes, crc = len(frame).to_bytes(4, "little"), zlib.crc32(frame).to_bytes(4, "little")
        old = crc + sizes + sizes
        assert raw.count(old) >= 2, name
        raw = raw.replace(old, zlib.crc32(data).to_bytes(4, "little") + sizes + len(data).to_bytes(4, "little"))
    (tmp_path / "x.zip").write_bytes(raw)
    assert contents(open_source(tmp_path / "x.zip")) == PHOTOS


@pytest.mark.parametrize("name", ["data.z01", "data.zip.001", "data.tar.gz.aa", "last.zip"])
def test_one_part_of_a_split_archive_is_refused(tmp_path: Path, name: str) -> None:
    path = zip_with(tmp_path / name, {name.encode(): data for name, data in PHOTOS.items()})
    raw = bytearray(path.read_bytes())
    raw[raw.find(b"PK\x01\x02") + 34] = 1  # the disk on which the first member begins
    path.write_bytes(raw if name == "last.zip" else raw[:70])
    with pytest.raises(BadData, match=r"is one part of a split archive.*7z x"):
        open_source(path)


def test_reading_a_sparse_file_in_a_tar_is_an_error(tmp_path: Path) -> None:
    """`tar --sparse` leaves out runs of zeros, so the bytes of the file are not in one piece."""
    header = tarfile.TarInfo("cat/1.png")
    header.type, header.size = tarfile.GNUTYPE_SPARSE, 512
    raw = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    raw[386:410] = b"00000000000\x0000000001000\x00"  # one run of 512 bytes at the beginning
    raw[483:495] = b"00000002000\x00"  # of a file of 1024
    raw[148:156] = b" " * 8
    raw[148:156] = f"{sum(raw[:512]):06o}\0 ".encode()
    (tmp_path / "x.tar").write_bytes(bytes(raw) + bytes(512) + bytes(1024))
    source = open_source(tmp_path / "x.tar")
    assert source.names == ("cat/1.png",)
    with pytest.raises(BadData, match=r"cat/1\.png cannot be read.*sparse"):
        source.read("cat/1.png")
