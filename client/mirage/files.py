"""Files that appear whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file under a temporary name beside it and rename it, so that nobody ever sees a part of it."""
    target = path.resolve()  # a link stays one, and what it leads to is replaced
    if target.exists() and not target.is_file():  # a pipe, or a device such as /dev/stdout
        target.write_bytes(content)
        return path
    handle, temporary = tempfile.mkstemp(prefix=".mirage-", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        with contextlib.suppress(OSError):  # where a file system has no permissions
            os.chmod(temporary, _permissions(target))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return path


def _permissions(target: Path) -> int:
    """Those of the file that is replaced, or those that a new file would have."""
    if target.exists():
        return target.stat().st_mode & 0o7777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
