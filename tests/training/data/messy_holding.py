"""Holds `check` and what `fit` trains on to what the oracle says of a messy data set."""

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

from tests.training.data.messy import Case, Expected, expected, fit_refusal
from tests.training.data.messy_packing import packed
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
ADVISED = re.compile(r"--exclude ('(?:[^']|'\"'\"')*'|[^\s';]+)")


def quiet() -> Console:
    return Console(file=io.StringIO(), width=250)


def files_of(case: Case) -> dict[str, bytes]:
    files = {item.name: item.content.data for item in case.items}
    assert len(files) == len(case.items), "the generator wrote one file twice"
    if case.table and not case.table[0].startswith("/"):
        files[case.table[0]] = case.table[1]
    return files


def written(case: Case, place: Path, packing: str) -> tuple[Path, DataOptions]:
    """The data packed in this way, and the options to read it."""
    place.mkdir()
    path, options = packed(packing, place, files_of(case), case.folders)
    for file in path.rglob("*") if packing == "folder" else ():
        os.utime(file, DATE)
    options |= case.options
    if case.table and case.table[0].startswith("/"):
        (place / case.table[0][1:]).write_bytes(case.table[1])
        options["labels"] = str(place / case.table[0][1:])
    return path, DataOptions(**options)


def checked(path: Path, options: DataOptions, unpacked: Path) -> tuple[Scan, str]:
    console = Console(file=io.StringIO(), width=250)
    scan = check(CheckOptions(path, data_options=options, unpacked=unpacked), console)
    assert isinstance(console.file, io.StringIO)
    return scan, console.file.getvalue()


def placed(scan: Scan) -> dict[str, tuple[str, str]]:
    return {photo.name: (photo.folder, photo.split) for photo in scan.photos}


def hold_check(case: Case, wanted: Expected, scan: Scan, text: str) -> None:
    """The photos, classes, splits and findings are those of the oracle, and so are the lines for the user."""
    assert placed(scan) == wanted.photos
    assert sorted((finding.name, finding.problem) for finding in scan.findings) == wanted.findings
    for note in case.notes:
        assert note in text
    for note in case.silence:
        assert note not in text
    digests = {photo.name: photo.digest for photo in scan.photos}
    assert len(set(digests.values())) == len(digests) == len(set(wanted.pixels.values()))


def job(path: Path, options: DataOptions, place: Path, pretrained: Path, **fields: Any) -> FitOptions:
    usual: dict[str, Any] = {
        "recipe": RECIPE,
        "architecture": ARCHITECTURE,
        "weights": pretrained,
        "runs": place / "runs",
    }
    usual |= {"cache": Cache(place / "cache"), "robustness_photos": 0, "data_options": options}
    return FitOptions(data=path, output=place / "out.safetensors", **{**usual, **fields})


def hold_split(case: Case, wanted: Expected, ready: PreparedRun[FitOptions]) -> None:
    """A split that was given is kept to the photo; of one that was not each class has its fraction."""
    assert ready.spec.classes == tuple(sorted(case.classes)) == ready.data.layout.folders
    sides = {photo.name: side for side, photos in ready.split.by_name.items() for photo in photos}
    every = [photo for photos in ready.split.by_name.values() for photo in photos]
    assert len(every) == len(sides) == len({photo.digest for photo in every})
    assert {photo.name: photo.folder for photo in every} == {name: own for name, (own, _) in wanted.photos.items()}
    given = {split for _, split in wanted.photos.values()}
    for name, (_, split) in wanted.photos.items():
        if split in ("validation", "test"):
            assert sides[name] == split
        else:
            assert sides[name] == "train" or sides[name] not in given
    for missing in {"validation", "test"} - given:
        for label in case.classes:
            own = [
                name for name, (folder, split) in wanted.photos.items() if folder == label and split in ("", "train")
            ]
            assert Counter(sides[name] for name in own)[missing] == max(1, round(0.15 * len(own)))


def hold_fit(case: Case, wanted: Expected, path: Path, options: DataOptions, place: Path, pretrained: Path) -> None:
    """What `fit` would train on, twice with one cache, and again when two files have changed places in theirs."""
    asked = job(path, options, place, pretrained)
    refused = fit_refusal(case, wanted)
    if refused:
        with pytest.raises(BadData) as caught:
            prepare(asked, quiet())
        hold_advice(case, refused, str(caught.value), path, options, place)
        return
    first = prepare(asked, quiet())
    hold_split(case, wanted, first)
    again = prepare(asked, quiet())
    assert (again.split, again.data.scan, again.identity) == (first.split, first.data.scan, first.identity)
    if case.packing == "folder" and set(case.twins) <= set(wanted.photos):
        hold_exchange(case, asked, first)


def hold_exchange(case: Case, asked: FitOptions, first: PreparedRun[FitOptions]) -> None:
    """Files that are written to in place are read anew, although their sizes and dates are as before."""
    one, other = (asked.data / name for name in case.twins)
    before = one.read_bytes(), other.read_bytes()
    assert len(before[0]) == len(before[1])
    for file, data in zip((other, one), before, strict=True):
        file.write_bytes(data)
        os.utime(file, DATE)
    changed = case.exchanged()
    wanted = expected(changed)
    now = prepare(asked, quiet())
    hold_split(changed, wanted, now)
    digests = [{photo.name: photo.digest for photo in ready.data.scan.photos} for ready in (first, now)]
    assert [digests[1][name] for name in case.twins] == [digests[0][name] for name in reversed(case.twins)]
    assert now.identity["data"] != first.identity["data"]
    assert now.data.store is not None and all(photo.digest in now.data.store for photo in now.data.scan.photos)


def hold_advice(case: Case, refused: set[str], text: str, path: Path, options: DataOptions, place: Path) -> None:
    """The error names a class that is to blame, and what it says of leaving it out leaves out that class alone."""
    blamed = {name for name in refused if f"the class {name!r} " in text}
    assert len(blamed) == 1, text
    if {"labels", "label_from"} & set(case.options):
        assert "remove its rows" in text or "change the pattern of --label-from" in text
        return
    advised = tuple(match for match in ADVISED.findall(text))
    assert advised, text
    patterns = tuple(shlex.split(pattern)[0] for pattern in advised)
    others = case.classes - blamed
    if len(others) > 1:
        scan, _ = checked(path, replace(options, exclude=(*options.exclude, *patterns)), place)
        wanted = {name: own for name, own in placed_items(case).items() if own in others}
        assert {photo.name: photo.folder for photo in scan.photos}.items() <= wanted.items()
        assert {photo.folder for photo in scan.photos} == set(wanted.values())


def placed_items(case: Case) -> dict[str, str]:
    """The class of every file that decodes."""
    return {item.name: item.label for item in case.items if item.label and not item.silent and item.content.pixels}


def hold(case: Case, pretrained: Path) -> None:
    wanted = expected(case)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        path, options = written(case, place / "one", case.packing)
        if case.refusal:
            asked = job(path, options, place, pretrained)
            for refuse in (lambda: checked(path, options, place), lambda: prepare(asked, quiet())):
                with pytest.raises(BadData) as caught:
                    refuse()
                assert all(words in str(caught.value) for words in case.refusal), str(caught.value)
            return
        scan, text = checked(path, options, place)
        hold_check(case, wanted, scan, text)
        other = "zip" if case.packing == "folder" else "folder"
        packed_otherwise, _ = checked(*written(case, place / "two", other), place)
        assert placed(packed_otherwise) == placed(scan) and packed_otherwise.digest == scan.digest
        hold_fit(case, wanted, path, options, place, pretrained)
