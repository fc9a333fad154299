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


def split_photos(every_photo: list[Photo], seed: int = 0) -> Split:
    folders = sorted({photo.folder for photo in every_photo})
    return split(every_photo, folders, validation=0.15, test=0.15, seed=seed)


@given(st.integers(4, 60), st.integers(4, 60), st.integers(0, 5))
def test_every_photo_is_in_one_split_and_every_split_has_all_classes(x: int, y: int, seed: int) -> None:
    every_photo = photos({"x": x, "y": y})
    parts = split_photos(every_photo, seed)
    assert sorted([*parts.train, *parts.validation, *parts.test], key=lambda p: p.name) == sorted(
        every_photo, key=lambda p: p.name
    )
    assert all(min(counts) >= 1 for counts in parts.counts(("x", "y")).values())


def test_the_split_is_stratified() -> None:
    """15 % of 200 photos are 30, and 15 % of 40 are 6."""
    counts = split_photos(photos({"x": 200, "y": 40})).counts(("x", "y"))
    assert counts == {"train": [140, 28], "validation": [30, 6], "test": [30, 6]}


def test_the_split_depends_on_the_seed_and_not_on_names() -> None:
    every_photo = photos({"x": 50, "y": 50})
    renamed = [Photo(f"other/{photo.name}", photo.folder, photo.digest) for photo in reversed(every_photo)]
    assert split_photos(every_photo).digest == split_photos(every_photo).digest == split_photos(renamed).digest
    assert split_photos(every_photo, seed=1).digest != split_photos(every_photo).digest


def test_an_added_photo_moves_few_others() -> None:
    """One more photo in a hundred can move at most one photo across either border between splits."""
    before, after = split_photos(photos({"x": 100, "y": 100})), split_photos(photos({"x": 101, "y": 100}))
    moved = [
        split_name
        for split_name in ("train", "validation", "test")
        for photo in set(getattr(before, split_name)) - set(getattr(after, split_name))
    ]
    assert len(moved) <= 2


def test_near_duplicates_are_in_one_split_that_has_room_for_them() -> None:
    """Of 100 photos, 40 are one group and 2 another: for all seeds test and validation have 15 photos."""
    burst = [replace(photo, group="burst") for photo in photos({"x": 40})]
    pair = [replace(photo, folder="x", group="pair") for photo in photos({"pair": 2})]
    single = [replace(photo, folder="x") for photo in photos({"single": 58})]
    for seed in range(40):
        parts = split([*burst, *pair, *single], ["x"], validation=0.15, test=0.15, seed=seed)
        assert {split_name: len(members) for split_name, members in parts.by_name.items()} == {
            "train": 70,
            "validation": 15,
            "test": 15,
        }
        assert parts.near_duplicates_across_splits == 0 and set(burst) <= set(parts.train)


def test_a_class_with_too_few_photos_is_refused() -> None:
    with pytest.raises(BadData, match="'y' has only 3 usable photos, but at least 4 are needed: two for training"):
        split_photos(photos({"x": 10, "y": 3}))


def test_a_class_without_photos_is_refused() -> None:
    with pytest.raises(BadData, match=r"'z' has no usable photos.*--exclude z"):
        split(photos({"x": 10}), ("x", "z"), validation=0.15, test=0.15, seed=0)


def placed(**parts: tuple[str, ...]) -> list[Photo]:
    """Eight photos of every class in every split that is named."""
    return [
        Photo(f"{split_name}/{folder}/{number}", folder, f"{split_name}{folder}{number}", split_name)
        for split_name, folders in parts.items()
        for folder in folders
        for number in range(8)
    ]


def refusal(every_photo: list[Photo], left_out: dict[str, str] | None = None) -> str:
    folders = sorted({photo.folder for photo in every_photo} | set(left_out or {}))
    with pytest.raises(BadData) as error:
        split(every_photo, folders, validation=0.15, test=0.15, seed=0, left_out=left_out)
    return str(error.value)


def test_the_error_names_a_class_that_a_split_of_the_data_lacks() -> None:
    message = refusal(placed(train=("a", "b", "c"), validation=("a", "c")))
    assert "the class 'b' has no photos in the validation split, which has photos of a, c; it has 8 in train" in message
    assert "--exclude b" in message


def test_the_error_names_the_class_that_is_only_in_the_test_split() -> None:
    """Kaggle's data sets have a test folder of pictures without labels."""
    message = refusal(placed(train=("cats", "dogs"), test=("unknown",)))
    assert message.startswith("the class 'unknown' has no photos in the train split, which has photos of cats, dogs")
    assert message.endswith("if these pictures have no labels, leave them out: --exclude unknown")


def test_the_error_names_a_class_with_a_similar_name_in_the_other_split() -> None:
    message = refusal(placed(train=("Cat", "dog"), test=("cat", "dog")))
    assert "'cat' has no photos in the train split" in message and "The class 'Cat' has a similar name" in message


def test_the_error_says_why_all_photos_of_a_class_were_left_out() -> None:
    message = refusal(placed(train=("x",)), {"y": "5 too large (it has 9 x 9 pixels)"})
    assert message.startswith(
        "the class 'y' has no usable photos. Files of it that were left out: 5 too large (it has 9 x 9 pixels)."
    )


@pytest.mark.parametrize(
    ("folder", "option"),
    [("[red]", "--exclude '[[]red]'"), ("sea lion", "--exclude 'sea lion'"), ("*star*", "--exclude '[*]star[*]'"),
     ("quo'te", """--exclude 'quo'"'"'te'"""), ("猫", "--exclude 猫"), ("v1.0", "--exclude v1.0")],
)  # fmt: skip
def test_the_option_that_excludes_a_class_can_be_pasted(folder: str, option: str) -> None:
    """The pattern matches the class although brackets and stars have a meaning in patterns."""
    assert refusal(placed(train=("cat", folder), test=("cat",))).endswith(f"leave the class out: {option}")
    _, pattern = shlex.split(option)
    assert is_matched(f"train/{folder}/1.jpg", pattern) and not is_matched("train/cat/1.jpg", pattern)


@pytest.mark.parametrize(
    ("names", "options", "option"),
    [
        (("cat_train/1.jpg", "dog_train/1.jpg", "cat_test/2.jpg"), {}, "--exclude cat_test --exclude cat_train"),
        (("train/cat/1.jpg", "train/dog/1.jpg"), {}, "--exclude cat"),
        (("cat/photos/cat/1.jpg", "cat/photos/dog/1.jpg"), {}, "--exclude cat/photos/cat"),
        (("cat.1.jpg", "dog.1.jpg"), {"label_from": "(?P<label>cat|dog)"}, "change the pattern of --label-from"),
        (("all/cat.1.jpg", "all/dog.1.jpg"), {"labels": "l.csv"}, "remove its rows from the table of labels"),
    ],
)  # fmt: skip
def test_the_way_to_exclude_a_class_depends_on_the_source_of_labels(
    names: tuple[str, ...], options: dict[str, str], option: str
) -> None:
    layout = Layout(("cat", "dog"), {name: "dog" if "dog" in name else "cat" for name in names}, ())
    assert (
        exclusion_options(layout, DataOptions(**options))["cat"].removesuffix(" so that it does not match its files")
        == option
    )
