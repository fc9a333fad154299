import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.layout.ignored_files import is_matched
from training.data.layout.layout import Layout
from training.data.options import DataOptions
from training.data.scan.findings import Photo
from training.data.sources.source import BadData
from training.data.split import Split, split
from training.data.split_errors import exclusion_options


def photos(counts: dict[str, int]) -> list[Photo]:
    return [
        Photo(f"{folder}/{n}.png", folder, f"{folder}-{n}") for folder, count in counts.items() for n in range(count)
    ]


def cut(given: list[Photo], seed: int = 0) -> Split:
    folders = sorted({photo.folder for photo in given})
    return split(given, folders, validation=0.15, test=0.15, seed=seed)


@given(st.integers(4, 60), st.integers(4, 60), st.integers(0, 5))
def test_every_photo_is_on_one_side_and_each_side_has_every_class(x: int, y: int, seed: int) -> None:
    given = photos({"x": x, "y": y})
    parts = cut(given, seed)
    assert sorted([*parts.train, *parts.validation, *parts.test], key=lambda p: p.name) == sorted(
        given, key=lambda p: p.name
    )
    assert all(min(counts) >= 1 for counts in parts.counts(("x", "y")).values())


def test_the_split_is_stratified() -> None:
    """Of 200 and of 40 photos, 15 % each are 30 and 6."""
    counts = cut(photos({"x": 200, "y": 40})).counts(("x", "y"))
    assert counts == {"train": [140, 28], "validation": [30, 6], "test": [30, 6]}


def test_the_seed_decides_and_names_do_not() -> None:
    given = photos({"x": 50, "y": 50})
    renamed = [Photo(f"other/{photo.name}", photo.folder, photo.digest) for photo in reversed(given)]
    assert cut(given).digest == cut(given).digest == cut(renamed).digest
    assert cut(given, seed=1).digest != cut(given).digest


def test_added_photos_move_few_others() -> None:
    """One more in a hundred can push one photo over each border, no more."""
    before, after = cut(photos({"x": 100, "y": 100})), cut(photos({"x": 101, "y": 100}))
    moved = [
        split_name
        for split_name in ("train", "validation", "test")
        for photo in set(getattr(before, split_name)) - set(getattr(after, split_name))
    ]
    assert len(moved) <= 2


def test_photos_that_look_alike_go_to_one_side_that_has_room_for_them() -> None:
    """Of 100, of which 40 are one burst and 2 another, test and validation have 15 each whatever the seed."""
    burst = [replace(photo, group="burst") for photo in photos({"x": 40})]
    pair = [replace(photo, folder="x", group="pair") for photo in photos({"pair": 2})]
    single = [replace(photo, folder="x") for photo in photos({"single": 58})]
    for seed in range(40):
        parts = split([*burst, *pair, *single], ["x"], validation=0.15, test=0.15, seed=seed)
        assert {split_name: len(found) for split_name, found in parts.by_name.items()} == {
            "train": 70,
            "validation": 15,
            "test": 15,
        }
        assert parts.near_duplicates_across_splits == 0 and set(burst) <= set(parts.train)


def test_too_few_photos_are_told() -> None:
    with pytest.raises(BadData, match="'y' has only 3 usable photos, but at least 4 are needed: two for training"):
        cut(photos({"x": 10, "y": 3}))


def test_a_folder_without_photos_is_told() -> None:
    with pytest.raises(BadData, match=r"'z' has no usable photos.*--exclude z"):
        split(photos({"x": 10}), ("x", "z"), validation=0.15, test=0.15, seed=0)


def placed(**parts: tuple[str, ...]) -> list[Photo]:
    """Eight photos of each class named in each part of the split."""
    return [
        Photo(f"{split_name}/{folder}/{number}", folder, f"{split_name}{folder}{number}", split_name)
        for split_name, folders in parts.items()
        for folder in folders
        for number in range(8)
    ]


def refused(found: list[Photo], left_out: dict[str, str] | None = None) -> str:
    folders = sorted({photo.folder for photo in found} | set(left_out or {}))
    with pytest.raises(BadData) as caught:
        split(found, folders, validation=0.15, test=0.15, seed=0, left_out=left_out)
    return str(caught.value)


def test_a_class_that_a_given_split_lacks_is_named_with_the_split() -> None:
    told = refused(placed(train=("a", "b", "c"), validation=("a", "c")))
    assert "the class 'b' has no photos in the validation split, which has photos of a, c; it has 8 in train" in told
    assert "--exclude b" in told


def test_a_class_that_is_only_judged_on_is_to_blame_not_the_healthy_ones() -> None:
    """Kaggle's test folder of pictures without labels."""
    told = refused(placed(train=("cats", "dogs"), test=("unknown",)))
    assert told.startswith("the class 'unknown' has no photos in the train split, which has photos of cats, dogs")
    assert told.endswith("if these pictures have no labels, leave them out: --exclude unknown")


def test_another_spelling_in_a_split_is_pointed_out() -> None:
    told = refused(placed(train=("Cat", "dog"), test=("cat", "dog")))
    assert "'cat' has no photos in the train split" in told and "The class 'Cat' has a similar name" in told


def test_a_class_whose_photos_were_all_left_out_says_why() -> None:
    told = refused(placed(train=("x",)), {"y": "5 too large (it has 9 x 9 pixels)"})
    assert told.startswith(
        "the class 'y' has no usable photos. Files of it that were left out: 5 too large (it has 9 x 9 pixels)."
    )


@pytest.mark.parametrize(
    ("folder", "option"),
    [("[red]", "--exclude '[[]red]'"), ("sea lion", "--exclude 'sea lion'"), ("*star*", "--exclude '[*]star[*]'"),
     ("quo'te", """--exclude 'quo'"'"'te'"""), ("猫", "--exclude 猫"), ("v1.0", "--exclude v1.0")],
)  # fmt: skip
def test_the_option_that_leaves_a_class_out_can_be_pasted(folder: str, option: str) -> None:
    """And leaves it out: in a pattern, brackets and stars mean something else."""
    assert refused(placed(train=("cat", folder), test=("cat",))).endswith(f"leave the class out: {option}")
    _, pattern = shlex.split(option)
    assert is_matched(f"train/{folder}/1.jpg", pattern) and not is_matched("train/cat/1.jpg", pattern)


@pytest.mark.parametrize(
    ("names", "options", "way"),
    [
        (("cat_train/1.jpg", "dog_train/1.jpg", "cat_test/2.jpg"), {}, "--exclude cat_test --exclude cat_train"),
        (("train/cat/1.jpg", "train/dog/1.jpg"), {}, "--exclude cat"),
        (("cat/photos/cat/1.jpg", "cat/photos/dog/1.jpg"), {}, "--exclude cat/photos/cat"),
        (("cat.1.jpg", "dog.1.jpg"), {"label_from": "(?P<label>cat|dog)"}, "change the pattern of --label-from"),
        (("all/cat.1.jpg", "all/dog.1.jpg"), {"labels": "l.csv"}, "remove its rows from the table of labels"),
    ],
)  # fmt: skip
def test_what_leaves_a_class_out_is_said_of_where_its_labels_are(
    names: tuple[str, ...], options: dict[str, str], way: str
) -> None:
    found = Layout(("cat", "dog"), {name: "dog" if "dog" in name else "cat" for name in names}, ())
    assert (
        exclusion_options(found, DataOptions(**options))["cat"].removesuffix(" so that it does not match its files")
        == way
    )
