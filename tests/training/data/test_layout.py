from pathlib import Path

import pytest

from training.data.layout import Layout, class_names, layout
from training.data.sources import BadData, Source, open_source


def told(names: tuple[str, ...]) -> Layout:
    """The layout of a source with these files."""
    return layout(Source(Path("data"), names, "listing"))


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
    assert found.side_of == {
        f"d/{side}/{insect}/1.jpg": own for side, own in sides.items() for insect in ("ants", "bees")
    }
    assert all(folder in name for name, folder in found.folder_of.items())


def test_what_lies_beside_the_sides_is_outside() -> None:
    found = told(("train/x/1.png", "train/y/1.png", "test/x/1.png", "test/y/1.png", "lists/x/1.txt", "read.me"))
    assert found.folders == ("x", "y") and found.outside == ("lists/x/1.txt", "read.me")


def test_a_class_may_be_called_train() -> None:
    """As long as none is called val or test."""
    found = told(("bus/1.png", "car/1.png", "train/1.png"))
    assert found.folders == ("bus", "car", "train") and not found.side_of


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
    assert found.side_of == {
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
    with pytest.raises(BadData, match="two classes or more"):
        told(names)


def test_names_of_classes() -> None:
    """Folders' own names, but for the Kaggle download's capitals and what is asked for."""
    kaggle, other = told(("Cat/1.jpg", "Dog/1.jpg")), told(("Cat/1.jpg", "Siamese/1.jpg"))
    assert class_names(kaggle, {}) == ("cat", "dog")
    assert class_names(other, {}) == ("Cat", "Siamese")
    assert class_names(kaggle, {"Dog": "Hound"}) == ("cat", "Hound")


@pytest.mark.parametrize(
    ("renamed", "message"), [({"Cow": "cow"}, "no folder is called 'Cow'"), ({"b": "A"}, "one name")]
)
def test_senseless_names_are_refused(renamed: dict[str, str], message: str) -> None:
    with pytest.raises(BadData, match=message):
        class_names(told(("A/1.png", "b/1.png")), renamed)


def test_a_folder_whose_name_is_no_text_needs_another(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, as an old archive leaves them: a checkpoint's header could not hold them."""
    found = Layout(("caf\udce9", "y"), {}, ())
    with pytest.raises(BadData, match=r"is no text: give the class one by --rename"):
        class_names(found, {})
    assert class_names(found, {"caf\udce9": "café"}) == ("café", "y")
