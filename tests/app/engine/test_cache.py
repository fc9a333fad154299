"""Tests the cache of results on disk: its bound, its errors, and its use by several threads and processes."""

import contextlib
import logging
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.engine import cache
from app.engine.cache import FILE, ResultCache
from tests.clock import Clock

REPOSITORY = Path(__file__).parents[3]


def stored_keys(results: ResultCache, keys: str) -> str:
    """Return those of the keys that are in the cache; read by SQL, since `get` counts as a use."""
    with contextlib.closing(sqlite3.connect(results.file)) as database:
        in_file = {row[0] for row in database.execute("SELECT key FROM answers")}
    return "".join(key for key in keys if key in in_file)


def test_a_stored_value_is_returned(tmp_path: Path) -> None:
    results = ResultCache(tmp_path, 1000)
    assert results.get("a") is None
    results.put("a", b"\x00one\xff")
    results.put("b", b"")
    assert (results.get("a"), results.get("b"), results.get("A")) == (b"\x00one\xff", b"", None)
    results.put("a", b"other")
    assert results.get("a") == b"other"


def test_a_new_instance_finds_the_stored_values(tmp_path: Path) -> None:
    ResultCache(tmp_path / "made" / "anew", 1000).put("a", b"one")
    assert ResultCache(tmp_path / "made" / "anew", 1000).get("a") == b"one"


def test_the_bound_is_in_bytes_of_values(tmp_path: Path) -> None:
    """A bound of 100 bytes keeps the last four values of 25 bytes, and a bound of 99 the last three."""
    for bound, expected in ((100, "efgh"), (99, "fgh")):
        results = ResultCache(tmp_path / str(bound), bound)
        for key in "abcdefgh":
            results.put(key, bytes(25))
        assert stored_keys(results, "abcdefgh") == expected


def test_the_least_recently_used_value_is_dropped_first(tmp_path: Path) -> None:
    """Both `get` and a repeated `put` count as a use."""
    results = ResultCache(tmp_path, 100)
    for key in "abcd":
        results.put(key, bytes(25))
    results.get("a")
    results.put("c", bytes(25))
    results.put("e", bytes(25))
    assert stored_keys(results, "abcde") == "acde"
    results.put("f", bytes(50))
    assert stored_keys(results, "abcdef") == "cef"


def test_a_value_larger_than_the_bound_is_not_stored_and_drops_nothing(tmp_path: Path) -> None:
    results = ResultCache(tmp_path, 100)
    results.put("a", b"one")
    results.put("b", bytes(101))
    assert (results.get("a"), results.get("b")) == (b"one", None)
    results.put("b", bytes(100))
    assert stored_keys(results, "ab") == "b"


def test_a_bound_of_0_writes_nothing(tmp_path: Path) -> None:
    results = ResultCache(tmp_path / "none", 0)
    for value in (b"one", b""):
        results.put("a", value)
        assert results.get("a") is None
    assert list(tmp_path.iterdir()) == []


def test_the_file_shrinks_when_values_are_dropped(tmp_path: Path) -> None:
    """The file has 4 MB of values, and is then opened with a smaller bound and given one more value."""
    results = ResultCache(tmp_path, 5_000_000)
    for key in range(40):
        results.put(str(key), bytes(100_000))
    assert results.file.stat().st_size > 4_000_000
    ResultCache(tmp_path, 150_000).put("small", b"one")
    assert results.file.stat().st_size < 200_000
    assert ResultCache(tmp_path, 150_000).get("39") is not None


# Damaged, locked and unwritable files.


def new_filled_cache(folder: Path) -> ResultCache:
    results = ResultCache(folder, 1_000_000)
    for key in "abcdefgh":
        results.put(key, bytes(20_000))
    return results


@pytest.mark.parametrize("damage", ["a page", "zeros", "half of it", "no header", "all but the header"])
def test_a_damaged_file_is_replaced(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever part is damaged, neither reading nor writing raises, and new values are stored.

    A journal of the old file is deleted as well, since SQLite would apply it to the new file.
    """
    results = new_filled_cache(tmp_path)
    data = results.file.read_bytes()
    junk = random.Random(0).randbytes(len(data))
    broken = {
        "a page": b"<html>no such page</html>",
        "zeros": bytes(5000),
        "half of it": data[: len(data) // 2],
        "no header": junk[:100] + data[100:],
        "all but the header": data[:4096] + junk[4096:],
    }
    results.file.write_bytes(broken[damage])
    results.file.with_name(f"{FILE}-journal").write_bytes(b"of the file that was")
    assert [results.get(key) for key in "abcdefgh"] == [None] * 8
    results.put("a", b"one")
    assert results.get("a") == b"one"
    assert os.listdir(tmp_path) == [FILE]
    assert len(caplog.records) == 1 and FILE in caplog.text and caplog.records[0].levelno == logging.WARNING


def test_damage_that_is_noticed_when_writing_is_repaired(tmp_path: Path) -> None:
    results = new_filled_cache(tmp_path)
    data = results.file.read_bytes()
    results.file.write_bytes(data[:4096] + random.Random(0).randbytes(len(data) - 4096))
    results.put("a", b"one")  # this value is lost, but the file is replaced
    results.put("a", b"one")
    assert results.get("a") == b"one"


def test_a_folder_that_cannot_be_written_is_only_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The folder is a file or below a file, or the database is a folder; this fails for root as well."""
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "folder" / FILE).mkdir(parents=True)
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "folder"):
        caplog.clear()
        results = ResultCache(folder, 1000)
        results.put("a", b"one")
        assert results.get("a") is None
        assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert (tmp_path / "file").read_bytes() == b"mine" and (tmp_path / "folder" / FILE).is_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_raises_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    results = ResultCache(tmp_path, 1000)
    results.put("a", b"one")
    assert results.get("a") is None
    tmp_path.chmod(0o700)


def test_a_locked_file_is_not_treated_as_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another connection holds the lock for too long, nothing is read or stored, and nothing is lost.

    Ten seconds after that it is tried again. Until then nobody waits for it.
    """
    clock = Clock()
    monkeypatch.setattr(cache, "TIMEOUT_S", 0)
    monkeypatch.setattr(cache, "time", clock)
    results = ResultCache(tmp_path, 1000)
    results.put("a", b"one")
    with contextlib.closing(sqlite3.connect(results.file)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        results.put("b", b"two")
        assert results.get("a") is None
    assert "locked" in caplog.text and len(caplog.records) == 1
    clock.now = 9.9
    assert results.get("a") is None
    clock.now = 10.0
    assert (results.get("a"), results.get("b")) == (b"one", None)


def changed_by_hand(results: ResultCache, change: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(results.file)) as database, database:
        database.execute(change, values)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE answers SET value = x'74776f' WHERE key = 'a'",
        "UPDATE answers SET value = 'one' WHERE key = 'a'",
        "UPDATE answers SET value = x'', digest = x'00' WHERE key = 'a'",
        "UPDATE answers SET (value, digest) = (SELECT value, digest FROM answers WHERE key = 'b') WHERE key = 'a'",
    ],
    ids=["another value", "a text", "another digest", "the value of another key"],
)
def test_a_value_that_is_not_what_was_stored_is_removed(
    tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    results = ResultCache(tmp_path, 1000)
    results.put("a", b"one")
    results.put("b", b"two")
    changed_by_hand(results, change)
    assert results.get("a") is None and "not what was stored" in caplog.text
    assert stored_keys(results, "ab") == "b" and results.get("b") == b"two"


def test_a_file_of_an_earlier_version_stays_usable(tmp_path: Path) -> None:
    """Its values have no digest, and their uses are numbered by the time of day in nanoseconds."""
    results = ResultCache(tmp_path, 6)
    changed_by_hand(
        results,
        "CREATE TABLE answers"
        " (key TEXT PRIMARY KEY, value BLOB NOT NULL, size INTEGER NOT NULL, used INTEGER NOT NULL)",
    )
    for key, used in (("a", 1_790_000_000_000_000_000), ("b", 1_790_000_000_000_000_001)):
        changed_by_hand(results, "INSERT INTO answers VALUES (?, x'6f6e65', 3, ?)", key, used)
    assert results.get("a") == b"one"
    results.put("c", b"two")
    assert stored_keys(results, "abc") == "ac" and results.get("c") == b"two"


def test_the_time_of_day_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is set back by a day does not make new values the first ones to be dropped."""
    results = ResultCache(tmp_path, 6)
    for key, now in (("a", 1e9), ("b", 1e9 + 1), ("c", 1e9 - 86_400)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        monkeypatch.setattr(time, "time_ns", lambda now=now: int(now * 1e9))
        results.put(key, b"one")
    assert stored_keys(results, "abc") == "bc"


# Several threads and processes.


def test_several_threads_share_the_cache(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six threads start without a folder; every thread reads what it stored, and in the end all values are there."""
    monkeypatch.setattr(cache, "TIMEOUT_S", 300)
    results = ResultCache(tmp_path / "new", 1_000_000)
    lost: list[str] = []
    barrier = threading.Barrier(6)

    def work(name: int) -> None:
        barrier.wait()
        for number in range(5):
            results.put(f"{name}:{number}", f"{name} {number}".encode() * 100)
            if results.get(f"{name}:{number}") != f"{name} {number}".encode() * 100:
                lost.append(f"{name}:{number}")

    threads = [threading.Thread(target=work, args=[name]) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == [] and caplog.text == ""
    assert all(results.get(f"{name}:{number}") for name in range(6) for number in range(5))


WRITER = """
import sys
from pathlib import Path
from app.engine import cache
from app.engine.cache import ResultCache

cache.TIMEOUT_S = 300
results = ResultCache(Path(sys.argv[1]), 1_000_000)
print("ready", flush=True)
sys.stdin.readline()
for number in range(15):
    results.put(f"{sys.argv[2]}:{number}", sys.argv[2].encode() * 1000)
"""


def test_several_processes_share_the_cache(tmp_path: Path) -> None:
    """Two processes start without a folder; no value is lost, and neither prints an error."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "new"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == [("", 0)] * 2
    results = ResultCache(tmp_path / "new", 1_000_000)
    assert all(results.get(f"{name}:{number}") == name.encode() * 1000 for name in "ab" for number in range(15))
