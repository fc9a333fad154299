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
    """Sixty gratings per class, and four problems: two are in the wrong folder, one is empty and one is a copy."""
    folder = write_gratings(tmp_path / "data", {"Reddish": 60, "Bluish": 60})
    (folder / "Bluish" / "wrong.png").write_bytes(encoded(grating(0, 500)))
    (folder / "Reddish" / "wrong <b>.png").write_bytes(encoded(grating(1, 501)))
    (folder / "Reddish" / "empty.png").write_bytes(b"")
    (folder / "Reddish" / "copy.png").write_bytes(encoded(grating(0, 3)))
    return folder


def test_wrong_labels_are_found(dirty: Path, tmp_path: Path) -> None:
    pretrained = write_pretrained(tmp_path / "weights.pth")
    scan = check(CheckOptions(dirty, probe=True, architecture=ARCHITECTURE, weights=pretrained), quiet())
    doubtful = {finding.name: finding.detail for finding in scan.findings if finding.problem is FileProblem.LABEL}
    assert {"Bluish/wrong.png", "Reddish/wrong <b>.png"} <= set(doubtful) and len(doubtful) < 12
    assert (
        "the label is Bluish" in doubtful["Bluish/wrong.png"] and "looks like Reddish" in doubtful["Bluish/wrong.png"]
    )


def test_the_page_shows_the_findings_and_has_no_script(dirty: Path, tmp_path: Path) -> None:
    """The page has thumbnails inside, no script and no URL; the data set is not changed."""
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


def test_names_are_escaped_in_the_page(tmp_path: Path) -> None:
    folder = write_gratings(tmp_path / "data", {"x": 3, "y": 3})
    (folder / "x" / "<img src=x onerror=alert(1)>.png").write_bytes(encoded(grating(0, 0)))
    check(CheckOptions(folder, page=tmp_path / "page.html"), quiet())
    page = (tmp_path / "page.html").read_text()
    assert "<img src=x" not in page and "&lt;img src=x" in page


@pytest.mark.slow
def test_wrong_labels_of_real_photos_are_found(shared: Path, tmp_path: Path) -> None:
    """Ten labels of 400 cats and dogs are swapped: eight or more of them are found, among at most twenty findings."""
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
    doubtful = [finding.name for finding in scan.findings if finding.problem is FileProblem.LABEL]
    assert len(swapped & set(doubtful)) >= 8 and len(doubtful) <= 20


def test_a_warning_of_classes_that_differ_only_in_case_names_the_option_rename(tmp_path: Path) -> None:
    """Letters, as in EMNIST, remain two classes; with another name for one of them the warning is not printed."""
    folder = write_gratings(tmp_path / "data", {"a": 2, "A": 3})
    console = quiet()
    assert check(CheckOptions(folder), console).counts == {"a": 2, "A": 3}
    assert isinstance(console.file, io.StringIO) and "--rename a=NAME" in console.file.getvalue()
    console = quiet()
    check(CheckOptions(folder, renamed={"A": "capital a"}), console)
    assert isinstance(console.file, io.StringIO)
    assert "capital a" in console.file.getvalue() and "warning" not in console.file.getvalue()


def test_without_usable_photos_no_probe_is_trained(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "photo.heic").write_bytes(b"ftypheic")
    scan = check(CheckOptions(tmp_path / "data", probe=True), quiet())
    assert [finding.problem for finding in scan.findings] == [FileProblem.NOT_A_PICTURE] * 2
