import os
from dataclasses import replace
from pathlib import Path

import pytest

from training.data.scan.file_contents import RecordedContents, content_digest, current_contents
from training.data.sources import file_identity
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData, Source

NAMES = ("cat/1.png", "dog/1.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        (tmp_path / "data" / name).write_bytes(name.encode())
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """File times count as reliable at once, so that no test has to wait for two seconds."""
    monkeypatch.setattr(file_identity, "SETTLED_NS", 0)


def record_contents(source: Source) -> RecordedContents:
    return RecordedContents({name: content_digest(source.read(name)) for name in NAMES}, source.identities)


class Counting:
    """The reader of a source that records the names of the files that are read."""

    def __init__(self, source: Source) -> None:
        self.names: list[str] = []
        self.reader = source.reader

    def read(self, name: str, limit: int) -> bytes:
        self.names.append(name)
        return self.reader.read(name, limit)


def counted(source: Source) -> tuple[Source, Counting]:
    reader = Counting(source)
    return replace(source, reader=reader), reader


def test_files_with_unchanged_identities_are_not_read_but_for_a_sample(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.data.scan.file_contents.VERIFIED", 1)
    before = record_contents(open_source(folder))
    source, reader = counted(open_source(folder))
    assert current_contents(source, NAMES, before) == before.contents
    assert len(reader.names) == 1, "a sample alone is read"


@pytest.mark.skipif(os.name != "posix", reason="only POSIX systems keep a change time")
@pytest.mark.parametrize("how", ["exchanged", "written", "replaced", "moved away and back"])
def test_other_bytes_of_the_same_size_and_date_are_recognised(folder: Path, how: str) -> None:
    """Four ways to change a file without changing its size or its modification time."""
    one, other = (folder / name for name in NAMES)
    for file in (one, other):
        os.utime(file, (1_700_000_000, 1_700_000_000))
    before = record_contents(open_source(folder))
    if how == "exchanged":
        one.rename(folder / "t")
        other.rename(one)
        (folder / "t").rename(other)
    elif how == "written":
        one.write_bytes(b"CAT/1.PNG")
    elif how == "replaced":
        (folder / "new").write_bytes(b"CAT/1.PNG")
        (folder / "new").replace(one)
    else:
        folder.rename(folder.with_name("old"))
        for name in NAMES:
            (folder / name).parent.mkdir(parents=True)
            (folder / name).write_bytes(name.upper().encode())
    for name in NAMES:
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))
    now = current_contents(open_source(folder), NAMES, before)
    assert now == {name: content_digest((folder / name).read_bytes()) for name in NAMES} != before.contents


def test_all_files_are_read_if_the_sample_has_changed(folder: Path) -> None:
    """On some network file systems the change time of a file stays the same."""
    source = open_source(folder)
    before = record_contents(source)
    (folder / NAMES[0]).write_bytes(b"another")
    now, reader = counted(source)  # with the identities of before
    assert current_contents(now, NAMES, before)[NAMES[0]] == content_digest(b"another")
    assert set(reader.names) == set(NAMES)


def test_a_file_that_changed_just_now_has_no_identity(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be written again within the same tick of the file system's clock."""
    monkeypatch.setattr(file_identity, "SETTLED_NS", 10**12)
    assert open_source(folder).identities == {}


def test_a_file_that_cannot_be_read_has_no_digest(folder: Path) -> None:
    source = open_source(folder)
    before = record_contents(source)
    (folder / NAMES[0]).unlink()
    with pytest.raises(BadData):
        source.read(NAMES[0])
    assert current_contents(replace(source, identities={}), NAMES, before)[NAMES[0]] == ""
