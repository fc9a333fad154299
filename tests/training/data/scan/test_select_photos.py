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
    data_layout = layout(source)
    return select_photos(data_layout, inspect_files(source, sorted(data_layout.folder_of), 0))


def nearly(image: Image.Image) -> Image.Image:
    """The picture after compression as a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return Image.open(buffer).convert("RGB")


def problems(scan: Scan) -> dict[str, FileProblem]:
    return {finding.name: finding.problem for finding in scan.findings}


def test_a_near_duplicate_is_used_and_reported(tmp_path: Path) -> None:
    photo = grating(0, 1)
    scan = scan_files(tmp_path, {"x/1.png": photo, "x/2.png": nearly(photo), "y/1.png": grating(1, 2)})
    assert problems(scan) == {"x/2.png": FileProblem.NEAR_DUPLICATE}
    assert [photo.name for photo in scan.photos] == ["x/1.png", "x/2.png", "y/1.png"]
    first, second, other = scan.photos
    assert first.group == second.group in (first.digest, second.digest) and other.group == other.digest


def test_the_name_of_a_group_does_not_depend_on_file_names(tmp_path: Path) -> None:
    """Otherwise renaming a file could move its group to another split."""
    one, other = grating(0, 1), nearly(grating(0, 1))
    groups = []
    for name, first, second in (("before", one, other), ("after", other, one)):
        scan = scan_files(tmp_path / name, {"x/1.png": first, "x/2.png": second, "y/1.png": grating(1, 2)})
        groups.append({photo.group for photo in scan.photos if photo.folder == "x"})
    assert groups[0] == groups[1] and len(groups[0]) == 1


def test_near_duplicates_in_two_classes_are_both_reported(tmp_path: Path) -> None:
    photo = grating(0, 1)
    scan = scan_files(tmp_path, {"x/1.png": photo, "y/2.png": nearly(photo), "y/1.png": grating(1, 2)})
    assert problems(scan) == {"x/1.png": FileProblem.NEAR_CONFLICT, "y/2.png": FileProblem.NEAR_CONFLICT}
    assert len(scan.photos) == 3


def test_duplicates_in_several_splits_are_only_used_in_the_strictest(tmp_path: Path) -> None:
    """Exact and near duplicates are in train and test, train and val, val and test: test comes first, then val."""
    both = [grating(0, number) for number in range(4)]
    files = {
        f"{split}/{name}/0.png": grating(label, 50 + label + 10 * len(split))
        for split in ("train", "val", "test")
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


def test_a_copy_in_no_split_of_a_training_photo_is_a_duplicate_and_no_leak(tmp_path: Path) -> None:
    """One copy is in the train split of its class, the other beside it in no split, which trains too."""
    photo = grating(0, 1)
    others = {f"{own}/{split}/1.png": grating(n, n) for n, (own, split) in enumerate((("y", "train"), ("y", "test")))}
    files = {"x/train/2.png": photo, "x/1.png": photo, "x/test/1.png": grating(1, 9), **others}
    scan = scan_files(tmp_path, files)
    assert [(finding.name, finding.problem, finding.detail) for finding in scan.findings] == [
        ("x/train/2.png", FileProblem.DUPLICATE, "the same picture as x/1.png, which is used instead")
    ]


def test_training_photos_are_used_if_most_have_near_duplicates_in_test(tmp_path: Path) -> None:
    """Frames of one camera are an example: leaving them out would leave too few training photos."""
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


def test_a_chain_of_near_duplicates_is_one_group(tmp_path: Path) -> None:
    """c is similar to b and b to a, so the three belong into one split."""
    base = np.asarray(grating(0, 5)).astype(float)
    steps = [Image.fromarray(np.clip(base + change, 0, 255).astype(np.uint8)) for change in (0, 3, 6)]
    scan = scan_files(tmp_path, {f"x/{n}.png": step for n, step in enumerate(steps)} | {"y/1.png": grating(1, 2)})
    assert len({photo.group for photo in scan.photos if photo.folder == "x"}) == 1
    assert {finding.name: finding.detail for finding in scan.findings} == {
        "x/1.png": "a near-duplicate of x/0.png; both are used",
        "x/2.png": "a near-duplicate of x/1.png; both are used",
    }
