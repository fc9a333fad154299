"""Answers on disk: bounded, shared, and never a reason for an answer to fail."""

import contextlib
import logging
import os
import random
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app.engine import cache
from app.engine.cache import FILE, ResultCache

REPOSITORY = Path(__file__).parents[3]


def there(kept: ResultCache, keys: str) -> str:
    """Those of the keys under which something is kept; asks in SQL, since `get` counts as use."""
    with contextlib.closing(sqlite3.connect(kept.file)) as database:
        found = {row[0] for row in database.execute("SELECT key FROM answers")}
    return "".join(key for key in keys if key in found)


def test_what_was_put_is_got(tmp_path: Path) -> None:
    kept = ResultCache(tmp_path, 1000)
    assert kept.get("a") is None
    kept.put("a", b"\x00one\xff")
    kept.put("b", b"")
    assert (kept.get("a"), kept.get("b"), kept.get("A")) == (b"\x00one\xff", b"", None)
    kept.put("a", b"other")
    assert kept.get("a") == b"other"


def test_it_outlives_its_instance(tmp_path: Path) -> None:
    ResultCache(tmp_path / "made" / "anew", 1000).put("a", b"one")
    assert ResultCache(tmp_path / "made" / "anew", 1000).get("a") == b"one"


def test_the_bound_is_in_bytes_of_values(tmp_path: Path) -> None:
    """Four values of 25 are 100: a bound of 100 keeps the last four, one of 99 three."""
    for bound, expected in ((100, "efgh"), (99, "fgh")):
        kept = ResultCache(tmp_path / str(bound), bound)
        for key in "abcdefgh":
            kept.put(key, bytes(25))
        assert there(kept, "abcdefgh") == expected


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    """To be got is to be used, as is to be put once more."""
    kept = ResultCache(tmp_path, 100)
    for key in "abcd":
        kept.put(key, bytes(25))
    kept.get("a")
    kept.put("c", bytes(25))
    kept.put("e", bytes(25))
    assert there(kept, "abcde") == "acde"
    kept.put("f", bytes(50))
    assert there(kept, "abcdef") == "cef"


def test_what_is_larger_than_the_bound_is_not_kept_and_drops_nothing(tmp_path: Path) -> None:
    kept = ResultCache(tmp_path, 100)
    kept.put("a", b"one")
    kept.put("b", bytes(101))
    assert (kept.get("a"), kept.get("b")) == (b"one", None)
    kept.put("b", bytes(100))
    assert there(kept, "ab") == "b"


def test_a_bound_of_0_writes_nothing(tmp_path: Path) -> None:
    kept = ResultCache(tmp_path / "none", 0)
    for value in (b"one", b""):
        kept.put("a", value)
        assert kept.get("a") is None
    assert list(tmp_path.iterdir()) == []


def test_the_file_shrinks_with_what_it_holds(tmp_path: Path) -> None:
    """Four megabytes, then another bound and one small value more."""
    kept = ResultCache(tmp_path, 5_000_000)
    for key in range(40):
        kept.put(str(key), bytes(100_000))
    assert kept.file.stat().st_size > 4_000_000
    ResultCache(tmp_path, 150_000).put("small", b"one")
    assert kept.file.stat().st_size < 200_000
    assert ResultCache(tmp_path, 150_000).get("39") is not None


# What may be wrong.


def filled(folder: Path) -> ResultCache:
    kept = ResultCache(folder, 1_000_000)
    for key in "abcdefgh":
        kept.put(key, bytes(20_000))
    return kept


@pytest.mark.parametrize("damage", ["a page", "zeros", "half of it", "no header", "all but the header"])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whichever part is hit, neither reading nor writing raises, and what is put from then on is kept.

    A journal that lay beside goes too: it would be played back into the new file.
    """
    kept = filled(tmp_path)
    data = kept.file.read_bytes()
    junk = random.Random(0).randbytes(len(data))
    broken = {
        "a page": b"<html>no such page</html>",
        "zeros": bytes(5000),
        "half of it": data[: len(data) // 2],
        "no header": junk[:100] + data[100:],
        "all but the header": data[:4096] + junk[4096:],
    }
    kept.file.write_bytes(broken[damage])
    kept.file.with_name(f"{FILE}-journal").write_bytes(b"of the file that was")
    assert [kept.get(key) for key in "abcdefgh"] == [None] * 8
    kept.put("a", b"one")
    assert kept.get("a") == b"one"
    assert os.listdir(tmp_path) == [FILE]
    assert len(caplog.records) == 1 and FILE in caplog.text and caplog.records[0].levelno == logging.WARNING


def test_damage_that_writing_meets_first(tmp_path: Path) -> None:
    kept = filled(tmp_path)
    data = kept.file.read_bytes()
    kept.file.write_bytes(data[:4096] + random.Random(0).randbytes(len(data) - 4096))
    kept.put("a", b"one")  # lost: it is computed again
    kept.put("a", b"one")
    assert kept.get("a") == b"one"


def test_a_place_that_cannot_be_written_is_logged_and_no_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that is a file, or below one, or a file that is a folder: so for root, too."""
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "folder" / FILE).mkdir(parents=True)
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "folder"):
        caplog.clear()
        kept = ResultCache(folder, 1000)
        kept.put("a", b"one")
        assert kept.get("a") is None
        assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert (tmp_path / "file").read_bytes() == b"mine" and (tmp_path / "folder" / FILE).is_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_elses(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    kept = ResultCache(tmp_path, 1000)
    kept.put("a", b"one")
    assert kept.get("a") is None
    tmp_path.chmod(0o700)


def test_a_lock_is_no_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another holds the file for longer than we wait, nothing is got or kept, and nothing lost."""
    monkeypatch.setattr(cache, "TIMEOUT_S", 0)
    kept = ResultCache(tmp_path, 1000)
    kept.put("a", b"one")
    with contextlib.closing(sqlite3.connect(kept.file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        kept.put("b", b"two")
        assert kept.get("a") is None
    assert "locked" in caplog.text
    assert (kept.get("a"), kept.get("b")) == (b"one", None)


# Who shares it.


def test_threads_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six threads begin with a folder that is not there; each finds what it has put, and all of the others'."""
    monkeypatch.setattr(cache, "TIMEOUT_S", 300)
    kept = ResultCache(tmp_path / "new", 1_000_000)
    wrong: list[str] = []
    together = threading.Barrier(6)

    def work(name: int) -> None:
        together.wait()
        for number in range(5):
            kept.put(f"{name}:{number}", f"{name} {number}".encode() * 100)
            if kept.get(f"{name}:{number}") != f"{name} {number}".encode() * 100:
                wrong.append(f"{name}:{number}")

    threads = [threading.Thread(target=work, args=[name]) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and caplog.text == ""
    assert all(kept.get(f"{name}:{number}") for name in range(6) for number in range(5))


WRITER = """
import sys
from pathlib import Path
from app.engine import cache
from app.engine.cache import ResultCache

cache.TIMEOUT_S = 300
kept = ResultCache(Path(sys.argv[1]), 1_000_000)
print("ready", flush=True)
sys.stdin.readline()
for number in range(15):
    kept.put(f"{sys.argv[2]}:{number}", sys.argv[2].encode() * 1000)
"""


def test_processes_at_once(tmp_path: Path) -> None:
    """Two write into a folder that is not there; nothing is lost, and neither has anything to complain of."""
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
    kept = ResultCache(tmp_path / "new", 1_000_000)
    assert all(kept.get(f"{name}:{number}") == name.encode() * 1000 for name in "ab" for number in range(15))
