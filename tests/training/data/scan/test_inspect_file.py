import json
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from PIL import Image

from tests.training.drawn import encoded, grating, write_gratings, zipped
from training.data.layout.layout import layout
from training.data.scan.findings import ONLY_REPORTED, FileProblem, Scan
from training.data.scan.inspect_file import inspect_file
from training.data.scan.inspect_files import inspect_files
from training.data.scan.select_photos import select_photos
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData


def scan(path: Path, workers: int = 0) -> Scan:
    source = open_source(path)
    data_layout = layout(source)
    return select_photos(data_layout, inspect_files(source, sorted(data_layout.folder_of), workers))


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """Three valid photos per class, and one file for every problem that a file can have."""
    folder = write_gratings(tmp_path / "dirty", {"x": 3, "y": 3})
    photo = encoded(grating(0, 100, side=200).convert("RGB"), "JPEG")
    (folder / "x" / "empty.jpg").write_bytes(b"")
    (folder / "x" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0 no picture")
    (folder / "x" / "half.jpg").write_bytes(photo[: len(photo) // 2])
    (folder / "x" / "really_png.jpg").write_bytes(encoded(grating(0, 101)))
    (folder / "x" / "sliver.png").write_bytes(encoded(Image.new("RGB", (400, 2))))
    (folder / "x" / "copy.png").write_bytes((folder / "x" / "0.png").read_bytes())
    # The same pixels in another format are the same picture.
    (folder / "x" / "copy.bmp").write_bytes(encoded(grating(0, 0), "BMP"))
    (folder / "x" / "here.png").write_bytes(encoded(grating(0, 102)))
    (folder / "y" / "there.png").write_bytes(encoded(grating(0, 102)))
    (folder / "notes.txt").write_text("beside")
    (folder / "x" / "tiny.png").write_bytes(encoded(grating(0, 103).resize((31, 40))))
    (folder / "x" / "blank.png").write_bytes(encoded(Image.new("RGB", (60, 60), (90, 120, 30))))
    return folder


EXPECTED = {
    "x/empty.jpg": FileProblem.EMPTY,
    "x/Thumbs.db": FileProblem.NOT_A_PICTURE,
    "x/half.jpg": FileProblem.BROKEN,
    "x/sliver.png": FileProblem.BROKEN,
    "x/really_png.jpg": FileProblem.MISNAMED,
    "x/copy.png": FileProblem.DUPLICATE,
    "x/copy.bmp": FileProblem.DUPLICATE,
    "x/here.png": FileProblem.CONFLICT,
    "y/there.png": FileProblem.CONFLICT,
    "notes.txt": FileProblem.OUTSIDE,
    "x/tiny.png": FileProblem.TINY,
    "x/blank.png": FileProblem.CONSTANT,
}


def test_every_kind_of_problem_is_found(dirty: Path) -> None:
    assert {finding.name: finding.problem for finding in scan(dirty).findings} == EXPECTED


def test_findings_have_details(dirty: Path) -> None:
    details = {finding.name: finding.detail for finding in scan(dirty).findings}
    assert details["x/copy.png"] == details["x/copy.bmp"] == "the same picture as x/0.png, which is used instead"
    assert "y/there.png" in details["x/here.png"] and "x/here.png" in details["y/there.png"]
    assert "PNG" in details["x/really_png.jpg"]
    assert details["x/tiny.png"] == "it has only 31 x 40 pixels"
    assert details["x/blank.png"] == "the standard deviation of its pixels is 0.0 levels of 255"


def test_only_valid_pictures_are_used_and_no_file_is_changed(dirty: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in dirty.rglob("*")}
    names = [photo.name for photo in scan(dirty).photos]
    odd = ["x/blank.png", "x/really_png.jpg", "x/tiny.png"]
    assert names == sorted([f"{folder}/{number}.png" for folder in "xy" for number in range(3)] + odd)
    assert {file: file.stat().st_mtime_ns for file in dirty.rglob("*")} == before


def test_a_zip_of_the_folder_gives_the_same_scan(dirty: Path, tmp_path: Path) -> None:
    plain, packed = scan(dirty), scan(zipped(dirty, tmp_path / "dirty.zip"))
    assert (plain.photos, plain.findings, plain.digest) == (packed.photos, packed.findings, packed.digest)


def test_the_digest_depends_on_contents_and_not_on_names(tmp_path: Path) -> None:
    folder = write_gratings(tmp_path / "data", {"x": 2, "y": 2})
    before = scan(folder).digest
    (folder / "x" / "0.png").rename(folder / "x" / "renamed.png")
    assert scan(folder).digest == before
    (folder / "x" / "1.png").unlink()
    assert scan(folder).digest != before


def test_a_scan_is_unchanged_by_json(dirty: Path) -> None:
    result = scan(dirty)
    assert Scan.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_an_unexpected_exception_makes_one_broken_file(dirty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(*_: object, **__: object) -> None:
        raise TypeError("a number was wanted")

    monkeypatch.setattr("models.pictures.inspect", odd)
    (finding,) = inspect_file(open_source(dirty), "x/0.png").findings
    assert (finding.problem, finding.detail) == (FileProblem.BROKEN, "TypeError: a number was wanted")


@pytest.mark.slow
def test_worker_processes_give_the_same_scan(dirty: Path) -> None:
    assert scan(dirty, workers=2) == scan(dirty)


@pytest.mark.slow
def test_the_scan_of_the_unchanged_kaggle_zip(shared: Path) -> None:
    """Its two broken files and its Thumbs.db, which its README names, and its exact and near duplicates are found."""
    result = scan(shared / "data" / "cats-vs-dogs.zip", workers=2)
    left_out = [finding for finding in result.findings if finding.problem not in ONLY_REPORTED]
    bad = {finding.name for finding in left_out if finding.problem != FileProblem.DUPLICATE}
    assert bad == {"PetImages/Cat/666.jpg", "PetImages/Dog/11702.jpg", "PetImages/Cat/Thumbs.db"}
    assert len(result.photos) + len(left_out) == 16_003
    assert sum(finding.problem == FileProblem.NEAR_DUPLICATE for finding in result.findings) == 5


def test_the_error_for_a_killed_worker_names_the_option_workers(dirty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(Future, "result", fail)
    with pytest.raises(BadData, match=r"was killed, perhaps because memory ran out: try --workers 0"):
        scan(dirty, workers=1)


def test_a_picture_too_large_for_the_memory_is_not_called_broken(dirty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("models.pictures.inspect", full)
    (finding,) = inspect_file(open_source(dirty), "x/0.png").findings
    assert finding.problem is FileProblem.UNREADABLE and "not enough memory" in finding.detail
