"""Recognises the names of folders of splits: `train`, `Training Set`, `test_data`, `trn`, `holdout`, `fold3`.

`read_name` says what a name means. `splits_among` decides which folders that lie side by side are splits: `val` beside
`train` is one. `val` beside `cat` and `dog` is one only if it contains class folders too (`folder_layouts.py`).
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

TRAIN, VALIDATION, TEST, EVALUATION, FOLD = "train", "validation", "test", "evaluation", "fold"

WORDS = {
    **dict.fromkeys(("train", "training", "trn", "trainval", "trainvalid"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "devel", "development"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout"), TEST),
    **dict.fromkeys(("eval", "evaluation"), EVALUATION),
    **dict.fromkeys(("fold", "folds"), FOLD),
}
"""What each word in the name of a folder says about its split."""

FILLERS = (
    "set", "sets", "data", "dataset", "datasets", "split", "splits", "part", "subset", "folder", "dir", "directory",
    "image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pic", "pics", "sample", "samples",
    "file", "files", "jpg", "jpeg", "png",
)  # fmt: skip
"""Words without meaning beside the word for the split: `train_images`, `testset`, `data-val`."""
_PIECE = re.compile(
    rf"(?:{'|'.join(FILLERS)})?(?P<word>{'|'.join(sorted(WORDS, key=len, reverse=True))})(?:{'|'.join(FILLERS)})?"
)


@dataclass(frozen=True)
class SplitName:
    """The name of a folder, read as the name of a split.

    `kind` is the split, `number` that of a fold (-1 for none), `rest` what else is in the name without numbers, and
    `label` the same with numbers, as the name of a class.
    """

    kind: str
    number: int
    rest: str
    label: str = ""


def read_name(folder: str) -> SplitName | None:
    """Read the name of a folder as that of a split; None where it has no word for a split, or more than one."""
    pieces = _pieces(folder)
    words = [(match["word"], piece) for piece in pieces if (match := _PIECE.fullmatch(piece.casefold()))]
    if len(words) != 1:
        return None
    ((word, word_piece),) = words
    numbers = [int(piece) for piece in pieces if piece.isdecimal()]
    others = (piece for piece in pieces if piece != word_piece and not piece.isdecimal())
    rest = " ".join(piece for piece in others if piece.casefold() not in FILLERS)
    return SplitName(WORDS[word], numbers[-1] if numbers else -1, rest, _label(folder))


def _label(folder: str) -> str:
    """The name without the word for the split: `type1` of `type1_train`, `sea lion` of `sea_lion-test`."""
    words = []
    for word in re.findall(r"[^\W_]+", folder):
        pieces = _pieces(word)
        remaining = [piece for piece in pieces if not _PIECE.fullmatch(piece.casefold())]
        if len(remaining) < len(pieces):
            word = "".join(piece for piece in remaining if not piece.isdecimal())
        if word and word.casefold() not in FILLERS:
            words.append(word)
    return " ".join(words)


def _pieces(folder: str) -> list[str]:
    """Split a name into words and numbers: `Training-Set2` becomes `Training`, `Set`, `2`."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", folder))
    text = re.sub(r"(?i)(hold|held)[\s_-]+out", r"\1out", text)
    text = re.sub(r"(?i)(train)[\s_+-]+(?:and[\s_-]+)?(val(?:id)?)(?![a-z])", r"\1\2", text)
    return re.findall(r"[^\W\d_]+|\d+", text)


def splits_among(folders: Iterable[str], chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """The split of each of these sibling folders that is one; empty where they are not splits.

    They are splits if there are at least two kinds, train and another one for example, whose names have the same rest
    (`pets_train`, `pets_test`), or at least two folds. `chosen` are the splits of folders that the user has given: they
    count more than all names, and even a single one is a split.
    """
    folders = list(folders)
    chosen_splits = {folder: (chosen or {})[folder] for folder in folders if folder in (chosen or {})}
    groups: dict[str, dict[str, SplitName]] = defaultdict(dict)
    for folder in folders:
        if folder not in chosen_splits and (name := read_name(folder)):
            groups[name.rest].setdefault(folder, name)
    if chosen_splits:
        # Folders whose names are those of splits are splits too: the user need not give --split for them.
        return chosen_splits | _kinds(groups.get("", {}))
    best = max(groups.values(), key=_count_splits, default={})
    return _kinds(best) if _count_splits(best) else {}


def all_splits(folders: Collection[str], *, alone: bool = False) -> dict[str, str]:
    """The split of each of these folders if all have names of splits, whatever else is in their names; else empty.

    Unless `alone` is set, they must be of at least two kinds, as in `splits_among`.
    """
    group = {folder: name for folder in folders if (name := read_name(folder))}
    return _kinds(group) if len(group) == len(folders) and (alone or _count_splits(group)) else {}


def classes_with_splits(folders: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The class and the split of each of these sibling folders if all names contain both (`cat_train`, `dog_test`).

    Numbers are part of the class (`type1_train`, `type2_train`) or, where that does not fit, only number the folders
    (`01_cat_train`, `02_cat_test`). Numbers alone are not classes: `train_0` and `test_0` may be parts of two splits.
    """
    names = {folder: read_name(folder) for folder in folders}
    known = {folder: name for folder, name in names.items() if name is not None}
    if len(known) < len(names) or not any(name.rest for name in known.values()):
        return {}
    for label in ("label", "rest"):
        groups: dict[str, dict[str, SplitName]] = defaultdict(dict)
        for folder, name in known.items():
            groups[getattr(name, label)][folder] = name
        if len(groups) > 1 and "" not in groups and all(map(_count_splits, groups.values())):
            return {folder: (name, split) for name, group in groups.items() for folder, split in _kinds(group).items()}
    return {}


def _count_splits(group: Mapping[str, SplitName]) -> int:
    """Number of different splits (or of folds) that these folders are; 0 where they are not splits."""
    kinds = {name.kind for name in group.values()}
    if kinds == {FOLD}:
        return len(group) if len(group) > 1 else 0
    held_out = kinds & {VALIDATION, TEST, EVALUATION}
    return len(kinds) if len(kinds) > 1 and held_out and (TRAIN in kinds or len(held_out) > 1) else 0


def _kinds(group: Mapping[str, SplitName]) -> dict[str, str]:
    """Train, validation or test for each of these folders.

    `eval` is the test split, or validation if there is a test split too. The last of several folds is the test split;
    of three or more folds the one before it is validation.
    """
    kinds = {name.kind for name in group.values()}
    evaluation = VALIDATION if TEST in kinds else TEST
    folds = sorted({name.number for name in group.values() if name.kind == FOLD})
    of_fold = dict.fromkeys(folds, TRAIN)
    if len(folds) > 2:
        of_fold[folds[-2]] = VALIDATION
    if len(folds) > 1:
        of_fold[folds[-1]] = TEST
    resolved = {TRAIN: TRAIN, VALIDATION: VALIDATION, TEST: TEST, EVALUATION: evaluation}
    return {
        folder: of_fold[name.number] if name.kind == FOLD else resolved[name.kind] for folder, name in group.items()
    }
