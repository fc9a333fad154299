"""Folders of which it is not clear whether they are the classes."""

import pytest

from tests.training.data.layout.name_only import layout_of, photos, splits
from training.data.sources.source import BadData


def test_a_folder_of_tables_is_no_class_at_the_level_of_the_classes() -> None:
    found = layout_of((*photos("garden", "kitchen"), "annotations/1.xml"), class_level=1)
    assert found.folders == ("garden", "kitchen") and found.outside == ("annotations/1.xml",)


def test_where_all_folders_hold_the_same_folders_the_user_is_asked() -> None:
    """Either could be the classes; each way that the message names settles it."""
    names = photos("kitchen", "garden")
    with pytest.raises(
        BadData, match=r"not clear which.*--class-level 1.*--class-level 2.*--split garden=train"
    ) as caught:
        layout_of(names)
    assert "garden, kitchen" in str(caught.value) and "cat, dog" in str(caught.value)
    assert layout_of(names, class_level=1).folders == ("garden", "kitchen")
    assert layout_of(names, class_level=2).folders == ("cat", "dog") and not layout_of(names, class_level=2).split_of
    by_split = layout_of(names, split=("kitchen=train", "garden=test"))
    assert by_split.folders == ("cat", "dog") and splits(by_split) == {"kitchen": "train", "garden": "test"}
    with pytest.raises(BadData, match="not clear which"):
        layout_of((*photos("a/site1", "a/site2"), "a/site3/cat/1.jpg"))


def test_sub_folders_of_their_own_are_no_doubt() -> None:
    found = layout_of(("cat/siamese/1.jpg", "cat/tabby/1.jpg", "dog/beagle/1.jpg", "dog/2.jpg"))
    assert found.folders == ("cat", "dog") and found.folder_of["cat/tabby/1.jpg"] == "cat"


def test_the_level_of_the_classes_counts_all_folders() -> None:
    names = photos("data/train/a", "data/test/b")
    found = layout_of(names, class_level=4)
    assert (
        found.folders == ("cat", "dog") and found.split_of[names[0]] == "train" and found.split_of[names[-1]] == "test"
    )


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
        layout_of(photos(*folders))
    assert layout_of(photos(*folders), class_level=level).folders == ("cat", "dog")


def test_the_user_is_asked_too_where_some_folders_lack_a_class() -> None:
    names = (*photos("part1", "part2"), "part1/bird/1.jpg")
    with pytest.raises(
        BadData, match=r"not clear which.*part1, part2 contain folders of the same names.*--split part1=train"
    ):
        layout_of(names)
