import io
import os
import zipfile
from pathlib import Path

import pytest
import torch
from rich.console import Console

from models import pictures
from tests.training.drawn import encoded, grating
from training.cache import Cache
from training.data.layout.layout import layout
from training.data.loading.photo_store import PhotoStore
from training.data.scan.findings import Scan
from training.data.scan.scan_source import scan_and_store, scan_files
from training.data.sources import file_identity
from training.data.sources.open_source import open_source

DATE = (1_700_000_000, 1_700_000_000)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """File times count as reliable at once, so that no test has to wait for two seconds."""
    monkeypatch.setattr(file_identity, "SETTLED_NS", 0)


def write(folder: Path, first: int = 0) -> Path:
    """Write three photos in each of two classes, as BMP: all files have the same size and date."""
    for label, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            file = folder / name / f"{number}.bmp"
            file.write_bytes(encoded(grating(label, first + number), "BMP"))
            os.utime(file, DATE)
    return folder


def packed(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as opened:
        for file in sorted(folder.rglob("*.bmp")):
            opened.writestr(zipfile.ZipInfo(file.relative_to(folder).as_posix()), file.read_bytes())
    os.utime(archive, DATE)
    return archive


def scan_and_check(path: Path, cache: Cache) -> tuple[Scan, PhotoStore]:
    source = open_source(path)
    scan, store = scan_and_store(source, layout(source), cache, 48, 0, Console(file=io.StringIO()))
    assert store is not None
    for photo in scan.photos:  # the stored pixels are those of the file now
        assert torch.equal(store.pixels(photo.digest), pictures.decode(source.read(photo.name)))
    return scan, store


def exchange(folder: Path) -> None:
    one, other = folder / "cat" / "1.bmp", folder / "dog" / "2.bmp"
    one.rename(folder / "t")
    other.rename(one)
    (folder / "t").rename(other)


def write_others(folder: Path) -> None:
    write(folder, first=50)


def replace_the_folder(folder: Path) -> None:
    folder.rename(folder.with_name("old"))
    write(folder, first=50)


@pytest.mark.parametrize("change", [exchange, write_others, replace_the_folder])
def test_changed_photos_with_the_same_names_sizes_and_dates_are_recognised(tmp_path: Path, change: object) -> None:
    assert callable(change)
    cache, folder = Cache(tmp_path / "cache"), write(tmp_path / "data")
    before, _ = scan_and_check(folder, cache)
    change(folder)
    after, _ = scan_and_check(folder, cache)
    assert after.digest != before.digest and len(after.photos) == len(before.photos) == 6


def test_another_zip_with_the_same_name_size_and_date_is_recognised(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    path = packed(write(tmp_path / "one"), tmp_path / "data.zip")
    before, _ = scan_and_check(path, cache)
    size = path.stat().st_size
    packed(write(tmp_path / "other", first=50), path)
    assert path.stat().st_size == size
    assert scan_and_check(path, cache)[0].digest != before.digest


def test_unchanged_files_are_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were written again with the same bytes are not decoded either."""
    cache, folder = Cache(tmp_path / "cache"), write(tmp_path / "data")
    first, _ = scan_and_check(folder, cache)

    def refuse(*_: object, **__: object) -> object:
        raise AssertionError("was looked at already")

    monkeypatch.setattr("training.data.scan.scan_source.inspect_files", refuse)
    assert scan_and_check(folder, cache)[0] == first
    write(folder)
    assert scan_and_check(folder, cache)[0] == first


def test_another_layout_of_the_same_files_is_another_scan(tmp_path: Path) -> None:
    cache, folder = Cache(tmp_path / "cache"), write(tmp_path / "data")
    scan_and_check(folder, cache)
    (folder / "dog").rename(folder / "wolf")
    assert {photo.folder for photo in scan_and_check(folder, cache)[0].photos} == {"cat", "wolf"}


def test_a_scan_without_pixels_is_cached_too(tmp_path: Path) -> None:
    cache, source = Cache(tmp_path / "cache"), open_source(write(tmp_path / "data"))
    arguments = {"workers": 0, "console": Console(file=io.StringIO()), "cache": cache}
    assert scan_files(source, layout(source), **arguments) == scan_files(source, layout(source), **arguments)
    assert cache.load_recorded(source.path).contents.keys() == layout(source).folder_of.keys()
