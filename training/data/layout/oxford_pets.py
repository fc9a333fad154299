"""The layout of Oxford-IIIT Pet: the file names contain the class, and two lists contain the official split."""

from collections.abc import Callable, Mapping

from training.data.layout.class_folders import Assignment

Parts = tuple[str, ...]
"""The parts of a path."""


def oxford_pets(files: Mapping[str, Parts], read: Callable[[str], bytes]) -> Assignment | None:
    """The class and the split of each file; None where the data has another layout.

    `images/great_pyrenees_12.jpg`, beside `annotations/trainval.txt`, is of the class `great_pyrenees`.
    """
    lists = {parts[-1]: name for name, parts in files.items() if parts[-2:-1] == ("annotations",)}
    if "trainval.txt" not in lists or "test.txt" not in lists:
        return None
    above = files[lists["trainval.txt"]][:-2]
    listed_splits = {
        line.split(" ")[0]: split
        for split, name in (("train", "trainval.txt"), ("test", "test.txt"))
        for line in read(lists[name]).decode("utf-8", "replace").splitlines()
    }
    folder_of, split_of = {}, {}
    for name, parts in files.items():
        breed, _, _ = parts[-1].rpartition("_")
        if parts[:-1] == (*above, "images") and breed:
            folder_of[name] = breed
            if split := listed_splits.get(parts[-1].rpartition(".")[0]):
                split_of[name] = split
    return Assignment(folder_of, split_of, frozenset(folder_of.values()))
