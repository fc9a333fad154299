"""A cache on disk for results that take seconds to compute; the least recently used are dropped first.

It is a SQLite file; docs/decisions/0011 says why no caching library is used.
"""

import contextlib
import hashlib
import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)
FILE = "answers.sqlite3"
TIMEOUT_S = 2.0
"""Seconds to wait for another process that is writing to the file."""
LEAVE_ALONE_S = 10.0
"""Seconds for which a file that stayed locked for so long is neither read nor written, so that few threads wait."""
NOW = "(SELECT COALESCE(MAX(used), 0) + 1 FROM answers)"
"""Number of the present use, in SQL: the latest one. The time of day would not do, since it can be set back."""


class ResultCache:
    """Stores bytes by key in a folder that several threads and processes may share.

    The values take at most `max_bytes` bytes together; 0 turns the cache off. Faults of the disk or the file are
    logged and never raised: then `get` returns None, and the caller computes the result again. A value is returned only
    if it is what was stored, by its digest.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.file = folder / FILE
        self.max_bytes = max_bytes
        self._locked_until = 0.0  # when a locked file is tried again, on the clock of time.monotonic()

    def get(self, key: str) -> bytes | None:
        """The value that was stored under the key, or None."""
        with self._open() as database:
            if database is None:
                return None
            row = database.execute("SELECT value, digest FROM answers WHERE key = ?", [key]).fetchone()
            if row is None:
                return None
            value, digest = row
            if not isinstance(value, bytes) or digest not in (None, _digest(key, value)):
                logger.warning("%s is damaged: a value is not what was stored, and is removed", self.file)
                database.execute("DELETE FROM answers WHERE key = ?", [key])
                return None
            with contextlib.suppress(sqlite3.OperationalError):  # locked or read-only: the value is there all the same
                database.execute(f"UPDATE answers SET used = {NOW} WHERE key = ?", [key])  # noqa: S608 (a constant)
            return value
        return None

    def put(self, key: str, value: bytes) -> None:
        """Store the value, and drop the least recently used values until all fit into `max_bytes`."""
        if len(value) > self.max_bytes:
            return
        with self._open() as database:
            if database is None:
                return
            database.execute(
                "INSERT OR REPLACE INTO answers (key, value, size, used, digest)"  # noqa: S608 (a constant)
                f" VALUES (?, ?, ?, {NOW}, ?)",
                [key, value, len(value), _digest(key, value)],
            )
            # `total` adds up the sizes from the most recently used on: drop those from where it is too large.
            database.execute(
                "DELETE FROM answers WHERE key IN (SELECT key FROM"
                " (SELECT key, SUM(size) OVER (ORDER BY used DESC, key) AS total FROM answers) WHERE total > ?)",
                [self.max_bytes],
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        """A connection whose changes are committed at the end; None if the cache is off, locked or cannot be opened."""
        if not self.max_bytes or time.monotonic() < self._locked_until:
            yield None
            return
        try:
            database = self._connection()
        except (sqlite3.Error, OSError) as error:
            logger.warning("results cannot be cached in %s: %s", self.file, error)
            self._leave_alone_if_locked(error)
            yield None
            return
        try:
            with database:
                yield database
        except sqlite3.Error as error:
            logger.warning("the cached results in %s cannot be used: %s", self.file, error)
            self._leave_alone_if_locked(error)
            database.close()
            if _is_damage(error):
                self._remove()
        finally:
            database.close()

    def _leave_alone_if_locked(self, error: Exception) -> None:
        if isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            self._locked_until = time.monotonic() + LEAVE_ALONE_S

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


def _digest(key: str, value: bytes) -> bytes:
    """What tells whether a value is what was stored under the key."""
    return hashlib.sha256(key.encode() + b"\0" + value).digest()


def _prepared(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=TIMEOUT_S)
    try:
        database.execute("PRAGMA auto_vacuum = FULL")  # before the first table: the file shrinks with what it holds
        database.execute("PRAGMA synchronous = OFF")  # what a power cut loses is computed again
        database.execute(
            "CREATE TABLE IF NOT EXISTS answers"
            " (key TEXT PRIMARY KEY, value BLOB NOT NULL, size INTEGER NOT NULL, used INTEGER NOT NULL, digest BLOB)"
        )
        _add_digests(database)
        # So that neither the latest use nor the sizes are searched for behind the values.
        database.execute("CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used, key, size)")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _add_digests(database: sqlite3.Connection) -> None:
    """Add the column in which values of earlier versions have no digest."""
    if any(column[1] == "digest" for column in database.execute("PRAGMA table_info(answers)")):
        return
    try:
        database.execute("ALTER TABLE answers ADD COLUMN digest BLOB")
    except sqlite3.OperationalError as error:
        if "duplicate column" not in str(error):  # another process has just added it
            raise
