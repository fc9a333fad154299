"""Answers that cost seconds, kept on disk: bounded, the least recently used dropped first.

The library is SQLite, in Python itself; docs/decisions/0011 says why none above it.
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
"""How long one process waits for another that writes."""


class Cache:
    """Bytes by key. Whatever is wrong with the disk or the file is logged, and the answer computed anew.

    Several threads and processes may share a folder. `max_bytes` bounds what is kept; 0 keeps nothing.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.file = folder / FILE
        self.max_bytes = max_bytes

    def get(self, key: str) -> bytes | None:
        """What was kept under the key."""
        with self._open() as database:
            if database is None:
                return None
            row = database.execute("SELECT value FROM answers WHERE key = ?", [key]).fetchone()
            if row is None:
                return None
            with contextlib.suppress(sqlite3.OperationalError):  # locked or read-only: it is there all the same
                database.execute("UPDATE answers SET used = ? WHERE key = ?", [time.time_ns(), key])
            value: bytes = row[0]
            return value
        return None

    def put(self, key: str, value: bytes) -> None:
        """Keep the value, and drop what has not been asked for longest until all fits."""
        if len(value) > self.max_bytes:
            return
        with self._open() as database:
            if database is None:
                return
            values = (key, value, len(value), time.time_ns())
            database.execute("INSERT OR REPLACE INTO answers (key, value, size, used) VALUES (?, ?, ?, ?)", values)
            # Of all from the latest on, those with which the sum goes over the bound.
            database.execute(
                "DELETE FROM answers WHERE key IN (SELECT key FROM"
                " (SELECT key, SUM(size) OVER (ORDER BY used DESC, key) AS total FROM answers) WHERE total > ?)",
                [self.max_bytes],
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        """A connection whose changes are kept at the end; None where there is no cache to be had."""
        if not self.max_bytes:
            yield None
            return
        try:
            database = self._connection()
        except (sqlite3.Error, OSError) as error:
            logger.warning("no answers are kept in %s: %s", self.file, error)
            yield None
            return
        try:
            with database:
                yield database
        except sqlite3.Error as error:
            logger.warning("the kept answers in %s cannot be used: %s", self.file, error)
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
            logger.warning("%s is damaged (%s) and begun anew", self.file, error)
            self._remove()
            return _prepared(self.file)

    def _remove(self) -> None:
        """Its journal first, which would be played back into the next file of this name."""
        with contextlib.suppress(OSError):
            self.file.with_name(f"{FILE}-journal").unlink(missing_ok=True)
            self.file.unlink(missing_ok=True)


def _is_damage(error: sqlite3.Error) -> bool:
    """Not a lock, a full disk or a folder that is not writable: those are not the file's own fault."""
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
