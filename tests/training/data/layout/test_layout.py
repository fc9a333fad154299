import unicodedata
from pathlib import Path

import pytest

from tests.training.data.layout.name_only import NoFiles, layout_of
from training.data.layout.layout import Layout, class_names, layout, layout_messages
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData, Source


def test_the_layout_of_kaggles_cats_and_dogs() -> None:
    """PetImages contains Cat and Dog; the readme beside it is in no class."""
    result = layout_of(("PetImages/Cat/1.jpg", "PetImages/Dog/1.jpg", "PetImages/Dog/2.jpg", "readme.txt"))
    assert result.folders == ("Cat", "Dog")
    assert result.folder_of == {
        "PetImages/Cat/1.jpg": "Cat",
        "PetImages/Dog/1.jpg": "Dog",
        "PetImages/Dog/2.jpg": "Dog",
    }
    assert result.outside == ("readme.txt",)


@pytest.mark.parametrize("wrap", ["", "a/", "a/b/c/"])
def test_folders_around_the_classes_are_no_classes(wrap: str) -> None:
    assert layout_of((f"{wrap}x/1.png", f"{wrap}y/1.png")).folders == ("x", "y")


def test_a_class_may_be_called_train() -> None:
    """`train` is a class if no other folder is called val or test."""
    result = layout_of(("bus/1.png", "car/1.png", "train/1.png"))
    assert result.folders == ("bus", "car", "train") and not result.split_of


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
    result = layout(open_source(tmp_path))
    assert result.folders == ("Sphynx", "great_pyrenees")
    assert result.folder_of["pets/images/great_pyrenees_7.jpg"] == "great_pyrenees"
    assert result.split_of == {
        "pets/images/great_pyrenees_12.jpg": "train",
        "pets/images/Sphynx_3.jpg": "train",
        "pets/images/great_pyrenees_7.jpg": "test",
    }
    assert result.outside == ("pets/annotations/test.txt", "pets/annotations/trainval.txt", "pets/images/list.mat")
    assert class_names(result, {}) == ("Sphynx", "Great Pyrenees")


def test_sub_folders_belong_to_their_class() -> None:
    assert layout_of(("x/a/1.png", "x/b/1.png", "y/1.png")).folder_of["x/b/1.png"] == "x"


def test_folders_that_programs_add_are_no_classes() -> None:
    result = layout_of(("x/1.png", "y/1.png", "__MACOSX/x/._1.png", ".git/config", "x/.ipynb_checkpoints/1.png"))
    assert result.folders == ("x", "y") and set(result.folder_of) == {"x/1.png", "y/1.png"}


def test_an_empty_folder_is_a_class_without_photos() -> None:
    assert layout_of(("x/", "x/1.png", "y/")).folders == ("x", "y")


@pytest.mark.parametrize("names", [(), ("1.jpg", "2.jpg"), ("Cat/1.jpg", "Cat/2.jpg"), ("data/Cat/1.jpg",)])
def test_fewer_than_two_classes_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(BadData, match="at least two classes"):
        layout_of(names)


def test_classes_are_named_after_their_folders_or_by_the_option_rename() -> None:
    """Only the capitals of Kaggle's download, Cat and Dog, are lowered."""
    kaggle, other = layout_of(("Cat/1.jpg", "Dog/1.jpg")), layout_of(("Cat/1.jpg", "Siamese/1.jpg"))
    assert class_names(kaggle, {}) == ("cat", "dog")
    assert class_names(other, {}) == ("Cat", "Siamese")
    assert class_names(kaggle, {"Dog": "Hound"}) == ("cat", "Hound")


@pytest.mark.parametrize(
    ("renamed", "message"),
    [({"Cow": "cow"}, "no class folder 'Cow'"), ({"b": "A"}, "'A' and 'b' would both become the class 'A'.*--rename")],
)
def test_renaming_an_unknown_folder_or_to_an_existing_class_is_refused(renamed: dict[str, str], message: str) -> None:
    with pytest.raises(BadData, match=message):
        class_names(layout_of(("A/1.png", "b/1.png")), renamed)


def test_a_folder_whose_name_is_not_utf8_must_be_renamed(tmp_path: Path) -> None:
    """Old archives have such names, but the header of a checkpoint can only store UTF-8."""
    result = Layout(("caf\udce9", "y"), {}, ())
    with pytest.raises(BadData, match=r"cannot be decoded as UTF-8: set PYTHONUTF8=1.*--rename"):
        class_names(result, {})
    assert class_names(result, {"caf\udce9": "café"}) == ("café", "y")


def test_a_folder_of_annotations_is_no_class() -> None:
    """`train` contains the classes, and `annotations` beside it has no photos."""
    result = layout_of(("train/cat/1.jpg", "train/dog/1.jpg", "annotations/cat.xml", "annotations/dog.xml"))
    assert result.folders == ("cat", "dog") and len(result.outside) == 2


def test_one_note_lists_all_ignored_folders() -> None:
    result = layout_of(
        ("cat/1.jpg", "dog/1.jpg", "@eaDir/cat/1.jpg", "cat/@eaDir/1.jpg/T.jpg", "lost+found/", "runs/m/report.html",
         "runs/m/metrics.json", "runs/m/curves.png", ".Trashes/501/1.jpg", "$RECYCLE.BIN/S-1-5/1.jpg")
    )  # fmt: skip
    assert (
        result.folders == ("cat", "dog") and set(result.folder_of) == {"cat/1.jpg", "dog/1.jpg"} and not result.outside
    )
    (note,) = result.notes
    assert all(name in note for name in ("@eaDir", "lost+found", "runs", ".Trashes", "$RECYCLE.BIN"))


def test_exclude_leaves_out_files_and_folders() -> None:
    result = layout_of(("cat/1.jpg", "cat/2.gif", "dog/1.jpg", "old/1.jpg"), exclude=("old", "*.gif", "bird"))
    assert set(result.folder_of) == {"cat/1.jpg", "dog/1.jpg"} and not result.outside
    assert result.notes == (
        "--exclude old leaves out 1 file",
        "--exclude *.gif leaves out 1 file",
        "warning: --exclude bird matches nothing",
    )


def test_one_name_in_two_spellings_is_one_class() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Käse") for form in ("NFC", "NFD"))
    result = layout_of((f"{composed}/1.jpg", f"{decomposed}/2.jpg", "Brot/1.jpg"))
    assert result.folders == ("Brot", composed)
    assert result.folder_of == {f"{composed}/1.jpg": composed, f"{decomposed}/2.jpg": composed, "Brot/1.jpg": "Brot"}
    assert "one class" in result.notes[0]
    assert class_names(result, {decomposed: "cheese"}) == ("Brot", "cheese")


def test_a_warning_of_similar_names_names_the_option_rename() -> None:
    result = layout_of(("A/1.jpg", "a/1.jpg", "b/1.jpg"))
    (line,) = layout_messages(result, class_names(result, {}))
    assert (
        line.startswith("warning: the classes 'A' and 'a' differ only in upper and lower case") and "--rename" in line
    )
    assert layout_messages(result, class_names(result, {"a": "small a"})) == []


def test_a_single_class_is_enough_for_an_evaluation() -> None:
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
def test_the_error_for_data_without_class_folders_says_what_to_do(names: tuple[str, ...], hint: str) -> None:
    with pytest.raises(BadData) as error:
        layout_of(names)
    assert hint in str(error.value)


def test_the_hint_at_archives_comes_before_that_at_a_table() -> None:
    """In Kaggle's download the photos are still packed, so the table alone is of no use."""
    with pytest.raises(BadData, match=r"There are archives in it, such as train\.zip"):
        layout_of(("train.zip", "test1.zip", "sampleSubmission.csv"))


def test_a_data_set_for_object_detection_is_refused() -> None:
    """In Roboflow's layout the only folder with photos is `images`, which is no class."""
    names = [f"{part}/{folder}" for part in ("train", "valid") for folder in ("images/1.jpg", "labels/1.txt")]
    with pytest.raises(BadData, match=r"at least two classes are needed.*only 'images'"):
        layout_of(tuple(names))
