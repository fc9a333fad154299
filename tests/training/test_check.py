import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.training.drawn import ARCHITECTURE, encoded, grating, write_gratings, write_pretrained
from training.check import CheckOptions, check
from training.data.scan.findings import FileProblem
from training.data.sources.open_source import open_source


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """Sixty gratings per class; two of them lie in the other's folder, one is empty and one there twice."""
    folder = write_gratings(tmp_path / "data", {"Reddish": 60, "Bluish": 60})
    (folder / "Bluish" / "wrong.png").write_bytes(encoded(grating(0, 500)))
    (folder / "Reddish" / "wrong <b>.png").write_bytes(encoded(grating(1, 501)))
    (folder / "Reddish" / "empty.png").write_bytes(b"")
    (folder / "Reddish" / "copy.png").write_bytes(encoded(grating(0, 3)))
    return folder


def test_labels_that_were_planted_are_in_doubt(dirty: Path, tmp_path: Path) -> None:
    pretrained = write_pretrained(tmp_path / "weights.pth")
    scan = check(CheckOptions(dirty, probe=True, architecture=ARCHITECTURE, weights=pretrained), quiet())
    doubted = {finding.name: finding.detail for finding in scan.findings if finding.problem is FileProblem.LABEL}
    assert {"Bluish/wrong.png", "Reddish/wrong <b>.png"} <= set(doubted) and len(doubted) < 12
    assert "the label is Bluish" in doubted["Bluish/wrong.png"] and "looks like Reddish" in doubted["Bluish/wrong.png"]


def test_the_page_shows_what_was_found_and_runs_nothing(dirty: Path, tmp_path: Path) -> None:
    """Thumbnails inside, names escaped, no script and no address."""
    before = {file: file.stat().st_mtime_ns for file in dirty.rglob("*")}
    check(CheckOptions(dirty, page=tmp_path / "page.html", csv=tmp_path / "list.csv"), quiet())
    page = (tmp_path / "page.html").read_text()
    assert "Reddish/empty.png" in page and "duplicate (1)" in page and "the same picture as Reddish/3.png" in page
    assert page.count("data:image/jpeg;base64,") == 1  # the copy; an empty file shows nothing
    assert "<script" not in page and "http" not in page
    assert (
        'Reddish/copy.png,duplicate,"the same picture as Reddish/3.png, which is used instead"'
        in (tmp_path / "list.csv").read_text()
    )
    assert {file: file.stat().st_mtime_ns for file in dirty.rglob("*")} == before


def test_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    folder = write_gratings(tmp_path / "data", {"x": 3, "y": 3})
    (folder / "x" / "<img src=x onerror=alert(1)>.png").write_bytes(encoded(grating(0, 0)))
    check(CheckOptions(folder, page=tmp_path / "page.html"), quiet())
    page = (tmp_path / "page.html").read_text()
    assert "<img src=x" not in page and "&lt;img src=x" in page


@pytest.mark.slow
def test_planted_labels_of_real_photos_are_found(shared: Path, tmp_path: Path) -> None:
    """Of 400 cats and dogs with ten labels swapped: eight of the ten at least, among twenty in doubt at most."""
    source = open_source(shared / "data" / "cats-vs-dogs.zip")
    swapped = set()
    for folder, other in (("Cat", "Dog"), ("Dog", "Cat")):
        names = [name for name in source.names if f"/{folder}/" in name and name.endswith("1.jpg")][:200]
        for number, name in enumerate(names):
            place = tmp_path / "data" / (other if number % 40 == 7 else folder) / f"{folder}-{number}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(source.read(name))
            if number % 40 == 7:
                swapped.add(f"{other}/{place.name}")
    pretrained = shared / "weights" / "mobilenet_v2-imagenet1k.safetensors"
    scan = check(CheckOptions(tmp_path / "data", probe=True, weights=pretrained, workers=2), quiet())
    doubted = [finding.name for finding in scan.findings if finding.problem is FileProblem.LABEL]
    assert len(swapped & set(doubted)) >= 8 and len(doubted) <= 20


def test_classes_that_differ_in_capitals_alone_are_told_of_and_may_be_called_otherwise(tmp_path: Path) -> None:
    """Letters, as in EMNIST: they stay two classes, and the line names the option that parts their names."""
    folder = write_gratings(tmp_path / "data", {"a": 2, "A": 3})
    console = quiet()
    assert check(CheckOptions(folder), console).counts == {"a": 2, "A": 3}
    assert isinstance(console.file, io.StringIO) and "--rename a=NAME" in console.file.getvalue()
    console = quiet()
    check(CheckOptions(folder, renamed={"A": "capital a"}), console)
    assert isinstance(console.file, io.StringIO)
    assert "capital a" in console.file.getvalue() and "warning" not in console.file.getvalue()


def test_where_no_photo_can_be_used_its_probe_is_left_out(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "photo.heic").write_bytes(b"ftypheic")
    scan = check(CheckOptions(tmp_path / "data", probe=True), quiet())
    assert [finding.problem for finding in scan.findings] == [FileProblem.NOT_A_PICTURE] * 2
