"""Splits above, below, beside and in the names of class folders."""

import pytest

from tests.training.data.layout.name_only import layout_of, photos, splits
from training.data.sources.source import BadData


@pytest.mark.parametrize("names", [("train", "val", "test"), ("training", "valid", "testing"), ("Train", "Validation")])
def test_a_split_that_somebody_made_is_kept(names: tuple[str, ...]) -> None:
    found = layout_of(tuple(f"d/{side}/{insect}/1.jpg" for side in names for insect in ("ants", "bees")))
    assert found.folders == ("ants", "bees") and not found.outside
    sides = dict(zip(names, ("train", "validation", "test"), strict=False))
    assert found.split_of == {
        f"d/{side}/{insect}/1.jpg": own for side, own in sides.items() for insect in ("ants", "bees")
    }
    assert all(folder in name for name, folder in found.folder_of.items())


def test_files_beside_the_splits_have_no_class() -> None:
    found = layout_of(("train/x/1.png", "train/y/1.png", "test/x/1.png", "test/y/1.png", "lists/x/1.txt", "read.me"))
    assert found.folders == ("x", "y") and found.outside == ("lists/x/1.txt", "read.me")


@pytest.mark.parametrize(
    ("folders", "wanted"),
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
def test_splits_are_known_by_the_names_that_people_give_them(folders: tuple[str, ...], wanted: dict[str, str]) -> None:
    found = layout_of(photos(*folders))
    assert found.folders == ("cat", "dog") and splits(found) == wanted and not found.outside


@pytest.mark.parametrize(
    "folders",
    [("train_station", "test_tube"), ("train", "bus"), ("valid", "invalid"), ("dev", "ops"), ("fold1", "sheet")],
)
def test_classes_that_merely_sound_like_splits_are_classes(folders: tuple[str, ...]) -> None:
    found = layout_of(tuple(f"{folder}/1.jpg" for folder in folders))
    assert found.folders == tuple(sorted(folders)) and not found.split_of


def test_folds_are_told_with_the_option_that_changes_them() -> None:
    (note,) = layout_of(photos("fold0", "fold1", "fold2")).notes
    assert (
        note.startswith("the data has folds: train is fold0, validation is fold1, test is fold2") and "--split" in note
    )
    other = layout_of(photos("fold0", "fold1", "fold2"), split=("fold0=test", "fold1=train", "fold2=train"))
    assert splits(other) == {"fold0": "test", "fold1": "train", "fold2": "train"}


def test_splits_inside_each_class_are_kept() -> None:
    """Also below another folder, beside photos of no split, and where a class lacks one of them."""
    found = layout_of(("cat/train/1.jpg", "cat/test/2.jpg", "dog/train/1.jpg", "dog/test/1.jpg"))
    assert found.folders == ("cat", "dog")
    assert found.split_of == {name: name.split("/")[1] for name in found.folder_of}
    found = layout_of(
        (
            "d/cat/img/Training/1.jpg",
            "d/cat/img/Val/2.jpg",
            "d/dog/img/Training/1.jpg",
            "d/dog/img/Val/1.jpg",
            "d/cat/0.jpg",
        )
    )
    assert found.folder_of["d/cat/0.jpg"] == "cat" and "d/cat/0.jpg" not in found.split_of
    assert {name: split for name, split in found.split_of.items() if split != "train"} == {
        "d/cat/img/Val/2.jpg": "validation",
        "d/dog/img/Val/1.jpg": "validation",
    }


def test_class_and_split_may_stand_in_one_name() -> None:
    found = layout_of(("Cat_train/1.jpg", "Cat_test/1.jpg", "sea-lion train/1.jpg", "sea-lion test/1.jpg"))
    assert found.folders == ("Cat", "sea lion")
    assert found.split_of == {name: "train" if "train" in name else "test" for name in found.folder_of}


@pytest.mark.parametrize("classes", [("type1", "type2"), ("n07", "n08"), ("3", "cat"), ("iPhone", "old car")])
def test_a_number_in_a_name_with_a_split_is_part_of_the_class(classes: tuple[str, ...]) -> None:
    """And tables beside the folders are no reason to read them otherwise."""
    names = [f"{own.replace(' ', '_')}_{split}/1.jpg" for own in classes for split in ("train", "test")]
    found = layout_of((*names, "annotations/1.xml"))
    assert found.folders == tuple(sorted(classes)) and found.outside == ("annotations/1.xml",)
    assert {(found.folder_of[name], found.split_of[name]) for name in names} == {
        (own, split) for own in classes for split in ("train", "test")
    }


def test_numbers_that_merely_count_folders_are_no_part_of_the_class() -> None:
    found = layout_of(("01_cat_train/1.jpg", "02_cat_test/1.jpg", "03_dog_train/1.jpg", "04_dog_test/1.jpg"))
    assert found.folders == ("cat", "dog")
    with pytest.raises(BadData, match="at least two classes"):  # these may be pieces of one split
        layout_of(("0_train/1.jpg", "0_test/1.jpg", "1_train/1.jpg", "1_test/1.jpg"))


@pytest.mark.parametrize("only", ["cat/1.jpg", "cat/siamese/1.jpg", "pics/cat/1.jpg", "test/cat/1.jpg", "train/1.jpg"])
def test_a_part_of_a_split_that_lacks_classes_is_read_as_the_others_are(only: str) -> None:
    """What wraps the one class that it has is no class, nor are folders in that class."""
    wrap = only.partition("/")[0] + "/" if only.count("/") == 2 and "siamese" not in only else ""
    names = tuple(f"train/{wrap}{own}/1.jpg" for own in ("cat", "dog", "train"))
    found = layout_of((*names, f"test/{only}", f"test/{only}.png"))
    assert found.folders == ("cat", "dog", "train") and not found.outside
    assert found.folder_of[f"test/{only}"] == ("train" if only.startswith("train") else "cat")
    assert found.split_of[f"test/{only}"] == "test"


def test_folders_beside_the_splits_of_a_class_do_not_undo_them() -> None:
    """`extra` is in no split; `train` and `test` stay what they are."""
    found = layout_of(("cat/train/1.jpg", "cat/test/2.jpg", "cat/extra/3.jpg", "dog/train/1.jpg", "dog/test/1.jpg"))
    assert found.folders == ("cat", "dog") and found.folder_of["cat/extra/3.jpg"] == "cat"
    assert found.split_of == {name: name.split("/")[1] for name in found.folder_of if "extra" not in name}


def test_a_class_may_lack_a_part_of_the_split_in_the_folder_around_it() -> None:
    found = layout_of(("cat/images/train/1.jpg", "dog/images/train/1.jpg", "dog/images/test/1.jpg"))
    assert found.folders == ("cat", "dog")
    assert found.split_of == {name: name.split("/")[2] for name in found.folder_of}


def test_splits_of_splits_are_not_taken_for_classes() -> None:
    with pytest.raises(
        BadData, match=r"test, train have the names of splits, but there are no class folders in them.*--class-level"
    ):
        layout_of(photos("fold0/train", "fold0/test", "fold1/train", "fold1/test"))


@pytest.mark.parametrize(
    ("folders", "wanted"),
    [
        (("trainval", "test"), {"trainval": "train", "test": "test"}),
        (("train_val", "test"), {"train_val": "train", "test": "test"}),
        (("Train+Val", "Test"), {"Train+Val": "train", "Test": "test"}),
        (("train", "test_A", "test_B"), {"train": "train", "test_A": "test", "test_B": "test"}),
        (("train", "in_test", "out-test"), {"train": "train", "in_test": "test", "out-test": "test"}),
        (("train_10", "validation_full"), {"train_10": "train", "validation_full": "validation"}),
    ],
)  # fmt: skip
def test_parts_of_a_split_may_have_other_words_in_their_names(folders: tuple[str, ...], wanted: dict[str, str]) -> None:
    """Where all of them hold the same folders."""
    found = layout_of(photos(*folders))
    assert found.folders == ("cat", "dog") and splits(found) == wanted and not found.outside


@pytest.mark.parametrize("part", ["test", "Test_Set", "val", "holdout"])
def test_a_split_may_stand_beside_the_classes_to_train_on(part: str) -> None:
    found = layout_of(("cat/1.jpg", "dog/1.jpg", "bird/1.jpg", f"{part}/cat/2.jpg", f"{part}/dog/2.jpg"))
    assert found.folders == ("bird", "cat", "dog")
    assert found.folder_of[f"{part}/cat/2.jpg"] == "cat" and found.folder_of["cat/1.jpg"] == "cat"
    assert found.split_of == dict.fromkeys(
        (f"{part}/cat/2.jpg", f"{part}/dog/2.jpg"), "validation" if part == "val" else "test"
    )


def test_a_folder_that_is_called_as_a_split_and_read_as_a_class_is_told() -> None:
    found = layout_of(("cat/1.jpg", "dog/1.jpg", "test/1.jpg"))
    (note,) = found.notes
    assert found.folders == ("cat", "dog", "test") and "'test' has the name of a split" in note
    assert "--exclude 'test'" in note
    assert not layout_of(photos("train", "test")).notes
