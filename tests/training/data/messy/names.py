"""Names that people give to classes, splits, the folders around them, and files."""

import unicodedata
from random import Random

CLASSES = (
    "cat", "dog", "sea lion", "great_pyrenees", "007", "42", "1", "n02123045", "猫", "苹果 香蕉", "кошка", "собака",
    "γάτα", "Käse", "crème brûlée", "Ünïcode", "고양이", "ガム", "İzmir", "straße", "v1.0", "b.c.d", "[red]", "[bold]x",
    "$HOME", "a&b", "100%", "semi;colon", "quo'te", "plus+minus", "(paren)", "{brace}", "#hash", "@home", "~tilde",
    "x" * 180, "長" * 60, "!bang", "-dash", "--exclude", "testing tube", "valid_parking", "developer", "train station",
    "test_tube", "foldable", "חתול", "قط", "แมว", "ネコ", "a=b", "a,b", "*star*", "what?", "^caret", "🐈", "con",
    "x y  z", "0001", "photo", "images of birds", "data.csv", "shoe.jpg", "set", "Trainer", "evaluate", "ab [12]", "+1",
    "1e5",
)  # fmt: skip
"""Names of classes; no two are similar, and none is a word for a split."""
PAIRS = (
    ("A", "a"), ("Milk", "milk"), ("Ａ", "A"), ("big_truck", "big truck"), ("сор", "cop"), ("Ñandú", "ñandú"),
    ("STRASSE", "strasse"), ("it-em", "it em"), ("ёж", "Ёж"), ("no\u200bgo", "nogo"),
)  # fmt: skip
"""Pairs of class names that a person would take for one."""
DECOMPOSED = ("Käse", "crème brûlée", "Ünïcode", "고양이", "ガム", "Ñandú", "naïve", "Łódź", "ångström")
WORDS = ("cat", "dog", "sea lion", "bird", "type1", "type2", "n07", "Zebra", "old car", "3", "4", "version 2", "A1")
"""Names of classes that can be in the name of a folder together with a split."""
WRAPPERS = (
    "data", "photos", "My Pictures (1)", "archive", "数据", "dataset_v2", "images", "PetImages", "[new]", "train",
    "x.y", "Été",
)  # fmt: skip
KINDS = {
    "train": ("train", "training", "trn"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst", "holdout"),
    "evaluation": ("eval", "evaluation"),
}
FILLED = ("{}", "{}", "{}_set", "{}-data", "{}set", "{} images", "{}_split", "{}Data", "img_{}", "data {}")
SHARED = ("{}", "{}", "{}", "pets_{}", "{}2017", "{}_final", "my-{}", "{}_v2", "2023 {} pics", "CUB_{}")
"""Patterns of names that all splits of a data set share."""
CASES = (str, str, str.upper, str.title, str.capitalize)
PARTS = (
    ("train", "test"), ("train", "validation"), ("train", "validation", "test"), ("train", "evaluation"),
    ("train", "validation", "evaluation"), ("train", "test", "evaluation"),
)  # fmt: skip
STEMS = (
    "{}",
    "IMG_{}",
    "photo ({})",
    "{}.final",
    "снимок {}",
    "été{}",
    "{}#a",
    "{}%20b",
    "x-{}",
    "картинка{}",
    "写真{}",
)


def split_names(random: Random) -> dict[str, str]:
    """The folders of the splits, each with the split that must be read."""
    shared, change = random.choice(SHARED), random.choice(CASES)
    if random.random() < 0.2:
        count, start = random.randint(2, 5), random.choice((0, 1))
        kinds = ["train"] * count
        kinds[-1] = "test"
        if count > 2:
            kinds[-2] = "validation"
        form = random.choice(("fold{}", "fold_{}", "Fold {}", "FOLD-{}"))
        return {form.format(start + number): kind for number, kind in enumerate(kinds)}
    parts = random.choice(PARTS)
    folders = {}
    for part in parts:
        word = random.choice(FILLED).format(change(random.choice(KINDS[part])))
        folders[shared.format(word)] = part
    evaluation_split = "validation" if "test" in parts else "test"
    return {folder: evaluation_split if part == "evaluation" else part for folder, part in folders.items()}


def class_names(random: Random, most: int = 4, *, pairs: bool = True) -> list[str]:
    """Two or more names of classes, sometimes a pair of similar ones."""
    chosen = random.sample(CLASSES, random.randint(2, most))
    if pairs and random.random() < 0.15:
        chosen = [*random.choice(PAIRS), *chosen[:1]]
    if random.random() < 0.15:
        chosen.append(random.choice([name for name in DECOMPOSED if name not in chosen]))
    return [unicodedata.normalize("NFC", name) for name in dict.fromkeys(chosen)]


def pair_in(names: list[str]) -> bool:
    """Whether two of the names are a pair of similar ones."""
    return any(set(pair) <= set(names) for pair in PAIRS)


def is_portable(name: str) -> bool:
    """Whether composed and decomposed letters write the name in two ways."""
    return unicodedata.normalize("NFC", name) != unicodedata.normalize("NFD", name)
