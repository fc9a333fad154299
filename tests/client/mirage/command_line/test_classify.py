"""mirage classify: many pictures, in files that can be continued."""

import csv
import json
import os
from pathlib import Path

import pytest

from models.pictures import encode
from tests.app.live_service import Live, drawn
from tests.client.command import mirage

NAMES = [
    "plain.png",
    "with space.png",
    "new\nline.png",
    "quo\"te',.png",
    "\x1b[31mred.png",
    "caf\u00e9 \u732b.png",
    "-o.png",
]


@pytest.fixture(autouse=True)
def service(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRAGE_URL", live.url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of pictures with hostile names, one of which is no Unicode, and a file that is no picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, name in enumerate([*NAMES, os.fsdecode(b"\xff\xfe.png")]):
        (folder / name).write_bytes(encode(drawn(40, 48, seed=seed)))
    (folder / "broken.jpg").write_bytes(b"no picture at all")
    return folder


def test_every_picture_has_one_line_whatever_its_name(folder: Path) -> None:
    done = mirage("classify", folder)
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [record["path"] for record in records] == [str(folder / name) for name in sorted(os.listdir(folder))]
    failed = [record for record in records if "problem" in record]
    assert [os.path.basename(record["path"]) for record in failed] == ["broken.jpg"] and done.code == 1
    assert all(sum(item["probability"] for item in record["predictions"]) == pytest.approx(1) for record in records
               if record not in failed)  # fmt: skip


def test_a_table_shows_hostile_names_harmlessly(folder: Path) -> None:
    done = mirage("classify", folder, "--format", "table")
    assert "\x1b[31m" not in done.out and "\\x1b[31mred.png" in done.out and "new\\nline.png" in done.out
    assert len(done.out.splitlines()) == len(os.listdir(folder))


def classes(results: Path) -> list[tuple[str, str]]:
    """The path of each picture, and its class or problem; the probabilities are rounded otherwise in other batches."""
    with results.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        if results.suffix == ".csv":
            return [(row["path"], row["label_1"] or row["problem"]) for row in csv.DictReader(file)]
        records = [json.loads(line) for line in file]
    return [(item["path"], item.get("problem") or item["predictions"][0]["label"]) for item in records]


@pytest.mark.parametrize("name", ["results.jsonl", "results.csv"])
def test_a_run_that_was_stopped_goes_on(name: str, folder: Path, tmp_path: Path) -> None:
    """Cut off in the middle of a line, the file has every picture once in the end."""
    whole, part = tmp_path / name, tmp_path / f"part-{name}"
    assert mirage("classify", folder, "-o", whole).code == 1
    assert [path for path, _ in classes(whole)] == [str(folder / name) for name in sorted(os.listdir(folder))]
    part.write_bytes(whole.read_bytes()[: len(whole.read_bytes()) * 6 // 10])
    done = mirage("classify", folder, "-o", part)
    assert "are in" in done.err and sorted(classes(part)) == sorted(classes(whole))
    assert mirage("classify", folder, "-o", part).code == 1, "what failed is tried again, and fails again"
    assert sorted(classes(part)) == sorted(classes(whole))
    (folder / "broken.jpg").unlink()
    assert mirage("classify", folder, "-o", part).code == 0


@pytest.mark.parametrize("other", [("--top", 2), ("--model", "none")])
def test_results_with_other_settings_are_not_mixed(other: tuple[object, ...], folder: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    mirage("classify", folder, "-o", results)
    before = results.read_bytes()
    done = mirage("classify", folder, "-o", results, *other)
    assert done.code == 2 and ("--again" in done.err or "none" in done.err)
    assert results.read_bytes() == before, "also the records of pictures that failed"


def test_results_of_another_version_of_the_model_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    """As after the model was trained anew: its name is the same."""
    results = tmp_path / "results.jsonl"
    mirage("classify", folder, "-o", results)
    results.write_text(results.read_text().replace('"version": "', '"version": "0'))
    before = results.read_bytes()
    done = mirage("classify", folder, "-o", results)
    assert done.code == 2 and "version" in done.err and results.read_bytes() == before


def test_a_picture_is_never_replaced_by_results(folder: Path) -> None:
    photo = folder / "plain.png"
    before = photo.read_bytes()
    done = mirage("classify", photo, "-o", photo, "--again")
    assert done.code == 2 and "name of a picture" in done.err and photo.read_bytes() == before


def test_again_begins_anew(folder: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    mirage("classify", folder, "-o", results, "--top", 1)
    mirage("classify", folder, "-o", results, "--top", 2, "--again")
    records = [json.loads(line) for line in results.read_text().splitlines()]
    assert {len(record["predictions"]) for record in records if "problem" not in record} == {2}
