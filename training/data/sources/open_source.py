"""Opens the path that the user gives, be it a folder, a zip or a tar, as a `Source`."""

import tempfile
from dataclasses import replace
from pathlib import Path

from training.data.options import DataOptions
from training.data.sources.folders import open_folder
from training.data.sources.member_names import UnknownEncoding
from training.data.sources.source import BadData, Source
from training.data.sources.tars import open_tar
from training.data.sources.zips import open_zip

OTHER_ARCHIVES = {b"Rar!": "RAR archive", b"7z\xbc\xaf'\x1c": "7-Zip archive"}
"""First bytes of archives that cannot be read here."""
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
"""First bytes of zips."""
UNPACKED = Path(tempfile.gettempdir()) / "mirage-unpacked"
"""Folder into which compressed archives are unpacked if there is no cache folder."""


def open_source(path: Path, options: DataOptions | None = None, *, unpacked: Path = UNPACKED) -> Source:
    """List a folder or an archive; a compressed tar is unpacked below `unpacked` first. Raises BadData."""
    options = options or DataOptions()
    if path.is_dir():
        source = open_folder(path)
    elif not path.exists():
        raise BadData(
            f"there is no file or folder {path}: give a folder, zip or tar with one sub-folder of pictures per class"
        )
    else:
        try:
            source = _open_archive(path, options.zip_encoding, unpacked)
        except UnknownEncoding as error:
            raise BadData(
                f"--zip-encoding: {error}; common encodings are cp437, cp1252, cp1251, gb18030 and cp932"
            ) from error
        except OSError as error:
            raise BadData(f"{path.name} cannot be read ({error.strerror})") from error
    return replace(source, max_pixels=options.max_pixels)


def _open_archive(path: Path, encoding: str | None, unpacked: Path) -> Source:
    with path.open("rb") as file:
        start = file.read(8)
    if not start.startswith(ZIP_SIGNATURES) and (source := open_tar(path, encoding, unpacked)) is not None:
        return source
    for signature, kind in OTHER_ARCHIVES.items():
        if start.startswith(signature):
            raise BadData(f"{path.name} is a {kind}, which cannot be read here: unpack it and give the folder")
    return open_zip(path, encoding)
