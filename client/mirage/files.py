"""Files that appear whole or not at all."""

import contextlib
import os
import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file under a temporary name beside it and rename it, so that nobody ever sees a part of it.

    A file that is replaced keeps its permissions. Raises OSError, which names this path.
    """
    try:
        target = path.resolve()  # a link stays one, and what it leads to is replaced
        if target.exists() and not target.is_file():  # a pipe, or a device such as /dev/stdout
            target.write_bytes(content)
        else:
            _replace(target, content)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, up to Python 3.12
        number = getattr(error, "errno", None) or 0
        raise OSError(number, getattr(error, "strerror", None) or str(error), str(path)) from error
    return path


def check_writable(path: Path) -> None:
    """Raise OSError if the file could not be written by `write_whole`, without touching it."""
    try:
        target = path.resolve()
    except RuntimeError as error:
        raise OSError(0, str(error), str(path)) from error
    if target.is_dir():
        raise IsADirectoryError(0, "this is a folder", str(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(0, "there is no such folder", str(path))
    if (target.exists() and not os.access(target, os.W_OK)) or not os.access(target.parent, os.W_OK):
        raise PermissionError(0, "it may not be written", str(path))


def _replace(target: Path, content: bytes) -> None:
    temporary = target.with_name(f".mirage-{secrets.token_hex(8)}.part")
    # Permissions of any new file: the system takes away those that the user's umask excludes.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        if target.exists():
            with contextlib.suppress(OSError):  # where a file system has no permissions
                os.chmod(temporary, target.stat().st_mode & 0o7777)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
