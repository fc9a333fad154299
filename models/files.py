"""Writing files so that a crash leaves either the old one or the new one."""

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a temporary file beside `path`, flush it to the disk and rename it; creates the folder if it is missing.

    `mode` are the permissions of the file, by default those that let the service's own user read it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)  # mkstemp's are 0600, so that nobody else can read it before
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
