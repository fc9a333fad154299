"""Layouts with splits above, below and beside class folders, or in their names."""

import pytest

from tests.training.data.layout.name_only import layout_of, photos, splits
from training.data.sources.source import BadData


@pytest.mark.parametrize("names", [("train", "val", "test"), ("training", "valid", "testing"), ("Train", "Validation")])
def test_folders_with_names_of_splits_are_the_splits(names: tuple[str, ...]) -> None:
    result = layout_of(tuple(f"d/{folder}/{insect}/1.jpg" for folder in names for insect in ("ants", "bees")))
    assert result.folders == ("ants", "bees") and not result.outside
    splits_of_folders = dict(zip(names, ("train", "validation", "test"), strict=False))
    assert result.split_of == {
        f"d/{folder}/{insect}/1.jpg": split
        for folder, split in splits_of_folders.items()
        for insect in ("ants", "bees")
    }
    assert all(folder in name for name, folder in result.folder_of.items())


def test_files_beside_the_splits_have_no_class() -> None:
    result = layout_of(("train/x/1.png", "train/y/1.png", "test/x/1.png", "test/y/1.png", "lists/x/1.txt", "read.me"))
    assert result.folders == ("x", "y") and result.outside == ("lists/x/1.txt", "read.me")


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("training_set/training_set", "test_set/test_set"), {"training_set": "train", "test_set": "test"}),
        (("Trn", "TST"), {"Trn": "train", "TST": "test"}),
        (("trainset", "val-set", "Test Images"), {"trainset": "train", "val-set": "validation", "Test Images": "test"}),
        (("pets_train", "pets_holdout"), {"pets_train": "train", "pets_holdout": "test"}),
        (("TrainingData", "HoldOut"), {"TrainingData": "train", "HoldOut": "test"}),
        (("hold-out", "training data"), {"hold-out": "test", "training data": "train"}),
        (("train2017", "val2017"), {"train2017": "train", "val2017": "validation"}),
        (("train", "eval"), {"train": "train", "eval": "test"}),
        (
            ("training", "evaluation", "validation"),
            {"training": "train", "evaluation": "test", "validation": "validation"},
        ),
        (("train", "eval", "test"), {"train": "train", "eval": "validation", "test": "test"}),
        (("train", "dev", "testing"), {"train": "train", "dev": "validation", "testing": "test"}),
        (("fold0", "fold1", "fold2"), {"fold0": "train", "fold1": "validation", "fold2": "test"}),
        (("Fold_2", "Fold_1"), {"Fold_1": "train", "Fold_2": "test"}),
        (("01_train", "02_test"), {"01_train": "train", "02_test": "test"}),
    ],
)
def test_common_names_of_splits_are_recognised(folders: tuple[str, ...], expected: dict[str, str]) -> None:
    result = layout_of(photos(*folders))
    assert result.folders == ("cat", "dog") and splits(result) == expected and not result.outside


@pytest.mark.parametrize(
    "folders",
    [("train_station", "test_tube"), ("train", "bus"), ("valid", "invalid"), ("dev", "ops"), ("fold1", "sheet")],
)
def test_classes_with_names_similar_to_splits_are_classes(folders: tuple[str, ...]) -> None:
    result = layout_of(tuple(f"{folder}/1.jpg" for folder in folders))
    assert result.folders == tuple(sorted(folders)) and not result.split_of


def test_a_note_about_folds_names_the_option_that_changes_them() -> None:
    (note,) = layout_of(photos("fold0", "fold1", "fold2")).notes
    assert (
        note.startswith("the data has folds: train is fold0, validation is fold1, test is fold2") and "--split" in note
    )
    other = layout_of(photos("fold0", "fold1", "fold2"), split=("fold0=test", "fold1=train", "fold2=train"))
    assert splits(other) == {"fold0": "test", "fold1": "train", "fold2": "train"}


def test_splits_inside_class_folders_are_recognised() -> None:
    """They may also be below another folder, or beside photos that are in no split."""
    result = layout_of(("cat/train/1.jpg", "cat/test/2.jpg", "dog/train/1.jpg", "dog/test/1.jpg"))
    assert result.folders == ("cat", "dog")
    assert result.split_of == {name: name.split("/")[1] for name in result.folder_of}
    result = layout_of(
        (
            "d/cat/img/Training/1.jpg",
            "d/cat/img/Val/2.jpg",
            "d/dog/img/Training/1.jpg",
            "d/dog/img/Val/1.jpg",
            "d/cat/0.jpg",
        )
    )
    assert result.folder_of["d/cat/0.jpg"] == "cat" and "d/cat/0.jpg" not in result.split_of
    assert {name: split for name, split in result.split_of.items() if split != "train"} == {
        "d/cat/img/Val/2.jpg": "validation",
        "d/dog/img/Val/1.jpg": "validation",
    }


def test_class_and_split_can_be_in_one_folder_name() -> None:
    result = layout_of(("Cat_train/1.jpg", "Cat_test/1.jpg", "sea-lion train/1.jpg", "sea-lion test/1.jpg"))
    assert result.folders == ("Cat", "sea lion")
    assert result.split_of == {name: "train" if "train" in name else "test" for name in result.folder_of}


@pytest.mark.parametrize("classes", [("type1", "type2"), ("n07", "n08"), ("3", "cat"), ("iPhone", "old car")])
def test_a_number_in_a_name_with_a_split_is_part_of_the_class(classes: tuple[str, ...]) -> None:
    """A folder of annotations beside them changes nothing."""
    names = [f"{own.replace(' ', '_')}_{split}/1.jpg" for own in classes for split in ("train", "test")]
    result = layout_of((*names, "annotations/1.xml"))
    assert result.folders == tuple(sorted(classes)) and result.outside == ("annotations/1.xml",)
    assert {(result.folder_of[name], result.split_of[name]) for name in names} == {
        (own, split) for own in classes for split in ("train", "test")
    }


def test_numbers_that_count_folders_are_not_part_of_the_class() -> None:
    result = layout_of(("01_cat_train/1.jpg", "02_cat_test/1.jpg", "03_dog_train/1.jpg", "04_dog_test/1.jpg"))
    assert result.folders == ("cat", "dog")
    with pytest.raises(BadData, match="at least two classes"):  # these may be parts of one split
        layout_of(("0_train/1.jpg", "0_test/1.jpg", "1_train/1.jpg", "1_test/1.jpg"))


@pytest.mark.parametrize("only", ["cat/1.jpg", "cat/siamese/1.jpg", "pics/cat/1.jpg", "test/cat/1.jpg", "train/1.jpg"])
def test_a_split_that_lacks_classes_is_read_like_the_other_splits(only: str) -> None:
    """Neither a folder around its only class nor a folder inside that class is a class."""
    wrap = only.partition("/")[0] + "/" if only.count("/") == 2 and "siamese" not in only else ""
    names = tuple(f"train/{wrap}{own}/1.jpg" for own in ("cat", "dog", "train"))
    result = layout_of((*names, f"test/{only}", f"test/{only}.png"))
    assert result.folders == ("cat", "dog", "train") and not result.outside
    assert result.folder_of[f"test/{only}"] == ("train" if only.startswith("train") else "cat")
    assert result.split_of[f"test/{only}"] == "test"


def test_another_folder_beside_the_splits_of_a_class_is_in_no_split() -> None:
    """`train` and `test` remain splits although `extra` is beside them."""
    result = layout_of(("cat/train/1.jpg", "cat/test/2.jpg", "cat/extra/3.jpg", "dog/train/1.jpg", "dog/test/1.jpg"))
    assert result.folders == ("cat", "dog") and result.folder_of["cat/extra/3.jpg"] == "cat"
    assert result.split_of == {name: name.split("/")[1] for name in result.folder_of if "extra" not in name}


def test_a_class_may_lack_one_of_the_splits_inside_its_folder() -> None:
    result = layout_of(("cat/images/train/1.jpg", "dog/images/train/1.jpg", "dog/images/test/1.jpg"))
    assert result.folders == ("cat", "dog")
    assert result.split_of == {name: name.split("/")[2] for name in result.folder_of}


def test_splits_inside_splits_without_classes_are_refused() -> None:
    with pytest.raises(
        BadData, match=r"test, train have the names of splits, but there are no class folders in them.*--class-level"
    ):
        layout_of(photos("fold0/train", "fold0/test", "fold1/train", "fold1/test"))


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("trainval", "test"), {"trainval": "train", "test": "test"}),
        (("train_val", "test"), {"train_val": "train", "test": "test"}),
        (("Train+Val", "Test"), {"Train+Val": "train", "Test": "test"}),
        (("train", "test_A", "test_B"), {"train": "train", "test_A": "test", "test_B": "test"}),
        (("train", "in_test", "out-test"), {"train": "train", "in_test": "test", "out-test": "test"}),
        (("train_10", "validation_full"), {"train_10": "train", "validation_full": "validation"}),
    ],
)  # fmt: skip
def test_names_of_splits_may_contain_other_words(folders: tuple[str, ...], expected: dict[str, str]) -> None:
    """They are splits because all of them contain the same folders."""
    result = layout_of(photos(*folders))
    assert result.folders == ("cat", "dog") and splits(result) == expected and not result.outside


@pytest.mark.parametrize("part", ["test", "Test_Set", "val", "holdout"])
def test_a_split_can_be_beside_the_classes_to_train_on(part: str) -> None:
    result = layout_of(("cat/1.jpg", "dog/1.jpg", "bird/1.jpg", f"{part}/cat/2.jpg", f"{part}/dog/2.jpg"))
    assert result.folders == ("bird", "cat", "dog")
    assert result.folder_of[f"{part}/cat/2.jpg"] == "cat" and result.folder_of["cat/1.jpg"] == "cat"
    assert result.split_of == dict.fromkeys(
        (f"{part}/cat/2.jpg", f"{part}/dog/2.jpg"), "validation" if part == "val" else "test"
    )


def test_a_note_names_a_class_with_the_name_of_a_split() -> None:
    result = layout_of(("cat/1.jpg", "dog/1.jpg", "test/1.jpg"))
    (note,) = result.notes
    assert result.folders == ("cat", "dog", "test") and "'test' has the name of a split" in note
    assert "--exclude 'test'" in note
    assert not layout_of(photos("train", "test")).notes
