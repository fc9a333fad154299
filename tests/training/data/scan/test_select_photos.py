import io
from pathlib import Path

import numpy as np
from PIL import Image

from tests.training.drawn import encoded, grating
from training.data.layout.layout import layout
from training.data.scan.findings import FileProblem, Scan
from training.data.scan.inspect_files import inspect_files
from training.data.scan.select_photos import select_photos
from training.data.sources.open_source import open_source


def scan_files(folder: Path, files: dict[str, Image.Image]) -> Scan:
    for name, image in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(image))
    source = open_source(folder)
    found = layout(source)
    return select_photos(found, inspect_files(source, sorted(found.folder_of), 0))


def nearly(image: Image.Image) -> Image.Image:
    """As a JPEG would have it."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return Image.open(buffer).convert("RGB")


def problems(scan: Scan) -> dict[str, FileProblem]:
    return {finding.name: finding.problem for finding in scan.findings}


def test_what_is_nearly_a_copy_is_used_and_told_of(tmp_path: Path) -> None:
    photo = grating(0, 1)
    scan = scan_files(tmp_path, {"x/1.png": photo, "x/2.png": nearly(photo), "y/1.png": grating(1, 2)})
    assert problems(scan) == {"x/2.png": FileProblem.NEAR_DUPLICATE}
    assert [photo.name for photo in scan.photos] == ["x/1.png", "x/2.png", "y/1.png"]
    first, second, other = scan.photos
    assert first.group == second.group in (first.digest, second.digest) and other.group == other.digest


def test_a_group_is_called_the_same_whatever_its_files_are(tmp_path: Path) -> None:
    """Else renaming would move it to another side of a split."""
    one, other = grating(0, 1), nearly(grating(0, 1))
    groups = []
    for name, first, second in (("before", one, other), ("after", other, one)):
        scan = scan_files(tmp_path / name, {"x/1.png": first, "x/2.png": second, "y/1.png": grating(1, 2)})
        groups.append({photo.group for photo in scan.photos if photo.folder == "x"})
    assert groups[0] == groups[1] and len(groups[0]) == 1


def test_what_nearly_is_in_two_classes_is_told_of_both(tmp_path: Path) -> None:
    photo = grating(0, 1)
    scan = scan_files(tmp_path, {"x/1.png": photo, "y/2.png": nearly(photo), "y/1.png": grating(1, 2)})
    assert problems(scan) == {"x/1.png": FileProblem.NEAR_CONFLICT, "y/2.png": FileProblem.NEAR_CONFLICT}
    assert len(scan.photos) == 3


def test_a_copy_of_what_judges_does_not_train(tmp_path: Path) -> None:
    """Exactly or nearly the same in train and test, in train and val, in val and test: the stricter side has it."""
    both = [grating(0, number) for number in range(4)]
    files = {
        f"{side}/{name}/0.png": grating(label, 50 + label + 10 * len(side))
        for side in ("train", "val", "test")
        for label, name in enumerate("xy")
    }
    files |= {
        "train/x/1.png": both[0],
        "test/x/1.png": both[0],
        "train/x/2.png": both[1],
        "val/x/2.png": nearly(both[1]),
    }
    files |= {"val/x/3.png": both[2], "test/x/3.png": nearly(both[2])}
    scan = scan_files(tmp_path, files)
    leaks = {"train/x/1.png", "train/x/2.png", "val/x/3.png"}
    assert problems(scan) == dict.fromkeys(leaks, FileProblem.LEAK)
    assert {photo.name for photo in scan.photos} == set(files) - leaks
    assert {photo.name: photo.split for photo in scan.photos}["val/x/2.png"] == "validation"
    details = {finding.name: finding.detail for finding in scan.findings}
    assert details["train/x/1.png"] == "the same picture as test/x/1.png of the test split, which is used instead"
    assert details["train/x/2.png"] == "a near-duplicate of val/x/2.png of the validation split, which is used instead"


def test_copies_that_both_train_are_in_no_two_splits(tmp_path: Path) -> None:
    """One in the train split of its class, the other beside it in no split."""
    photo = grating(0, 1)
    others = {f"{own}/{side}/1.png": grating(n, n) for n, (own, side) in enumerate((("y", "train"), ("y", "test")))}
    files = {"x/train/2.png": photo, "x/1.png": photo, "x/test/1.png": grating(1, 9), **others}
    scan = scan_files(tmp_path, files)
    assert [(finding.name, finding.problem, finding.detail) for finding in scan.findings] == [
        ("x/train/2.png", FileProblem.DUPLICATE, "the same picture as x/1.png, which is used instead")
    ]


def test_where_most_photos_look_alike_they_train_all_the_same(tmp_path: Path) -> None:
    """Frames of one camera, say: what would leave nothing to train on is told of and used."""
    camera = [grating(label, 1) for label in range(2)]
    files = {f"train/{name}/train.png": camera[label] for label, name in enumerate("xy")}
    files |= {f"test/{name}/test.png": nearly(camera[label]) for label, name in enumerate("xy")}
    scan = scan_files(tmp_path, files | {"train/x/other.png": grating(0, 7)})
    assert problems(scan) == dict.fromkeys(("train/x/train.png", "train/y/train.png"), FileProblem.NEAR_LEAK)
    assert len(scan.photos) == 5
    details = {finding.name: finding.detail for finding in scan.findings}
    assert details["train/x/train.png"] == (
        "a near-duplicate of test/x/test.png of the test split; both are used, because more than half of the training "
        "photos have such a near-duplicate"
    )


def test_a_chain_is_one_group(tmp_path: Path) -> None:
    """c looks like b and b like a: the three are dealt to one side of a split."""
    base = np.asarray(grating(0, 5)).astype(float)
    steps = [Image.fromarray(np.clip(base + change, 0, 255).astype(np.uint8)) for change in (0, 3, 6)]
    scan = scan_files(tmp_path, {f"x/{n}.png": step for n, step in enumerate(steps)} | {"y/1.png": grating(1, 2)})
    assert len({photo.group for photo in scan.photos if photo.folder == "x"}) == 1
    assert {finding.name: finding.detail for finding in scan.findings} == {
        "x/1.png": "a near-duplicate of x/0.png; both are used",
        "x/2.png": "a near-duplicate of x/1.png; both are used",
    }
