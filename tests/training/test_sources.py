import zipfile
from pathlib import Path

import pytest

from tests.training.drawn import write_gratings, zipped
from training import sources
from training.sources import BadData, class_names, layout, open_source


def test_the_kaggle_layout_is_seen_through() -> None:
    """PetImages wraps Cat and Dog; the readme beside it is in no class."""
    found = layout(("PetImages/Cat/1.jpg", "PetImages/Dog/1.jpg", "PetImages/Dog/2.jpg", "readme.txt"))
    assert found.folders == ("Cat", "Dog")
    assert found.folder_of == {"PetImages/Cat/1.jpg": "Cat", "PetImages/Dog/1.jpg": "Dog", "PetImages/Dog/2.jpg": "Dog"}
    assert found.outside == ("readme.txt",)


@pytest.mark.parametrize("wrap", ["", "a/", "a/b/c/"])
def test_any_number_of_wrapping_folders_is_seen_through(wrap: str) -> None:
    assert layout((f"{wrap}x/1.png", f"{wrap}y/1.png")).folders == ("x", "y")


def test_a_split_that_somebody_made_is_dissolved() -> None:
    found = layout(("d/train/ants/1.jpg", "d/train/bees/1.jpg", "d/val/ants/1.jpg", "d/val/bees/1.jpg"))
    assert found.folders == ("ants", "bees")
    assert found.folder_of["d/val/ants/1.jpg"] == "ants"


def test_oxford_pets_keep_the_class_in_the_file_name() -> None:
    names = ("images/great_pyrenees_12.jpg", "images/Sphynx_3.jpg", "images/list.mat", "annotations/trainval.txt")
    found = layout(tuple(f"pets/{name}" for name in names))
    assert found.folders == ("Sphynx", "great_pyrenees")
    assert found.folder_of == {
        "pets/images/great_pyrenees_12.jpg": "great_pyrenees",
        "pets/images/Sphynx_3.jpg": "Sphynx",
    }
    assert found.outside == ("pets/annotations/trainval.txt", "pets/images/list.mat")


def test_sub_folders_belong_to_their_class() -> None:
    assert layout(("x/a/1.png", "x/b/1.png", "y/1.png")).folder_of["x/b/1.png"] == "x"


def test_what_machines_add_is_no_class() -> None:
    found = layout(("x/1.png", "y/1.png", "__MACOSX/x/._1.png", ".git/config", "x/.ipynb_checkpoints/1.png"))
    assert found.folders == ("x", "y") and set(found.folder_of) == {"x/1.png", "y/1.png"}


def test_an_empty_folder_is_a_class_without_photos() -> None:
    assert layout(("x/", "x/1.png", "y/")).folders == ("x", "y")


@pytest.mark.parametrize("names", [(), ("1.jpg", "2.jpg"), ("Cat/1.jpg", "Cat/2.jpg"), ("data/Cat/1.jpg",)])
def test_fewer_than_two_classes_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(BadData, match="two classes or more"):
        layout(names)


def test_a_zip_lists_and_reads_what_its_folder_does(tmp_path: Path) -> None:
    folder = write_gratings(tmp_path / "data", {"x": 2, "y": 1})
    plain, packed = open_source(folder), open_source(zipped(folder, tmp_path / "data.zip"))
    files = [name for name in plain.names if not name.endswith("/")]
    assert files == list(packed.names) == ["x/0.png", "x/1.png", "y/0.png"]
    assert all(plain.read(name) == packed.read(name) for name in files)


def test_the_listing_changes_with_a_file(tmp_path: Path) -> None:
    folder = write_gratings(tmp_path / "data", {"x": 1, "y": 1})
    before = open_source(folder).listing
    assert open_source(folder).listing == before
    (folder / "x" / "0.png").write_bytes(b"other")
    assert open_source(folder).listing != before


def test_nothing_leaves_the_zip(tmp_path: Path) -> None:
    """A member called ../evil is read as bytes like any other, and no file appears anywhere."""
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("x/../../evil.png", b"data")
    source = open_source(tmp_path / "evil.zip")
    assert source.read(source.names[0]) == b"data"
    assert [file.name for file in tmp_path.rglob("*")] == ["evil.zip"]


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/bomb.png", bytes(10**6))
    with pytest.raises(BadData, match="more than 1,000 bytes"):
        open_source(tmp_path / "bomb.zip").read("x/bomb.png")


def test_what_is_no_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="there is no"):
        open_source(tmp_path / "missing")
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    with pytest.raises(BadData, match="no zip, or a damaged one"):
        open_source(tmp_path / "broken.zip")


def test_a_file_that_vanished_is_named_without_its_path(tmp_path: Path) -> None:
    folder = write_gratings(tmp_path / "data", {"x": 1, "y": 1})
    source = open_source(folder)
    (folder / "x" / "0.png").unlink()
    with pytest.raises(BadData, match=r"x/0\.png cannot be read") as caught:
        source.read("x/0.png")
    assert str(tmp_path) not in str(caught.value)


def test_names_of_classes() -> None:
    """Folders' own names, but for the Kaggle download's capitals and what is asked for."""
    assert class_names(("Cat", "Dog"), {}) == ("cat", "dog")
    assert class_names(("Cat", "Siamese"), {}) == ("Cat", "Siamese")
    assert class_names(("Cat", "Dog"), {"Dog": "Hound"}) == ("cat", "Hound")


@pytest.mark.parametrize(("renamed", "told"), [({"Cow": "cow"}, "no folder is called 'Cow'"), ({"b": "A"}, "one name")])
def test_senseless_names_are_refused(renamed: dict[str, str], told: str) -> None:
    with pytest.raises(BadData, match=told):
        class_names(("A", "b"), renamed)
