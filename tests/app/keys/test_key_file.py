"""The file of API keys: what is read from it, and every way in which it can be wrong."""

import os
from pathlib import Path

import pytest

from app.keys.key_file import MOST_BYTES, BadKeyFile, KeyEntry, read_key_file
from tests.app.keys.entries import entry

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""SHA-256 of `abc`, from FIPS 180-2, appendix B.1."""
GOOD = f'[[keys]]\nname = "page"\nsha256 = "{ABC}"\nrole = "classify"\n'


def test_a_file_with_two_keys(tmp_path: Path) -> None:
    """The hash of `entry` is the one of the standard; a quota is optional."""
    file = tmp_path / "keys.toml"
    file.write_text("# the keys\n" + entry("page", "abc", "classify", 60) + "\n" + entry("ops", "another"))
    page, ops = read_key_file(file)
    assert page == KeyEntry(name="page", sha256=ABC, role="classify", per_minute=60)
    assert (ops.name, ops.role, ops.per_minute) == ("ops", "all", None)


def test_what_an_entry_writes_is_read_as_the_same_entry(tmp_path: Path) -> None:
    entries = [
        KeyEntry(name="a.b-c_D", sha256=ABC, role="all", per_minute=None),
        KeyEntry(name="9", sha256=ABC[::-1], role="classify", per_minute=1_000_000),
    ]
    file = tmp_path / "keys.toml"
    file.write_text("\n".join(written.table() for written in entries))
    assert read_key_file(file) == entries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: add a key"),
        (" \n", "is empty: add a key"),
        ("# nothing\n", "there is no table [[keys]]: add a key"),
        ("keys = []\n", "there is no table [[keys]]: add a key"),
        ("[[keys]\n", "is not valid TOML"),
        (GOOD + "[[keys]]\nname = 'b'\n", "table 2 of [[keys]], sha256 is missing: add it"),
        (GOOD.replace("classify", "admin"), "table 1 of [[keys]], role is not valid: write all or classify"),
        (GOOD.replace("page", "the page"), "table 1 of [[keys]], name is not valid: write up to 64 letters"),
        (GOOD.replace("page", "page\\n"), "table 1 of [[keys]], name is not valid: write up to 64 letters"),
        (GOOD.replace("page", ""), "table 1 of [[keys]], name is not valid: write up to 64 letters"),
        (GOOD.replace(ABC, ABC[:-1]), "table 1 of [[keys]], sha256 is not valid: write the SHA-256 of the key in 64"),
        (GOOD + "per_minute = 0\n", "table 1 of [[keys]], per_minute is not valid: write requests in a minute, from 1"),
        (GOOD + "per_minute = true\n", "table 1 of [[keys]], per_minute is not valid"),
        (GOOD + "perminute = 60\n", "table 1 of [[keys]], perminute is not known: a key has name, sha256, role and"),
        ("other = 1\n" + GOOD, "other is not known"),
        (GOOD + GOOD.replace(ABC, ABC[::-1]), "has two keys of the name 'page': give each a name of its own"),
        (GOOD + GOOD.replace("page", "b").replace(ABC, ABC.upper()), "'page' and 'b' have the same sha256"),
        ("keys = " + "[" * 10_000, "is not valid TOML"),
        (GOOD + "#" * MOST_BYTES, "has more than 200,000 bytes"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    """The message begins with the path, and is one line."""
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(BadKeyFile) as refused:
        read_key_file(file)
    assert str(refused.value).startswith(str(file))
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_a_message_never_repeats_a_key(tmp_path: Path) -> None:
    """Somebody may write the key itself where its hash belongs."""
    file = tmp_path / "keys.toml"
    file.write_text(GOOD.replace(ABC, "my-secret-key"))
    with pytest.raises(BadKeyFile) as refused:
        read_key_file(file)
    assert "my-secret-key" not in str(refused.value)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(BadKeyFile, match="is not text in UTF-8"):
        read_key_file(file)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Missing, a folder, and a named pipe, from which reading would wait for ever."""
    with pytest.raises(BadKeyFile, match=r"cannot be read \(No such file or directory\): make the file with"):
        read_key_file(tmp_path / "missing.toml")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(BadKeyFile, match="is not a file"):
            read_key_file(path)


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is raised here by hand: the superuser may read every file."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    file = tmp_path / "keys.toml"
    file.write_text(GOOD)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BadKeyFile, match=r"cannot be read \(Permission denied\): .* let the user of the service read"):
        read_key_file(file)
