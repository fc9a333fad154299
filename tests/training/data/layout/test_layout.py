import unicodedata
from pathlib import Path
from typing import Any

import pytest

from training.data.layout.layout import Layout, class_names, layout, layout_messages
from training.data.options import DataOptions
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData, Source


class NoFiles:
    """Names alone: a layout that reads a file is told so."""

    def read(self, name: str, limit: int) -> bytes:
        raise AssertionError(f"{name} was read")


def told(names: tuple[str, ...], **options: Any) -> Layout:
    """The layout of a source with these files."""
    return layout(Source(Path("data"), names, NoFiles()), DataOptions(**options))


def photos(*folders: str) -> tuple[str, ...]:
    """One photo of a cat and one of a dog in each of these folders."""
    return tuple(f"{folder}/{animal}/1.jpg" for folder in folders for animal in ("cat", "dog"))


def splits(found: Layout) -> dict[str, str]:
    """The split of each class folder's photo, by the first folder of its path."""
    return {name.split("/")[0]: split for name, split in found.split_of.items()}


def test_the_kaggle_layout_is_seen_through() -> None:
    """PetImages wraps Cat and Dog; the readme beside it is in no class."""
    found = told(("PetImages/Cat/1.jpg", "PetImages/Dog/1.jpg", "PetImages/Dog/2.jpg", "readme.txt"))
    assert found.folders == ("Cat", "Dog")
    assert found.folder_of == {"PetImages/Cat/1.jpg": "Cat", "PetImages/Dog/1.jpg": "Dog", "PetImages/Dog/2.jpg": "Dog"}
    assert found.outside == ("readme.txt",)


@pytest.mark.parametrize("wrap", ["", "a/", "a/b/c/"])
def test_any_number_of_wrapping_folders_is_seen_through(wrap: str) -> None:
    assert told((f"{wrap}x/1.png", f"{wrap}y/1.png")).folders == ("x", "y")


@pytest.mark.parametrize("names", [("train", "val", "test"), ("training", "valid", "testing"), ("Train", "Validation")])
def test_a_split_that_somebody_made_is_kept(names: tuple[str, ...]) -> None:
    found = told(tuple(f"d/{side}/{insect}/1.jpg" for side in names for insect in ("ants", "bees")))
    assert found.folders == ("ants", "bees") and not found.outside
    sides = dict(zip(names, ("train", "validation", "test"), strict=False))
    assert found.split_of == {
        f"d/{side}/{insect}/1.jpg": own for side, own in sides.items() for insect in ("ants", "bees")
    }
    assert all(folder in name for name, folder in found.folder_of.items())


def test_what_lies_beside_the_sides_is_outside() -> None:
    found = told(("train/x/1.png", "train/y/1.png", "test/x/1.png", "test/y/1.png", "lists/x/1.txt", "read.me"))
    assert found.folders == ("x", "y") and found.outside == ("lists/x/1.txt", "read.me")


def test_a_class_may_be_called_train() -> None:
    """As long as none is called val or test."""
    found = told(("bus/1.png", "car/1.png", "train/1.png"))
    assert found.folders == ("bus", "car", "train") and not found.split_of


def test_oxford_pets_have_their_class_in_the_file_name_and_their_split_in_lists(tmp_path: Path) -> None:
    files = {
        "images/great_pyrenees_12.jpg": "",
        "images/great_pyrenees_7.jpg": "",
        "images/Sphynx_3.jpg": "",
        "images/list.mat": "",
        "annotations/trainval.txt": "great_pyrenees_12 1 2 3\nSphynx_3 2 1 4\n",
        "annotations/test.txt": "great_pyrenees_7 1 2 3\n",
    }
    for name, text in files.items():
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / name).write_text(text)
    found = layout(open_source(tmp_path))
    assert found.folders == ("Sphynx", "great_pyrenees")
    assert found.folder_of["pets/images/great_pyrenees_7.jpg"] == "great_pyrenees"
    assert found.split_of == {
        "pets/images/great_pyrenees_12.jpg": "train",
        "pets/images/Sphynx_3.jpg": "train",
        "pets/images/great_pyrenees_7.jpg": "test",
    }
    assert found.outside == ("pets/annotations/test.txt", "pets/annotations/trainval.txt", "pets/images/list.mat")
    assert class_names(found, {}) == ("Sphynx", "Great Pyrenees")


def test_sub_folders_belong_to_their_class() -> None:
    assert told(("x/a/1.png", "x/b/1.png", "y/1.png")).folder_of["x/b/1.png"] == "x"


def test_what_machines_add_is_no_class() -> None:
    found = told(("x/1.png", "y/1.png", "__MACOSX/x/._1.png", ".git/config", "x/.ipynb_checkpoints/1.png"))
    assert found.folders == ("x", "y") and set(found.folder_of) == {"x/1.png", "y/1.png"}


def test_an_empty_folder_is_a_class_without_photos() -> None:
    assert told(("x/", "x/1.png", "y/")).folders == ("x", "y")


@pytest.mark.parametrize("names", [(), ("1.jpg", "2.jpg"), ("Cat/1.jpg", "Cat/2.jpg"), ("data/Cat/1.jpg",)])
def test_fewer_than_two_classes_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(BadData, match="at least two classes"):
        told(names)


def test_names_of_classes() -> None:
    """Folders' own names, but for the Kaggle download's capitals and what is asked for."""
    kaggle, other = told(("Cat/1.jpg", "Dog/1.jpg")), told(("Cat/1.jpg", "Siamese/1.jpg"))
    assert class_names(kaggle, {}) == ("cat", "dog")
    assert class_names(other, {}) == ("Cat", "Siamese")
    assert class_names(kaggle, {"Dog": "Hound"}) == ("cat", "Hound")


@pytest.mark.parametrize(
    ("renamed", "message"),
    [({"Cow": "cow"}, "no class folder 'Cow'"), ({"b": "A"}, "'A' and 'b' would both become the class 'A'.*--rename")],
)
def test_senseless_names_are_refused(renamed: dict[str, str], message: str) -> None:
    with pytest.raises(BadData, match=message):
        class_names(told(("A/1.png", "b/1.png")), renamed)


def test_a_folder_whose_name_is_no_text_needs_another(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, as an old archive leaves them: a checkpoint's header could not hold them."""
    found = Layout(("caf\udce9", "y"), {}, ())
    with pytest.raises(BadData, match=r"cannot be decoded as UTF-8: set PYTHONUTF8=1.*--rename"):
        class_names(found, {})
    assert class_names(found, {"caf\udce9": "café"}) == ("café", "y")


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
    found = told(photos(*folders))
    assert found.folders == ("cat", "dog") and splits(found) == wanted and not found.outside


@pytest.mark.parametrize(
    "folders",
    [("train_station", "test_tube"), ("train", "bus"), ("valid", "invalid"), ("dev", "ops"), ("fold1", "sheet")],
)
def test_classes_that_merely_sound_like_splits_are_classes(folders: tuple[str, ...]) -> None:
    found = told(tuple(f"{folder}/1.jpg" for folder in folders))
    assert found.folders == tuple(sorted(folders)) and not found.split_of


def test_folds_are_told_with_the_option_that_changes_them() -> None:
    (note,) = told(photos("fold0", "fold1", "fold2")).notes
    assert (
        note.startswith("the data has folds: train is fold0, validation is fold1, test is fold2") and "--split" in note
    )
    other = told(photos("fold0", "fold1", "fold2"), split=("fold0=test", "fold1=train", "fold2=train"))
    assert splits(other) == {"fold0": "test", "fold1": "train", "fold2": "train"}


def test_splits_inside_each_class_are_kept() -> None:
    """Also below another folder, beside photos of no split, and where a class lacks one of them."""
    found = told(("cat/train/1.jpg", "cat/test/2.jpg", "dog/train/1.jpg", "dog/test/1.jpg"))
    assert found.folders == ("cat", "dog")
    assert found.split_of == {name: name.split("/")[1] for name in found.folder_of}
    found = told(
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
    found = told(("Cat_train/1.jpg", "Cat_test/1.jpg", "sea-lion train/1.jpg", "sea-lion test/1.jpg"))
    assert found.folders == ("Cat", "sea lion")
    assert found.split_of == {name: "train" if "train" in name else "test" for name in found.folder_of}


@pytest.mark.parametrize("classes", [("type1", "type2"), ("n07", "n08"), ("3", "cat"), ("iPhone", "old car")])
def test_a_number_in_a_name_with_a_split_is_part_of_the_class(classes: tuple[str, ...]) -> None:
    """And tables beside the folders are no reason to read them otherwise."""
    names = [f"{own.replace(' ', '_')}_{split}/1.jpg" for own in classes for split in ("train", "test")]
    found = told((*names, "annotations/1.xml"))
    assert found.folders == tuple(sorted(classes)) and found.outside == ("annotations/1.xml",)
    assert {(found.folder_of[name], found.split_of[name]) for name in names} == {
        (own, split) for own in classes for split in ("train", "test")
    }


def test_numbers_that_merely_count_folders_are_no_part_of_the_class() -> None:
    found = told(("01_cat_train/1.jpg", "02_cat_test/1.jpg", "03_dog_train/1.jpg", "04_dog_test/1.jpg"))
    assert found.folders == ("cat", "dog")
    with pytest.raises(BadData, match="at least two classes"):  # these may be pieces of one split
        told(("0_train/1.jpg", "0_test/1.jpg", "1_train/1.jpg", "1_test/1.jpg"))


@pytest.mark.parametrize("only", ["cat/1.jpg", "cat/siamese/1.jpg", "pics/cat/1.jpg", "test/cat/1.jpg", "train/1.jpg"])
def test_a_part_of_a_split_that_lacks_classes_is_read_as_the_others_are(only: str) -> None:
    """What wraps the one class that it has is no class, nor are folders in that class."""
    wrap = only.partition("/")[0] + "/" if only.count("/") == 2 and "siamese" not in only else ""
    names = tuple(f"train/{wrap}{own}/1.jpg" for own in ("cat", "dog", "train"))
    found = told((*names, f"test/{only}", f"test/{only}.png"))
    assert found.folders == ("cat", "dog", "train") and not found.outside
    assert found.folder_of[f"test/{only}"] == ("train" if only.startswith("train") else "cat")
    assert found.split_of[f"test/{only}"] == "test"


def test_folders_beside_the_splits_of_a_class_do_not_undo_them() -> None:
    """`extra` is in no split; `train` and `test` stay what they are."""
    found = told(("cat/train/1.jpg", "cat/test/2.jpg", "cat/extra/3.jpg", "dog/train/1.jpg", "dog/test/1.jpg"))
    assert found.folders == ("cat", "dog") and found.folder_of["cat/extra/3.jpg"] == "cat"
    assert found.split_of == {name: name.split("/")[1] for name in found.folder_of if "extra" not in name}


def test_a_class_may_lack_a_part_of_the_split_in_the_folder_around_it() -> None:
    found = told(("cat/images/train/1.jpg", "dog/images/train/1.jpg", "dog/images/test/1.jpg"))
    assert found.folders == ("cat", "dog")
    assert found.split_of == {name: name.split("/")[2] for name in found.folder_of}


def test_a_folder_of_tables_is_no_class_at_the_level_of_the_classes() -> None:
    found = told((*photos("garden", "kitchen"), "annotations/1.xml"), class_level=1)
    assert found.folders == ("garden", "kitchen") and found.outside == ("annotations/1.xml",)


def test_where_all_folders_hold_the_same_folders_the_user_is_asked() -> None:
    """Either could be the classes; each way that the message names settles it."""
    names = photos("kitchen", "garden")
    with pytest.raises(
        BadData, match=r"not clear which.*--class-level 1.*--class-level 2.*--split garden=train"
    ) as caught:
        told(names)
    assert "garden, kitchen" in str(caught.value) and "cat, dog" in str(caught.value)
    assert told(names, class_level=1).folders == ("garden", "kitchen")
    assert told(names, class_level=2).folders == ("cat", "dog") and not told(names, class_level=2).split_of
    by_split = told(names, split=("kitchen=train", "garden=test"))
    assert by_split.folders == ("cat", "dog") and splits(by_split) == {"kitchen": "train", "garden": "test"}
    with pytest.raises(BadData, match="not clear which"):
        told((*photos("a/site1", "a/site2"), "a/site3/cat/1.jpg"))


def test_sub_folders_of_their_own_are_no_doubt() -> None:
    found = told(("cat/siamese/1.jpg", "cat/tabby/1.jpg", "dog/beagle/1.jpg", "dog/2.jpg"))
    assert found.folders == ("cat", "dog") and found.folder_of["cat/tabby/1.jpg"] == "cat"


def test_the_level_of_the_classes_counts_all_folders() -> None:
    names = photos("data/train/a", "data/test/b")
    found = told(names, class_level=4)
    assert (
        found.folders == ("cat", "dog") and found.split_of[names[0]] == "train" and found.split_of[names[-1]] == "test"
    )


def test_splits_of_splits_are_not_taken_for_classes() -> None:
    with pytest.raises(
        BadData, match=r"test, train have the names of splits, but there are no class folders in them.*--class-level"
    ):
        told(photos("fold0/train", "fold0/test", "fold1/train", "fold1/test"))


def test_a_folder_of_tables_is_no_class() -> None:
    """`train` beside `annotations` is what holds the classes."""
    found = told(("train/cat/1.jpg", "train/dog/1.jpg", "annotations/cat.xml", "annotations/dog.xml"))
    assert found.folders == ("cat", "dog") and len(found.outside) == 2


def test_what_was_left_out_is_told_in_one_line() -> None:
    found = told(
        ("cat/1.jpg", "dog/1.jpg", "@eaDir/cat/1.jpg", "cat/@eaDir/1.jpg/T.jpg", "lost+found/", "runs/m/report.html",
         "runs/m/metrics.json", "runs/m/curves.png", ".Trashes/501/1.jpg", "$RECYCLE.BIN/S-1-5/1.jpg")
    )  # fmt: skip
    assert found.folders == ("cat", "dog") and set(found.folder_of) == {"cat/1.jpg", "dog/1.jpg"} and not found.outside
    (note,) = found.notes
    assert all(name in note for name in ("@eaDir", "lost+found", "runs", ".Trashes", "$RECYCLE.BIN"))


def test_exclusions_leave_out_files_and_folders() -> None:
    found = told(("cat/1.jpg", "cat/2.gif", "dog/1.jpg", "old/1.jpg"), exclude=("old", "*.gif", "bird"))
    assert set(found.folder_of) == {"cat/1.jpg", "dog/1.jpg"} and not found.outside
    assert found.notes == (
        "--exclude old leaves out 1 file",
        "--exclude *.gif leaves out 1 file",
        "warning: --exclude bird matches nothing",
    )


def test_one_name_in_two_spellings_is_one_class() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Käse") for form in ("NFC", "NFD"))
    found = told((f"{composed}/1.jpg", f"{decomposed}/2.jpg", "Brot/1.jpg"))
    assert found.folders == ("Brot", composed)
    assert found.folder_of == {f"{composed}/1.jpg": composed, f"{decomposed}/2.jpg": composed, "Brot/1.jpg": "Brot"}
    assert "one class" in found.notes[0]
    assert class_names(found, {decomposed: "cheese"}) == ("Brot", "cheese")


def test_names_that_look_alike_are_told_with_the_option_that_parts_them() -> None:
    found = told(("A/1.jpg", "a/1.jpg", "b/1.jpg"))
    (line,) = layout_messages(found, class_names(found, {}))
    assert (
        line.startswith("warning: the classes 'A' and 'a' differ only in upper and lower case") and "--rename" in line
    )
    assert layout_messages(found, class_names(found, {"a": "small a"})) == []


def test_a_class_alone_is_enough_to_be_measured_on() -> None:
    source = Source(Path("data"), ("cat/1.jpg", "cat/2.jpg"), NoFiles())
    assert layout(source, least=1).folders == ("cat",)


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (("images/1.jpg", "images/2.jpg", "labels.csv"), "--labels labels.csv"),
        (("train/cat.1.jpg", "train/dog.1.jpg"), "--label-from '^(?P<label>cat|dog)'"),
        (("train.zip", "test1.zip"), "There are archives in it, such as train.zip"),
        (("1.jpg", "2.jpg"), "--labels FILE.csv"),
    ],
)
def test_data_without_class_folders_is_refused_with_a_way_out(names: tuple[str, ...], hint: str) -> None:
    with pytest.raises(BadData) as caught:
        told(names)
    assert hint in str(caught.value)


def test_archives_inside_come_before_a_table() -> None:
    """Kaggle's download: the table is of what is still packed."""
    with pytest.raises(BadData, match=r"There are archives in it, such as train\.zip"):
        told(("train.zip", "test1.zip", "sampleSubmission.csv"))


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
    found = told(photos(*folders))
    assert found.folders == ("cat", "dog") and splits(found) == wanted and not found.outside


@pytest.mark.parametrize("part", ["test", "Test_Set", "val", "holdout"])
def test_a_split_may_stand_beside_the_classes_to_train_on(part: str) -> None:
    found = told(("cat/1.jpg", "dog/1.jpg", "bird/1.jpg", f"{part}/cat/2.jpg", f"{part}/dog/2.jpg"))
    assert found.folders == ("bird", "cat", "dog")
    assert found.folder_of[f"{part}/cat/2.jpg"] == "cat" and found.folder_of["cat/1.jpg"] == "cat"
    assert found.split_of == dict.fromkeys(
        (f"{part}/cat/2.jpg", f"{part}/dog/2.jpg"), "validation" if part == "val" else "test"
    )


def test_a_folder_that_is_called_as_a_split_and_read_as_a_class_is_told() -> None:
    found = told(("cat/1.jpg", "dog/1.jpg", "test/1.jpg"))
    (note,) = found.notes
    assert found.folders == ("cat", "dog", "test") and "'test' has the name of a split" in note
    assert "--exclude 'test'" in note
    assert not told(photos("train", "test")).notes


@pytest.mark.parametrize(
    ("folders", "level"),
    [
        (("raw/train", "raw/test", "small/train", "small/test"), 3),
        (("raw_train", "raw_test", "small_train", "small_test"), 2),
    ],
)
def test_one_data_set_in_several_forms_is_not_taken_for_classes(folders: tuple[str, ...], level: int) -> None:
    """`raw` and `small` hold the same classes: neither is one."""
    with pytest.raises(BadData, match=rf"not clear which.*cat, dog.*--class-level {level}"):
        told(photos(*folders))
    assert told(photos(*folders), class_level=level).folders == ("cat", "dog")


def test_the_user_is_asked_too_where_some_folders_lack_a_class() -> None:
    names = (*photos("part1", "part2"), "part1/bird/1.jpg")
    with pytest.raises(
        BadData, match=r"not clear which.*part1, part2 contain folders of the same names.*--split part1=train"
    ):
        told(names)


def test_labels_of_objects_beside_pictures_are_no_class() -> None:
    """Detection data as Roboflow gives it: `images` alone is left, and is no classification."""
    names = [f"{part}/{folder}" for part in ("train", "valid") for folder in ("images/1.jpg", "labels/1.txt")]
    with pytest.raises(BadData, match=r"at least two classes are needed.*only 'images'"):
        told(tuple(names))
