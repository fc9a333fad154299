"""Changes of the file of API keys: a key is added or removed, and everything else in the file stays as it is."""

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from app.keys.key_file import BadKeyFile, KeyEntry, Role, describe, parse, read_text
from models.files import write_atomically

PREFIX = "mirage_"
"""Beginning of every new key, by which programs that search for published secrets can recognise it."""
OWNER_ONLY = 0o600
"""Permissions of a new file."""
LOCK_S = 30
"""Seconds to wait for another change of the file to end."""
TABLE = re.compile(r"^(?:[ \t]*#.*\n)*[ \t]*\[\[[ \t]*keys[ \t]*\]\]", re.MULTILINE)
"""The beginning of the table of one key, with the comment in the lines above it."""


def add_key(path: Path, name: str, role: Role, per_minute: int | None = None) -> str:
    """Append a new random key to the file, which is created if it is missing, and return the key.

    A new file can be read by its owner alone; an existing one keeps its permissions. Raises BadKeyFile if the name is
    taken or not valid, or the file cannot be used.
    """
    key = PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    try:
        entry = KeyEntry(name=name, sha256=digest, role=role, per_minute=per_minute)
    except ValidationError as error:
        raise BadKeyFile(f"the key cannot be added: {describe(error.errors(include_input=False))}") from error
    with _alone(path):
        text = read_text(path) if path.exists() else ""
        if name in [existing.name for existing in _entries_or_none(text, path) or ()]:
            raise BadKeyFile(f"{path} has a key of the name {name!r} already: choose another name, or remove that key")
        changed = "\n\n".join(part for part in (text.rstrip(), entry.table()) if part)
        parse(changed, path)
        _write(path, changed)
    return key


def remove_key(path: Path, name: str) -> None:
    """Remove the table of this key, and the comment above it; raises BadKeyFile, also if it is the only key."""
    with _alone(path):
        text = read_text(path)
        entries = parse(text, path)
        if name not in [entry.name for entry in entries]:
            names = ", ".join(entry.name for entry in entries)
            raise BadKeyFile(f"{path} has no key of the name {name[:64]!r}: choose one of {names}")
        if len(entries) == 1:
            raise BadKeyFile(
                f"{name!r} is the only key in {path}, and the service does not accept a file without keys: add another "
                "key first, or stop the service and delete the file"
            )
        starts = [0, *(table.start() for table in TABLE.finditer(text)), len(text)]
        pieces = [text[start:end] for start, end in pairwise(starts)]
        changed = "".join(piece for piece in pieces if not _is_table_of(piece, name))
        if _entries_or_none(changed, path) != [entry for entry in entries if entry.name != name]:
            raise BadKeyFile(f"{path} is not written as one table [[keys]] per key: remove {name!r} with an editor")
        _write(path, changed)


def _entries_or_none(text: str, path: Path) -> list[KeyEntry] | None:
    try:
        return parse(text, path)
    except BadKeyFile:
        return None


def _is_table_of(piece: str, name: str) -> bool:
    """Whether this piece of the file is the table of the key of this name."""
    try:
        return [entry.name for entry in parse(piece, Path())] == [name]
    except BadKeyFile:
        return False


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock for a change of the file: of two changes at once, one could bring back what the other removes.

    Raises BadKeyFile if another change does not end, or the file or its folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=LOCK_S):
            yield
    except Timeout as error:
        raise BadKeyFile(f"another command has been changing {path} for {LOCK_S} seconds: try again later") from error
    except OSError as error:
        reason = error.strerror or error
        raise BadKeyFile(f"{path} cannot be written ({reason}): choose another file, or another user") from error


def _write(path: Path, text: str) -> None:
    path = path.resolve()  # a symbolic link shall lead to the new content, and not be replaced by it
    mode = OWNER_ONLY
    if path.exists():
        status = path.stat()
        if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
            raise BadKeyFile(
                f"{path} belongs to another user (number {status.st_uid}), who could perhaps not read it after the "
                "change: run this command as that user"
            )
        mode = stat.S_IMODE(status.st_mode)
    write_atomically(path, text.encode(), mode=mode)
