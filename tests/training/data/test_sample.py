from pathlib import Path

import pytest

from tests.training.drawn import write_gratings, zipped
from training.data.layout.layout import layout
from training.data.options import DataOptions
from training.data.sample import sample
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData


def counts(folder: Path) -> dict[str, int]:
    """The number of files in each folder below this one that has files."""
    parents = [file.parent.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    return {parent: parents.count(parent) for parent in sorted(set(parents))}


def contents(folder: Path) -> list[bytes]:
    return sorted(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_so_many_files_of_each_class_are_copied_from_an_archive(tmp_path: Path) -> None:
    """Six of the nine red files, and all four blue ones; each copy is one of the files, byte for byte."""
    data = write_gratings(tmp_path / "data", {"Red": 9, "Blue": 4})
    archive = zipped(data, tmp_path / "data.zip", "photos/")
    copied = sample(archive, tmp_path / "few", per_class=6)
    assert counts(copied) == {"Blue": 4, "Red": 6}
    assert set(contents(copied)) <= set(contents(data))
    assert len(set(contents(copied))) == 10


def test_the_splits_of_the_data_are_kept(tmp_path: Path) -> None:
    """The sample is read with the same splits: three of each class for training, the single one for the test."""
    data = tmp_path / "data"
    write_gratings(data / "training", {"Red": 5, "Blue": 5})
    write_gratings(data / "test", {"Red": 1, "Blue": 1}, seed=50)
    copied = sample(data, tmp_path / "few", per_class=3)
    assert counts(copied) == {"test/Blue": 1, "test/Red": 1, "train/Blue": 3, "train/Red": 3}
    splits = layout(open_source(copied)).split_of
    assert sorted(splits.values()) == ["test"] * 2 + ["train"] * 6


def test_files_of_one_class_with_equal_names_are_all_copied(tmp_path: Path) -> None:
    """Each class has a photo `day/0.png` in two places."""
    data = tmp_path / "data"
    for seed, part in enumerate(("Red/one", "Red/two", "Blue/one", "Blue/two")):
        write_gratings(data / part, {"day": 1}, seed=seed)
    copied = sample(data, tmp_path / "few", per_class=5, options=DataOptions(class_level=1))
    assert counts(copied) == {"Blue": 2, "Red": 2}
    assert contents(copied) == contents(data)


def test_the_seed_chooses_the_files(tmp_path: Path) -> None:
    data = write_gratings(tmp_path / "data", {"Red": 12, "Blue": 12})
    first, again, other = (
        contents(sample(data, tmp_path / name, per_class=3, seed=seed)) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == again != other


def test_the_class_has_its_usual_name(tmp_path: Path) -> None:
    """The folders Cat and Dog of a well-known download are the classes cat and dog."""
    data = write_gratings(tmp_path / "data", {"Cat": 2, "Dog": 2})
    assert counts(sample(data, tmp_path / "few", per_class=1)) == {"cat": 1, "dog": 1}


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    data = write_gratings(tmp_path / "data", {"Red": 2, "Blue": 2})
    with pytest.raises(BadData, match="exists already"):
        sample(data, data, per_class=1)
    assert counts(data) == {"Blue": 2, "Red": 2}
