"""Adding keys to a file and removing them."""

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.keys import changes
from app.keys.changes import PREFIX, add_key, remove_key
from app.keys.key_file import BadKeyFile, read_key_file
from tests.app.keys.entries import entry


def permissions(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_new_key_is_in_the_file_by_its_hash_alone(tmp_path: Path) -> None:
    """A key has 256 random bits, so 43 characters of base64, after its prefix. Missing folders are created."""
    file = tmp_path / "new" / "keys.toml"
    key = add_key(file, "page", "classify", 60)
    assert key.startswith(PREFIX) and len(key) == len(PREFIX) + 43
    assert key not in file.read_text()
    (written,) = read_key_file(file)
    assert (written.name, written.role, written.per_minute) == ("page", "classify", 60)
    assert written.sha256 == hashlib.sha256(key.encode()).hexdigest()
    assert permissions(file) == 0o600


def test_two_keys_differ(tmp_path: Path) -> None:
    assert add_key(tmp_path / "k", "a", "all") != add_key(tmp_path / "k", "b", "all")
    assert [written.name for written in read_key_file(tmp_path / "k")] == ["a", "b"]


def test_an_existing_file_keeps_its_text_and_its_permissions(tmp_path: Path) -> None:
    """The new table comes after the old text, which has no line break at its end."""
    file = tmp_path / "keys.toml"
    old = "# for the kiosk\n" + entry("kiosk", "k").rstrip()
    file.write_text(old)
    file.chmod(0o640)
    add_key(file, "page", "all")
    assert file.read_text().startswith(old + "\n\n[[keys]]\n")
    assert permissions(file) == 0o640


def test_a_file_with_a_comment_alone_gets_its_first_key(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text("# keys of the lab\n")
    add_key(file, "a", "all")
    assert file.read_text().startswith("# keys of the lab\n\n[[keys]]\n")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("kiosk", "has a key of the name 'kiosk' already: choose another name"),
        ("a b", "the key cannot be added: name is not valid: write up to 64 letters"),
        ('x"\nrole = "all', "the key cannot be added: name is not valid"),
    ],
)
def test_a_bad_name_is_refused_and_the_file_stays(tmp_path: Path, name: str, message: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(entry("kiosk", "k"))
    with pytest.raises(BadKeyFile, match=message):
        add_key(file, name, "all")
    assert file.read_text() == entry("kiosk", "k")


def test_nothing_is_added_to_a_damaged_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text("[[keys]\n")
    with pytest.raises(BadKeyFile, match="is not valid TOML"):
        add_key(file, "a", "all")
    assert file.read_text() == "[[keys]\n"


def test_removing_a_key_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    """The comment directly above the table and the empty line below it go with it, others stay."""
    file = tmp_path / "keys.toml"
    first, last = "# all keys\n\n# one\n" + entry("one", "1"), "\n# three\n" + entry("three", "3")
    file.write_text(first + "\n# two\n" + entry("two", "2", per_minute=7) + last)
    remove_key(file, "two")
    assert file.read_text() == first + last


def test_only_a_key_that_exists_and_is_not_the_last_can_be_removed(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(entry("one", "1"))
    with pytest.raises(BadKeyFile, match="has no key of the name 'two': choose one of one"):
        remove_key(file, "two")
    with pytest.raises(BadKeyFile, match=r"'one' is the only key .* add another key first"):
        remove_key(file, "one")
    assert file.read_text() == entry("one", "1")


def test_a_file_in_another_notation_is_not_changed(tmp_path: Path) -> None:
    """TOML may also write the tables in one line; the key must then be removed by hand."""
    digests = [hashlib.sha256(name.encode()).hexdigest() for name in "ab"]
    text = "keys = [" + ", ".join(f'{{name="{d[0]}x", sha256="{d}", role="all"}}' for d in digests) + "]\n"
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(BadKeyFile, match=r"is not written as one table \[\[keys\]\] per key: remove .* with an editor"):
        remove_key(file, digests[0][0] + "x")
    assert file.read_text() == text


def test_a_symbolic_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "link.toml"
    real.write_text(entry("one", "1"))
    link.symlink_to(real)
    add_key(link, "two", "all")
    assert link.is_symlink() and len(read_key_file(real)) == 2


def test_a_file_of_another_user_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file would belong to the user of the command, and the service could perhaps not read it."""
    file = tmp_path / "keys.toml"
    file.write_text(entry("one", "1"))
    monkeypatch.setattr(changes.os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(BadKeyFile, match=r"belongs to another user .* run this command as that user"):
        add_key(file, "two", "all")
    assert len(read_key_file(file)) == 1


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadKeyFile, match=r"cannot be written .*: choose another file"):
        add_key(tmp_path / "file" / "keys.toml", "a", "all")


def test_keys_that_are_added_at_the_same_time_are_all_there(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    names = [f"k{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: add_key(file, name, "all"), names))
    assert sorted(written.name for written in read_key_file(file)) == names
