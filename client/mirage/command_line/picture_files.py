"""From the arguments of a command to picture files: files as they are, folders with all pictures in them."""

import os
from collections.abc import Iterable

from mirage.errors import BadPicture

ENDINGS = [
    ".png",
    ".apng",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".webp",
    ".gif",
    ".bmp",
    ".dib",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
    ".pam",
    ".avif",
    ".jp2",
    ".j2k",
    ".heic",
    ".heif",
]
"""Endings of the files in a folder that are taken for pictures."""


def picture_files(paths: Iterable[str]) -> list[str]:
    """The files among the paths, and those with the ending of a picture in the folders among them, in order.

    Hidden files and folders in a folder are left out, and so are links to folders. Raises BadPicture for a path that
    does not exist, for a folder that cannot be read, and for one that has no pictures.
    """
    files: list[str] = []
    for path in paths:
        if not os.path.isdir(path):
            if not os.path.exists(path):
                raise BadPicture(f"{path}: there is no such file or folder: correct the path")
            files.append(path)
            continue
        found = list(_in_folder(path))
        if not found:
            raise BadPicture(f"{path}: this folder has no pictures: their names end with {', '.join(ENDINGS)}")
        files += found
    return files


def _in_folder(folder: str) -> Iterable[str]:
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in ENDINGS:
                path = os.path.join(parent, name)
                if os.path.isfile(path) or not os.path.exists(path):  # no pipes; of broken links the result tells
                    yield path


def _refuse(error: OSError) -> None:
    raise BadPicture(f"{error.filename}: this folder cannot be read ({error.strerror}): change its permissions")
