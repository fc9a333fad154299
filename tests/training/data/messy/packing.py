"""Write a data set as a folder, or packed as programs of several systems do."""

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZIPS = ("zip", "zip without flag", "zip with backslashes", "zip in a code page")
TARS = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.zst": zstd.compress,
    "tar.xz": lzma.compress,
    "tar.bz2": bz2.compress,
}
PACKINGS = ("folder", "folder", *ZIPS, *TARS)
PAGES = ("cp437", "cp1252", "cp1251", "gbk", "shift_jis", "cp949", "cp1253", "cp866", "cp1256")


class _Member(zipfile.ZipInfo):
    """A member of a zip with these bytes as its name, with or without the flag for UTF-8."""

    raw: bytes
    flag: int

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.raw, self.flag


def page_for(names: list[str]) -> str | None:
    """A code page that can write all names; None if there is none, or if all are ASCII."""
    if all(name.isascii() for name in names):
        return None
    for page in PAGES:
        try:
            if all(name.encode(page).decode(page) == name for name in names):
                return page
        except UnicodeError:
            continue
    return None


SPOKEN = {
    "cp437": ("Kätzchen", "Hündchen", "Vögel", "Mäuse"),
    "cp1252": ("garçon", "fille", "Mädchen", "español", "façade"),
    "cp1251": ("кошки", "собаки", "птицы", "лошади"),
    "cp866": ("кошки", "собаки", "птицы", "лошади"),
    "gbk": ("苹果", "香蕉", "猫", "狗", "卡车"),
    "shift_jis": ("ネコ", "イヌ", "犬", "猫", "ソファ", "表"),
    "cp949": ("고양이", "강아지", "자동차"),
    "cp1253": ("γάτες", "σκύλοι", "πουλιά"),
}
"""Names of classes in the code pages in which programs of their countries write them into zips."""


def zip_in(page: str, place: Path, files: Mapping[str, bytes]) -> Path:
    """Write a zip that does not say in which code page its names are."""
    with zipfile.ZipFile(place / f"{page}.zip", "w") as archive:
        for name, data in files.items():
            member = _Member(name)
            member.raw, member.flag = name.encode(page), 0
            archive.writestr(member, data)
    return place / f"{page}.zip"


def packed(packing: str, place: Path, files: Mapping[str, bytes], folders: list[str]) -> tuple[Path, dict[str, Any]]:
    """Write the data; its path, and the options that this way of packing needs."""
    if packing == "folder":
        return _folder(place / "data", files, folders), {}
    if packing in TARS:
        return _tar(place / f"data.{packing}", files, folders, packing), {}
    page = page_for([*files, *folders]) if packing == "zip in a code page" else None
    options = {"zip_encoding": page} if page else {}
    with zipfile.ZipFile(place / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**files, **dict.fromkeys(folders, b"")}.items():
            member = _Member(name)
            written = name.replace("/", "\\") if packing == "zip with backslashes" else name
            member.raw = written.encode(page or "utf-8")
            member.flag = 0 if page or packing == "zip without flag" else 0x800
            archive.writestr(member, data)
    return place / "data.zip", options


def _folder(top: Path, files: Mapping[str, bytes], folders: list[str]) -> Path:
    top.mkdir()
    for name in folders:
        (top / name).mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    return top


def _tar(path: Path, files: Mapping[str, bytes], folders: list[str], packing: str) -> Path:
    buffer = io.BytesIO()
    format = tarfile.PAX_FORMAT if packing == "tar.xz" else tarfile.GNU_FORMAT
    prefix = "./" if packing == "tar.gz" else ""  # as `tar -C folder .` writes
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for name, data in {**files, **dict.fromkeys(folders, b"")}.items():
            info = tarfile.TarInfo(prefix + name)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    path.write_bytes(TARS[packing](buffer.getvalue()))
    return path
