"""The file of API keys: in TOML, one table [[keys]] for each key, with its name, hash, role and quota.

The file holds no key itself, only the SHA-256 of each. Keys are random with 256 bits, so nobody can find a key by
trying: the slow, salted hashes that passwords need would only make every request slower.
"""

import stat
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

Role = Literal["all", "classify"]
"""What a key may be used for: every operation, or classification and the descriptions of the models."""
NAME = r"^[A-Za-z0-9._-]{1,64}$"
"""Pattern of the name of a key. Such a name can stand in logs, metrics and TOML without quoting or escapes."""
MOST_BYTES = 200_000
"""Largest size of the file, more than a thousand keys: the service reads it while requests wait."""


class BadKeyFile(RuntimeError):
    """The file of API keys cannot be used or changed; the message says why and what to do."""


class KeyEntry(BaseModel):
    """One table [[keys]] of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    # The descriptions say in error messages what to write.
    name: str = Field(pattern=NAME, description="up to 64 letters, digits and the characters . _ -")
    sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}$", description="the SHA-256 of the key in 64 hexadecimal digits")
    role: Role = Field(description="all or classify")
    per_minute: int | None = Field(
        default=None, ge=1, le=1_000_000, description="requests in a minute, from 1 to 1000000"
    )

    def table(self) -> str:
        """The entry as TOML."""
        lines = ["[[keys]]", f'name = "{self.name}"', f'sha256 = "{self.sha256}"', f'role = "{self.role}"']
        lines += [] if self.per_minute is None else [f"per_minute = {self.per_minute}"]
        return "\n".join(lines) + "\n"


class _Document(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    keys: list[KeyEntry] = Field(min_length=1)


def read_key_file(path: Path) -> list[KeyEntry]:
    """The keys of the file, at least one; raises BadKeyFile if it is missing, damaged or lists a key twice."""
    return parse(read_text(path), path)


def read_text(path: Path) -> str:
    """The text of the file; raises BadKeyFile if it cannot be read."""
    try:
        # Opening a named pipe would wait for whoever writes to it, perhaps for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadKeyFile(f"{path} is not a file: name the file of API keys (python -m app.keys add makes one)")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadKeyFile(
            f"{path} cannot be read ({error.strerror or error}): make the file with python -m app.keys add, and let "
            "the user of the service read it"
        ) from error
    if len(data) > MOST_BYTES:
        raise BadKeyFile(f"{path} has more than {MOST_BYTES:,} bytes: remove keys that are no longer used")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadKeyFile(f"{path} is not text in UTF-8: save it so, or make it with python -m app.keys add") from error


def parse(text: str, path: Path) -> list[KeyEntry]:
    """The keys in the text of the file; raises BadKeyFile, which names the file and says what is wrong."""
    if not text.strip():
        raise BadKeyFile(f"{path} is empty: add a key with python -m app.keys add")
    try:
        entries = _Document.model_validate(tomllib.loads(text)).keys
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadKeyFile(f"{path} is not valid TOML ({error}): correct it there") from error
    except ValidationError as error:
        # Never the value: somebody may have written the key itself in place of its hash.
        raise BadKeyFile(f"{path}: {describe(error.errors(include_input=False))}") from error
    names: set[str] = set()
    digests: dict[str, str] = {}
    for entry in entries:
        if entry.name in names:
            raise BadKeyFile(f"{path} has two keys of the name {entry.name!r}: give each a name of its own")
        names.add(entry.name)
        first = digests.setdefault(entry.sha256.lower(), entry.name)
        if first != entry.name:
            raise BadKeyFile(f"{path}: {first!r} and {entry.name!r} have the same sha256, so are one key: remove one")
    return entries


def describe(faults: list[ErrorDetails]) -> str:
    """The first fault of a key in words: the table, the field, and what it must be. The value is left out."""
    location = faults[0]["loc"]
    if location == ("keys",):
        return "there is no table [[keys]]: add a key with python -m app.keys add"
    where = f"table {int(location[1]) + 1} of [[keys]], " if len(location) > 1 else ""
    field = str(location[-1])[:64]
    if faults[0]["type"] == "extra_forbidden":
        return f"{where}{field} is not known: a key has name, sha256, role and per_minute, and nothing else"
    if faults[0]["type"] == "missing":
        return f"{where}{field} is missing: add it"
    known = KeyEntry.model_fields.get(field)
    return f"{where}{field} is not valid: write {known.description if known else 'one table [[keys]] for each key'}"
