"""Layouts in which several levels of folders could be the classes."""

import pytest

from tests.training.data.layout.name_only import layout_of, photos, splits
from training.data.sources.source import BadData


def test_a_folder_of_annotations_at_the_level_of_the_classes_is_no_class() -> None:
    result = layout_of((*photos("garden", "kitchen"), "annotations/1.xml"), class_level=1)
    assert result.folders == ("garden", "kitchen") and result.outside == ("annotations/1.xml",)


def test_folders_that_all_contain_the_same_folders_are_refused() -> None:
    """Either level could be the classes; all options that the message names solve it."""
    names = photos("kitchen", "garden")
    with pytest.raises(
        BadData, match=r"not clear which.*--class-level 1.*--class-level 2.*--split garden=train"
    ) as error:
        layout_of(names)
    assert "garden, kitchen" in str(error.value) and "cat, dog" in str(error.value)
    assert layout_of(names, class_level=1).folders == ("garden", "kitchen")
    assert layout_of(names, class_level=2).folders == ("cat", "dog") and not layout_of(names, class_level=2).split_of
    by_split = layout_of(names, split=("kitchen=train", "garden=test"))
    assert by_split.folders == ("cat", "dog") and splits(by_split) == {"kitchen": "train", "garden": "test"}
    with pytest.raises(BadData, match="not clear which"):
        layout_of((*photos("a/site1", "a/site2"), "a/site3/cat/1.jpg"))


def test_different_sub_folders_of_classes_are_not_ambiguous() -> None:
    result = layout_of(("cat/siamese/1.jpg", "cat/tabby/1.jpg", "dog/beagle/1.jpg", "dog/2.jpg"))
    assert result.folders == ("cat", "dog") and result.folder_of["cat/tabby/1.jpg"] == "cat"


def test_the_class_level_counts_all_folders_above_a_file() -> None:
    names = photos("data/train/a", "data/test/b")
    result = layout_of(names, class_level=4)
    assert (
        result.folders == ("cat", "dog")
        and result.split_of[names[0]] == "train"
        and result.split_of[names[-1]] == "test"
    )


@pytest.mark.parametrize(
    ("folders", "level"),
    [
        (("raw/train", "raw/test", "small/train", "small/test"), 3),
        (("raw_train", "raw_test", "small_train", "small_test"), 2),
    ],
)
def test_several_copies_of_one_data_set_are_refused(folders: tuple[str, ...], level: int) -> None:
    """`raw` and `small` contain the same classes, so they are no classes themselves."""
    with pytest.raises(BadData, match=rf"not clear which.*cat, dog.*--class-level {level}"):
        layout_of(photos(*folders))
    assert layout_of(photos(*folders), class_level=level).folders == ("cat", "dog")


def test_folders_with_nearly_the_same_folders_are_refused_too() -> None:
    names = (*photos("part1", "part2"), "part1/bird/1.jpg")
    with pytest.raises(
        BadData, match=r"not clear which.*part1, part2 contain folders of the same names.*--split part1=train"
    ):
        layout_of(names)
