"""A cache on disk for results that take seconds to compute; the least recently used are dropped first.

It is a SQLite file; docs/decisions/0011 says why no caching library is used.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)
FILE = "answers.sqlite3"
TIMEOUT_S = 5.0
"""Seconds to wait for another process that is writing to the file."""


class ResultCache:
    """Stores bytes by key in a folder that several threads and processes may share.

    The values take at most `max_bytes` bytes together; 0 turns the cache off. Faults of the disk or the file are
    logged and never raised: then `get` returns None, and the caller computes the result again.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.file = folder / FILE
        self.max_bytes = max_bytes

    def get(self, key: str) -> bytes | None:
        """The value that was stored under the key, or None."""
        with self._open() as database:
            if database is None:
                return None
            row = database.execute("SELECT value FROM answers WHERE key = ?", [key]).fetchone()
            if row is None:
                return None
            with contextlib.suppress(sqlite3.OperationalError):  # locked or read-only: the value is there all the same
                database.execute("UPDATE answers SET used = ? WHERE key = ?", [time.time_ns(), key])
            value: bytes = row[0]
            return value
        return None

    def put(self, key: str, value: bytes) -> None:
        """Store the value, and drop the least recently used values until all fit into `max_bytes`."""
        if len(value) > self.max_bytes:
            return
        with self._open() as database:
            if database is None:
                return
            values = (key, value, len(value), time.time_ns())
            database.execute("INSERT OR REPLACE INTO answers (key, value, size, used) VALUES (?, ?, ?, ?)", values)
            # `total` adds up the sizes from the most recently used on: drop those from where it is too large.
            database.execute(
                "DELETE FROM answers WHERE key IN (SELECT key FROM"
                " (SELECT key, SUM(size) OVER (ORDER BY used DESC, key) AS total FROM answers) WHERE total > ?)",
                [self.max_bytes],
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        """A connection whose changes are committed at the end; None if the cache is off or cannot be opened."""
        if not self.max_bytes:
            yield None
            return
        try:
            database = self._connection()
        except (sqlite3.Error, OSError) as error:
            logger.warning("results cannot be cached in %s: %s", self.file, error)
            yield None
            return
        try:
            with database:
                yield database
        except sqlite3.Error as error:
            logger.warning("the cached results in %s cannot be used: %s", self.file, error)
            database.close()
            if _is_damage(error):
                self._remove()
        finally:
            database.close()

    def _connection(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _prepared(self.file)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            logger.warning("%s is damaged (%s) and is replaced by an empty cache", self.file, error)
            self._remove()
            return _prepared(self.file)

    def _remove(self) -> None:
        """Remove the file; its journal first, which SQLite would apply to the next file of this name."""
        with contextlib.suppress(OSError):
            self.file.with_name(f"{FILE}-journal").unlink(missing_ok=True)
            self.file.unlink(missing_ok=True)


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether the error means that the file is damaged; a locked file, a full disk or missing rights do not count."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _prepared(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=TIMEOUT_S)
    try:
        database.execute("PRAGMA auto_vacuum = FULL")  # before the first table: the file shrinks with what it holds
        database.execute("PRAGMA synchronous = OFF")  # what a power cut loses is computed again
        database.execute(
            "CREATE TABLE IF NOT EXISTS answers"
            " (key TEXT PRIMARY KEY, value BLOB NOT NULL, size INTEGER NOT NULL, used INTEGER NOT NULL)"
        )
    except sqlite3.Error:
        database.close()
        raise
    return database
