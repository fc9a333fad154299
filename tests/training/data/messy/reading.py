"""Assert that `check` and `fit` read a messy data set as the oracle expects."""

import io
import os
import re
import shlex
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.training.data.messy.oracle import Case, Expected, expected, fit_refusal
from tests.training.data.messy.packing import packed
from tests.training.drawn import ARCHITECTURE
from training.cache import Cache
from training.check import CheckOptions, check
from training.data.options import DataOptions
from training.data.scan.findings import Scan
from training.data.sources.source import BadData
from training.options import FitOptions
from training.prepare import PreparedRun, prepare
from training.recipe import Recipe

RECIPE = Recipe(epochs=1, full_size_epochs=1, batch_size=8, input_size=32, precision="float32")
DATE = (1_700_000_000, 1_700_000_000)
EXCLUDE_OPTION = re.compile(r"--exclude ('(?:[^']|'\"'\"')*'|[^\s';]+)")


def quiet() -> Console:
    return Console(file=io.StringIO(), width=250)


def files_of(case: Case) -> dict[str, bytes]:
    files = {item.name: item.content.data for item in case.items}
    assert len(files) == len(case.items), "the generator wrote one file twice"
    if case.table and not case.table[0].startswith("/"):
        files[case.table[0]] = case.table[1]
    return files


def write_case(case: Case, folder: Path, packing: str) -> tuple[Path, DataOptions]:
    """Write the data packed in this way; its path, and the options to read it."""
    folder.mkdir()
    path, options = packed(packing, folder, files_of(case), case.folders)
    for file in path.rglob("*") if packing == "folder" else ():
        os.utime(file, DATE)
    options |= case.options
    if case.table and case.table[0].startswith("/"):
        (folder / case.table[0][1:]).write_bytes(case.table[1])
        options["labels"] = str(folder / case.table[0][1:])
    return path, DataOptions(**options)


def run_check(path: Path, options: DataOptions, unpacked: Path) -> tuple[Scan, str]:
    console = Console(file=io.StringIO(), width=250)
    scan = check(CheckOptions(path, data_options=options, unpacked=unpacked), console)
    assert isinstance(console.file, io.StringIO)
    return scan, console.file.getvalue()


def classes_and_splits(scan: Scan) -> dict[str, tuple[str, str]]:
    return {photo.name: (photo.folder, photo.split) for photo in scan.photos}


def assert_checked_as_expected(case: Case, expected_result: Expected, scan: Scan, text: str) -> None:
    """Photos, classes, splits, findings and printed lines are those that the oracle expects."""
    assert classes_and_splits(scan) == expected_result.photos
    assert sorted((finding.name, finding.problem) for finding in scan.findings) == expected_result.findings
    for note in case.notes:
        assert note in text
    for note in case.silence:
        assert note not in text
    digests = {photo.name: photo.digest for photo in scan.photos}
    assert len(set(digests.values())) == len(digests) == len(set(expected_result.pixels.values()))


def options_of_fit(path: Path, options: DataOptions, folder: Path, pretrained: Path, **fields: Any) -> FitOptions:
    defaults: dict[str, Any] = {
        "recipe": RECIPE,
        "architecture": ARCHITECTURE,
        "weights": pretrained,
        "runs": folder / "runs",
    }
    defaults |= {"cache": Cache(folder / "cache"), "robustness_photos": 0, "data_options": options}
    return FitOptions(data=path, output=folder / "out.safetensors", **{**defaults, **fields})


def assert_split_as_expected(case: Case, expected_result: Expected, ready: PreparedRun[FitOptions]) -> None:
    """A split of the data is used unchanged; a missing one gets its fraction of every class."""
    assert ready.spec.classes == tuple(sorted(case.classes)) == ready.data.layout.folders
    split_of = {photo.name: split for split, photos in ready.split.by_name.items() for photo in photos}
    all_photos = [photo for photos in ready.split.by_name.values() for photo in photos]
    assert len(all_photos) == len(split_of) == len({photo.digest for photo in all_photos})
    assert {photo.name: photo.folder for photo in all_photos} == {
        name: class_name for name, (class_name, _) in expected_result.photos.items()
    }
    named_splits = {split for _, split in expected_result.photos.values()}
    for name, (_, split) in expected_result.photos.items():
        if split in ("validation", "test"):
            assert split_of[name] == split
        else:
            assert split_of[name] == "train" or split_of[name] not in named_splits
    for missing_split in {"validation", "test"} - named_splits:
        for label in case.classes:
            photos_of_class = [
                name
                for name, (folder, split) in expected_result.photos.items()
                if folder == label and split in ("", "train")
            ]
            counts = Counter(split_of[name] for name in photos_of_class)
            assert counts[missing_split] == max(1, round(0.15 * len(photos_of_class)))


def assert_prepared_as_expected(
    case: Case, expected_result: Expected, path: Path, options: DataOptions, folder: Path, pretrained: Path
) -> None:
    """`fit` prepares the expected photos, the same again with the cache, and others after an exchange of two files."""
    fit_options = options_of_fit(path, options, folder, pretrained)
    blamed_classes = fit_refusal(case, expected_result)
    if blamed_classes:
        with pytest.raises(BadData) as error:
            prepare(fit_options, quiet())
        assert_advice_excludes_only_the_class(case, blamed_classes, str(error.value), path, options, folder)
        return
    first = prepare(fit_options, quiet())
    assert_split_as_expected(case, expected_result, first)
    again = prepare(fit_options, quiet())
    assert (again.split, again.data.scan, again.identity) == (first.split, first.data.scan, first.identity)
    if case.packing == "folder" and set(case.twins) <= set(expected_result.photos):
        assert_exchange_is_noticed(case, fit_options, first)


def assert_exchange_is_noticed(case: Case, fit_options: FitOptions, first: PreparedRun[FitOptions]) -> None:
    """Files whose contents are exchanged in place are read again, although sizes and dates are unchanged."""
    one, other = (fit_options.data / name for name in case.twins)
    before = one.read_bytes(), other.read_bytes()
    assert len(before[0]) == len(before[1])
    for file, data in zip((other, one), before, strict=True):
        file.write_bytes(data)
        os.utime(file, DATE)
    changed = case.exchanged()
    expected_result = expected(changed)
    now = prepare(fit_options, quiet())
    assert_split_as_expected(changed, expected_result, now)
    digests = [{photo.name: photo.digest for photo in ready.data.scan.photos} for ready in (first, now)]
    assert [digests[1][name] for name in case.twins] == [digests[0][name] for name in reversed(case.twins)]
    assert now.identity["data"] != first.identity["data"]
    assert now.data.store is not None and all(photo.digest in now.data.store for photo in now.data.scan.photos)


def assert_advice_excludes_only_the_class(
    case: Case, blamed_classes: set[str], text: str, path: Path, options: DataOptions, folder: Path
) -> None:
    """The error names a class that cannot be trained, and its --exclude options leave out exactly that class."""
    blamed = {name for name in blamed_classes if f"the class {name!r} " in text}
    assert len(blamed) == 1, text
    if {"labels", "label_from"} & set(case.options):
        assert "remove its rows" in text or "change the pattern of --label-from" in text
        return
    options_in_text = tuple(match for match in EXCLUDE_OPTION.findall(text))
    assert options_in_text, text
    patterns = tuple(shlex.split(pattern)[0] for pattern in options_in_text)
    others = case.classes - blamed
    if len(others) > 1:
        scan, _ = run_check(path, replace(options, exclude=(*options.exclude, *patterns)), folder)
        expected_labels = {name: label for name, label in classes_of_items(case).items() if label in others}
        assert {photo.name: photo.folder for photo in scan.photos}.items() <= expected_labels.items()
        assert {photo.folder for photo in scan.photos} == set(expected_labels.values())


def classes_of_items(case: Case) -> dict[str, str]:
    """The class of every file that can be decoded."""
    return {item.name: item.label for item in case.items if item.label and not item.silent and item.content.pixels}


def assert_read_as_expected(case: Case, pretrained: Path) -> None:
    """`check` and `fit` read the case as expected, and another packing of it gives the same scan."""
    expected_result = expected(case)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path, options = write_case(case, folder / "one", case.packing)
        if case.refusal:
            fit_options = options_of_fit(path, options, folder, pretrained)
            for refuse in (lambda: run_check(path, options, folder), lambda: prepare(fit_options, quiet())):
                with pytest.raises(BadData) as error:
                    refuse()
                assert all(words in str(error.value) for words in case.refusal), str(error.value)
            return
        scan, text = run_check(path, options, folder)
        assert_checked_as_expected(case, expected_result, scan, text)
        other = "zip" if case.packing == "folder" else "folder"
        packed_otherwise, _ = run_check(*write_case(case, folder / "two", other), folder)
        assert (
            classes_and_splits(packed_otherwise) == classes_and_splits(scan) and packed_otherwise.digest == scan.digest
        )
        assert_prepared_as_expected(case, expected_result, path, options, folder, pretrained)
