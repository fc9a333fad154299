"""What people call the folders of a split: `train`, `Training Set`, `test_data`, `trn`, `holdout`, `fold3`."""

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
FILLERS = (
    "set", "sets", "data", "dataset", "datasets", "split", "splits", "part", "subset", "folder", "dir", "directory",
    "image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pic", "pics", "sample", "samples",
    "file", "files", "jpg", "jpeg", "png",
)  # fmt: skip
"""Words beside those that say nothing more: `train_images`, `testset`, `data-val`."""
_PIECE = re.compile(
    rf"(?:{'|'.join(FILLERS)})?(?P<word>{'|'.join(sorted(WORDS, key=len, reverse=True))})(?:{'|'.join(FILLERS)})?"
)


@dataclass(frozen=True)
class SplitName:
    """A folder's name as one of a split: its kind, the number behind it (of a fold), what is left of the name without
    numbers, and with them as a class would be called."""

    kind: str
    number: int
    rest: str
    label: str = ""


def read_name(folder: str) -> SplitName | None:
    """The name of a folder as that of a split; None where it has no such word, or more than one."""
    pieces = _pieces(folder)
    found = [(match["word"], piece) for piece in pieces if (match := _PIECE.fullmatch(piece.casefold()))]
    if len(found) != 1:
        return None
    ((word, own),) = found
    numbers = [int(piece) for piece in pieces if piece.isdecimal()]
    others = (piece for piece in pieces if piece != own and not piece.isdecimal())
    rest = " ".join(piece for piece in others if piece.casefold() not in FILLERS)
    return SplitName(WORDS[word], numbers[-1] if numbers else -1, rest, _label(folder))


def _label(folder: str) -> str:
    """The name without the word for the split: `type1` of `type1_train`, `sea lion` of `sea_lion-test`."""
    words = []
    for word in re.findall(r"[^\W_]+", folder):
        pieces = _pieces(word)
        left = [piece for piece in pieces if not _PIECE.fullmatch(piece.casefold())]
        if len(left) < len(pieces):
            word = "".join(piece for piece in left if not piece.isdecimal())
        if word and word.casefold() not in FILLERS:
            words.append(word)
    return " ".join(words)


def _pieces(folder: str) -> list[str]:
    """`Training-Set2` as `Training`, `Set`, `2`."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", folder))
    text = re.sub(r"(?i)(hold|held)[\s_-]+out", r"\1out", text)
    text = re.sub(r"(?i)(train)[\s_+-]+(?:and[\s_-]+)?(val(?:id)?)(?![a-z])", r"\1\2", text)
    return re.findall(r"[^\W\d_]+|\d+", text)


def splits_among(folders: Iterable[str], chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """The split of each of these sibling folders that holds one, or nothing where they are no split.

    They are one where train and another part stand side by side (`train`, `test`), all of the same name otherwise
    (`pets_train`, `pets_test`), or where there are two folds or more. `chosen` is what the user said of folders by
    name: it goes before all names, and makes a split of even one of them.
    """
    folders = list(folders)
    own = {folder: (chosen or {})[folder] for folder in folders if folder in (chosen or {})}
    groups: dict[str, dict[str, SplitName]] = defaultdict(dict)
    for folder in folders:
        if folder not in own and (name := read_name(folder)):
            groups[name.rest].setdefault(folder, name)
    if own:
        # Of the others those that are called as splits are: the user need not say what names say.
        return own | _kinds(groups.get("", {}))
    best = max(groups.values(), key=_is_split, default={})
    return _kinds(best) if _is_split(best) else {}


def all_splits(folders: Collection[str], *, alone: bool = False) -> dict[str, str]:
    """The split of each of these folders where all are called as splits are, whatever else is in their names.

    Nothing where one is not, or where they do not make a split together, unless each may stand `alone`.
    """
    group = {folder: name for folder in folders if (name := read_name(folder))}
    return _kinds(group) if len(group) == len(folders) and (alone or _is_split(group)) else {}


def classes_with_splits(folders: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Class and split of each of these sibling folders where their names have both (`cat_train`, `dog_test`).

    Numbers are part of the class (`type1_train`, `type2_train`), or where that does not fit merely count the folders
    (`01_cat_train`, `02_cat_test`). Numbers alone are no classes: `train_0`, `test_0` may be pieces of one split.
    """
    names = {folder: read_name(folder) for folder in folders}
    known = {folder: name for folder, name in names.items() if name is not None}
    if len(known) < len(names) or not any(name.rest for name in known.values()):
        return {}
    for label in ("label", "rest"):
        groups: dict[str, dict[str, SplitName]] = defaultdict(dict)
        for folder, name in known.items():
            groups[getattr(name, label)][folder] = name
        if len(groups) > 1 and "" not in groups and all(map(_is_split, groups.values())):
            return {folder: (own, split) for own, group in groups.items() for folder, split in _kinds(group).items()}
    return {}


def _is_split(group: Mapping[str, SplitName]) -> int:
    """How many parts of a split these folders are; 0 where they are none."""
    kinds = {name.kind for name in group.values()}
    if kinds == {FOLD}:
        return len(group) if len(group) > 1 else 0
    judging = kinds & {VALIDATION, TEST, EVALUATION}
    return len(kinds) if len(kinds) > 1 and judging and (TRAIN in kinds or len(judging) > 1) else 0


def _kinds(group: Mapping[str, SplitName]) -> dict[str, str]:
    """Train, validation or test for each folder of one split.

    `eval` is the test split, or where there is a test split too, validation. Of folds the last is the test split, and
    of three or more the one before it validation.
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
