"""The API keys that are valid now: those of the settings, and those of a file, which is read again when it changes."""

import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.keys.key_file import BadKeyFile, KeyEntry, Role, read_key_file
from app.keys.quota import Quota

logger = logging.getLogger(__name__)
LOOK_S = 1.0
"""Seconds between two looks at whether the file has changed. A look takes about one microsecond."""
SHORTEST = 16
"""Characters of a key in the settings from which nobody is warned that it is short."""
Version = tuple[int, ...]
"""What tells two versions of a file apart without reading them."""


@dataclass(frozen=True)
class Key:
    """A valid key: its name for logs and metrics, what it may be used for, and its quota, if it has one."""

    name: str
    role: Role
    quota: Quota | None = None


class KeyRing:
    """Finds the key that a request has sent. Only for one thread, that of the event loop."""

    def __init__(self, keys: Sequence[str] = (), file: Path | None = None) -> None:
        """`keys` have all rights and the names key-1, key-2, ...; raises BadKeyFile if the file cannot be used."""
        # Digests are compared under a keyed hash that changes with each start: how long a comparison takes then says
        # nothing about the digest of a valid key, and a dictionary can find one among thousands.
        self._secret = secrets.token_bytes(32)
        self._settings_keys = dict.fromkeys(keys)
        self._file = file
        self._version = _version(file) if file is not None else None
        self._next_look = 0.0
        self._keys: dict[bytes, Key] = {}
        self._read()
        for number, key in enumerate(self._settings_keys, start=1):
            if len(key) < SHORTEST:
                logger.warning(
                    "the key %d in MIRAGE_API_KEYS has only %d characters and could be guessed: use a long random "
                    "one, as python -m app.keys add makes them",
                    number,
                    len(key),
                )

    @property
    def required(self) -> bool:
        """Whether requests need a key, because there are any."""
        return bool(self._keys)

    def find(self, sent: bytes) -> Key | None:
        """The key with these bytes in the header of the request, or None if no key has them.

        Bytes that are not UTF-8 are read as Latin-1, as which most HTTP libraries send the letters of Western Europe.
        """
        self._read_if_changed()
        return self._keys.get(self._keyed(hashlib.sha256(_as_utf8(sent)).digest()))

    def _keyed(self, digest: bytes) -> bytes:
        return hmac.digest(self._secret, digest, "sha256")

    def _read_if_changed(self) -> None:
        if self._file is None or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_S
        version = _version(self._file)
        if version == self._version:
            return
        self._version = version  # of before the reading: what changes meanwhile is seen at the next look
        try:
            self._read()
        except BadKeyFile as error:
            logger.error("%s (the API keys that were read before stay valid)", error)
        else:
            logger.info("the API keys in %s were read again: there are now %d", self._file, len(self._keys))

    def _read(self) -> None:
        """Replace all keys at once; raises BadKeyFile, which names the setting, and then changes nothing."""
        try:
            entries = read_key_file(self._file) if self._file is not None else []
            self._keys = self._merged(entries)
        except BadKeyFile as error:
            raise BadKeyFile(f"MIRAGE_API_KEYS_FILE: {error}") from error

    def _merged(self, entries: Sequence[KeyEntry]) -> dict[bytes, Key]:
        """The keys of the settings and of the file by their keyed digests; raises BadKeyFile if both have the same."""
        quotas = {key.name: key.quota for key in self._keys.values()}
        keys: dict[bytes, Key] = {}
        for number, text in enumerate(self._settings_keys, start=1):
            keys[self._keyed(hashlib.sha256(text.encode()).digest())] = Key(f"key-{number}", "all")
        names = {key.name for key in keys.values()}
        for entry in entries:
            digest = self._keyed(bytes.fromhex(entry.sha256))
            if entry.name in names or digest in keys:
                raise BadKeyFile(
                    f"{self._file}: {entry.name!r} is the name or the value of a key in MIRAGE_API_KEYS as well: "
                    "remove one of them, or choose another name"
                )
            limit = entry.per_minute
            quota = None if limit is None else Quota(limit, spent=quotas.get(entry.name))
            keys[digest] = Key(entry.name, entry.role, quota)
        return keys


def _as_utf8(sent: bytes) -> bytes:
    try:
        sent.decode("utf-8")
    except UnicodeDecodeError:
        return sent.decode("latin-1").encode("utf-8")
    return sent


def _version(file: Path) -> Version | None:
    """The version of the file; None if there is none. The time of the last change of its permissions counts, too."""
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
