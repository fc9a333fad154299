"""Tests which photos an imported model is checked on, and of which classes they are."""

from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from models.architectures.timm_networks import imagenet_names
from models.spec import Spec
from tests.training.drawn import write_gratings, zipped
from training.data.options import DataOptions
from training.data.sources.source import BadData
from training.importing import photos as photos_module
from training.importing.options import ImportOptions
from training.importing.photos import Photos, read_photos

SPEC = Spec("squeezenet1_1", ("cat", "dog", "emu"), input_size=32, resize=36)


def options(check: Path, **given: Any) -> ImportOptions:
    return ImportOptions(source="weights.pth", output=check.with_name("mine.safetensors"), check=check, **given)


def read(given: ImportOptions, spec: Spec, console: Console) -> Photos:
    photos, _ = read_photos(given, spec, console)
    return photos


def labels(photos: Photos) -> list[int]:
    return [label for _, label in photos]


def test_photos_are_decoded_with_the_index_of_their_class(tmp_path: Path) -> None:
    """The class of a folder is found by its name, in any spelling that `/classify` takes."""
    folder = write_gratings(tmp_path / "photos", {"DOG": 2, "emu": 1, "Cat": 3})
    photos = read(options(zipped(folder, tmp_path / "photos.zip")), SPEC, Console())
    assert labels(photos) == [0, 0, 0, 1, 1, 2]
    assert {(pixels.dtype, *pixels.shape) for pixels, _ in photos} == {(torch.uint8, 3, 48, 48)}


def test_as_many_as_are_asked_for_are_taken_evenly(tmp_path: Path) -> None:
    """20 of 80 photos, of which three quarters are dogs."""
    folder = write_gratings(tmp_path / "photos", {"cat": 20, "dog": 60})
    assert labels(read(options(folder, photos=20), SPEC, Console())) == [0] * 5 + [1] * 15


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((4, 8, 16), (4, "test")),
        ((3, 5, 16), (8, "test and validation")),
        ((1, 1, 16), (2, "test and validation")),
        ((0, 1, 16), (1, "test and validation")),
        ((0, 0, 16), (16, "all")),
    ],
)
def test_photos_that_models_are_not_trained_on_are_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counts: tuple[int, int, int], expected: tuple[int, str]
) -> None:
    """If the test split has enough photos they are of it, else of test and validation; of train if there is no other.

    Enough are 4 here, and 100 in earnest.
    """
    monkeypatch.setattr(photos_module, "ENOUGH", 4)
    for seed, (split, count) in enumerate(zip(("test", "val", "train"), counts, strict=True)):
        if count:
            write_gratings(tmp_path / "photos" / split, {"cat": count}, seed=100 * seed)
    photos, on = read_photos(options(tmp_path / "photos"), SPEC, Console())
    assert (len(photos), on) == expected


def test_files_that_cannot_be_used_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_gratings(tmp_path / "photos", {"cat": 2, "dog": 2})
    (folder / "cat" / "0.png").write_bytes(b"")
    assert labels(read(options(folder), SPEC, Console())) == [0, 1, 1]
    assert "1 files cannot be used, such as cat/0.png: the file is empty (0 bytes)" in capsys.readouterr().out


def test_no_usable_photo_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "0.png").write_bytes(b"no picture")
    with pytest.raises(BadData, match="there are no usable photos: `python -m training check` lists the files"):
        read(options(tmp_path / "photos"), SPEC, Console())


def test_large_photos_are_shrunk_so_that_many_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two photos may take 80,000 bytes: 100 pixels on the shorter side, and never less than twice the resized ones."""
    monkeypatch.setattr(photos_module, "KEPT_BYTES", 80_000)
    folder = write_gratings(tmp_path / "photos", {"cat": 1, "dog": 1}, side=120)
    assert [pixels.shape[1:] for pixels, _ in read(options(folder), SPEC, Console())] == [(100, 100)] * 2
    monkeypatch.setattr(photos_module, "KEPT_BYTES", 800)
    assert [pixels.shape[1:] for pixels, _ in read(options(folder), SPEC, Console())] == [(72, 72)] * 2


def test_a_folder_can_be_given_another_class_by_its_name(tmp_path: Path) -> None:
    folder = write_gratings(tmp_path / "photos", {"kitten": 1, "dog": 1})
    assert labels(read(options(folder, renamed={"kitten": "cat"}), SPEC, Console())) == [1, 0]


def test_folders_without_a_class_are_named_with_what_to_do(tmp_path: Path) -> None:
    folder = write_gratings(tmp_path / "photos", {"kitten": 1, "dog": 1})
    with pytest.raises(BadData) as one:
        read(options(folder), SPEC, Console())
    assert str(one.value) == (
        "the model has no class for the folder 'kitten' (no class is called 'kitten'; similar names: cat, dog, emu): "
        "give --rename 'kitten=CLASS', or leave photos out with --exclude"
    )
    for number in range(11):
        write_gratings(folder, {f"cow {number:02}": 1}, seed=number)
    with pytest.raises(BadData, match=r"no class for the folders 'cow 00', 'cow 01', .*, 'cow 09' and 2 more"):
        read(options(folder), SPEC, Console())
    photos = read(options(folder, data_options=DataOptions(exclude=("cow *", "kitten"))), SPEC, Console())
    assert labels(photos) == [1]


def test_classes_without_names_are_those_of_the_folders_in_their_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If there are as many, none is a number of a class, and none is renamed."""
    spec = Spec("squeezenet1_1", ("0", "1", "2"), input_size=32, resize=36)
    folder = write_gratings(tmp_path / "photos", {"emu": 1, "cat": 2, "dog": 3})
    assert labels(read(options(folder), spec, Console(width=200))) == [0, 0, 1, 1, 1, 2]
    printed = capsys.readouterr().out
    assert "the classes of the model have no names, so the folders are taken in the order of theirs: cat, dog, emu" in (
        printed
    )
    renamed = options(folder, renamed={"cat": "2", "dog": "1", "emu": "0"})
    assert labels(read(renamed, spec, Console())) == [2, 2, 1, 1, 1, 0]
    with pytest.raises(BadData, match="no class for the folders 'dog', 'emu'"):
        read(options(folder, renamed={"cat": "2"}), spec, Console())
    numbered = write_gratings(tmp_path / "numbered", {"2": 1, "0": 1})
    assert labels(read(options(numbered), spec, Console())) == [0, 2]
    with pytest.raises(BadData, match="no class for the folders 'cat', 'dog'"):
        read(options(write_gratings(tmp_path / "two", {"cat": 1, "dog": 1})), spec, Console())


def test_the_folders_of_imagenet_are_called_by_wordnet_ids(tmp_path: Path) -> None:
    """A tench (class 0), a goldfish (1) and toilet tissue (999), as ImageNet's own validation set has them."""
    folder = write_gratings(tmp_path / "photos", {"n15075141": 1, "n01443537": 1, "n01440764": 1})
    spec = Spec("squeezenet1_1", imagenet_names(), input_size=32, resize=36)
    assert labels(read(options(folder), spec, Console())) == [0, 1, 999]
