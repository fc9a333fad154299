"""Oxford-IIIT Pet's own layout: the class is part of each file's name, and two lists have the official split."""

from collections.abc import Callable, Mapping

from training.data.layout.class_folders import Placed

Parts = tuple[str, ...]


def oxford_pets(files: Mapping[str, Parts], read: Callable[[str], bytes]) -> Placed | None:
    """`images/great_pyrenees_12.jpg` beside `annotations/trainval.txt` is a `great_pyrenees`; None in other layouts."""
    lists = {parts[-1]: name for name, parts in files.items() if parts[-2:-1] == ("annotations",)}
    if "trainval.txt" not in lists or "test.txt" not in lists:
        return None
    above = files[lists["trainval.txt"]][:-2]
    listed = {
        line.split(" ")[0]: split
        for split, name in (("train", "trainval.txt"), ("test", "test.txt"))
        for line in read(lists[name]).decode("utf-8", "replace").splitlines()
    }
    folder_of, split_of = {}, {}
    for name, parts in files.items():
        breed, _, _ = parts[-1].rpartition("_")
        if parts[:-1] == (*above, "images") and breed:
            folder_of[name] = breed
            if split := listed.get(parts[-1].rpartition(".")[0]):
                split_of[name] = split
    return Placed(folder_of, split_of, frozenset(folder_of.values()))
