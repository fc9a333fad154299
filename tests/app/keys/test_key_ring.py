"""Which key a request has, and how the keys change with their file."""

import logging
import os
from pathlib import Path

import pytest

from app.keys.key_file import BadKeyFile
from app.keys.key_ring import Key, KeyRing
from app.keys.quota import QuotaUsedUp
from tests.app.keys.entries import entry
from tests.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("app.keys.key_ring.time", clock)
    return clock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with the keys `all-key` and `classify-key`."""
    path = tmp_path / "keys.toml"
    path.write_text(entry("ops", "all-key") + entry("page", "classify-key", "classify", 2))
    return path


def name_of(ring: KeyRing, sent: bytes) -> str | None:
    key = ring.find(sent)
    return None if key is None else key.name


def test_without_keys_none_is_required() -> None:
    ring = KeyRing()
    assert not ring.required and ring.find(b"") is None


def test_keys_of_the_settings_are_numbered_and_good_for_everything() -> None:
    """A key that is given twice is one key."""
    ring = KeyRing(("one", "two", "one"))
    assert ring.required
    assert (ring.find(b"one"), ring.find(b"two")) == (Key("key-1", "all"), Key("key-2", "all"))
    for sent in (b"", b"on", b"one ", b"One", b"one\x00", b"three"):
        assert ring.find(sent) is None


def test_keys_of_the_file_have_names_roles_and_quotas(file: Path) -> None:
    ring = KeyRing((), file)
    ops, page = ring.find(b"all-key"), ring.find(b"classify-key")
    assert ops == Key("ops", "all") and page is not None and page.quota is not None
    assert (page.name, page.role, page.quota.per_minute) == ("page", "classify", 2)


def test_the_hash_in_the_file_is_no_key(file: Path) -> None:
    """Who has read the file cannot use the service."""
    ring = KeyRing((), file)
    for line in file.read_text().splitlines():
        if line.startswith("sha256"):
            digest = line.split('"')[1]
            assert ring.find(digest.encode()) is None and ring.find(bytes.fromhex(digest)) is None


@pytest.mark.parametrize(
    ("key", "sent", "expected"),
    [
        ("clé", "clé".encode(), True),
        ("clé", "clé".encode("latin-1"), True),  # as httpx and others send it
        ("ключ", "ключ".encode(), True),
        ("Ã©", "Ã©".encode(), True),
        ("é", "é".encode(), True),
        ("Ã©", "Ã©".encode("latin-1"), False),  # these bytes are é in UTF-8: another key
        ("clé", b"cl\xe8", False),
        ("clé", b"cl?", False),
    ],
)
def test_letters_other_than_english_ones_may_be_in_utf_8_or_latin_1(key: str, sent: bytes, expected: bool) -> None:
    assert (KeyRing((key,)).find(sent) is not None) == expected


def test_both_places_of_keys_count(file: Path) -> None:
    ring = KeyRing(("third",), file)
    assert [name_of(ring, sent) for sent in (b"third", b"all-key", b"classify-key")] == ["key-1", "ops", "page"]


@pytest.mark.parametrize("keys", [("all-key",), ("other",)])
def test_a_key_that_is_in_both_places_is_refused(file: Path, keys: tuple[str, ...]) -> None:
    """Its roles or quotas could contradict each other. So could those of two keys of the same name."""
    if keys == ("other",):
        file.write_text(entry("key-1", "x"))
    with pytest.raises(
        BadKeyFile, match=r"^MIRAGE_API_KEYS_FILE: .* is the name or the value of a key in MIRAGE_API_KE"
    ):
        KeyRing(keys, file)


def test_a_file_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile, match=r"^MIRAGE_API_KEYS_FILE: .*missing.toml cannot be read"):
        KeyRing(("key",), tmp_path / "missing.toml")


def test_a_change_of_the_file_counts_within_a_second(file: Path, clock: Clock) -> None:
    """A key that is removed is refused, and one that is added accepted. The file is looked at once a second."""
    ring = KeyRing((), file)
    assert name_of(ring, b"all-key") == "ops"
    file.write_text(entry("new", "new-key"))
    clock.now += 0.9
    assert name_of(ring, b"all-key") == "ops"
    clock.now += 0.2
    assert [name_of(ring, sent) for sent in (b"all-key", b"new-key")] == [None, "new"]


def test_a_file_that_was_replaced_by_one_of_the_same_size_and_age_is_read_again(file: Path, clock: Clock) -> None:
    """As `cp --preserve` and configuration management leave it."""
    ring = KeyRing((), file)
    before = file.stat()
    replacement = file.with_name("new.toml")
    replacement.write_text(file.read_text().replace('"ops"', '"spo"'))
    os.utime(replacement, ns=(before.st_atime_ns, before.st_mtime_ns))
    replacement.replace(file)
    assert file.stat().st_size == before.st_size
    clock.now += 2
    assert name_of(ring, b"all-key") == "spo"


@pytest.mark.parametrize("damage", ["", "[[keys]\n", "keys = []", None])
def test_a_damaged_new_version_is_logged_once_and_the_old_keys_stay(
    file: Path, clock: Clock, caplog: pytest.LogCaptureFixture, damage: str | None
) -> None:
    """None removes the file. When it is whole again, it is read."""
    ring = KeyRing((), file)
    whole = file.read_text()
    if damage is None:
        file.unlink()
    else:
        file.write_text(damage)
    for _ in range(3):
        clock.now += 2
        assert name_of(ring, b"all-key") == "ops"
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(f"MIRAGE_API_KEYS_FILE: {file}")
    assert record.getMessage().endswith("(the API keys that were read before stay valid)")
    file.write_text(whole.replace('"ops"', '"again"'))
    clock.now += 2
    assert name_of(ring, b"all-key") == "again"


def test_a_file_is_read_when_the_service_may_read_it_at_last(
    file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of the permissions alone changes neither content nor time of the content."""
    ring = KeyRing((), file)
    file.write_text(entry("new", "new-key"))
    with monkeypatch.context() as inside:
        inside.setattr("app.keys.key_file.Path.open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "no")))
        clock.now += 2
        assert ring.find(b"new-key") is None
    file.chmod(0o644 if file.stat().st_mode & 0o777 != 0o644 else 0o600)
    clock.now += 2
    assert name_of(ring, b"new-key") == "new"


def test_a_change_of_the_file_does_not_fill_the_quotas_again(file: Path, clock: Clock) -> None:
    """Two requests per minute: both are spent before the change, and the third is refused after it."""
    ring = KeyRing((), file)
    for _ in range(2):
        key = ring.find(b"classify-key")
        assert key is not None and key.quota is not None
        key.quota.take()
    file.write_text(file.read_text() + entry("new", "new-key"))
    clock.now += 2
    key = ring.find(b"classify-key")
    assert name_of(ring, b"new-key") == "new" and key is not None and key.quota is not None
    with pytest.raises(QuotaUsedUp):
        key.quota.take()


def test_short_keys_in_the_settings_are_warned_of_without_being_shown(caplog: pytest.LogCaptureFixture) -> None:
    KeyRing(("a-long-key-of-20-letters", "sesame"))
    (record,) = caplog.records
    assert "the key 2 in MIRAGE_API_KEYS has only 6 characters" in record.getMessage()
    assert "sesame" not in record.getMessage()
