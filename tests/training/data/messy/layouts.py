"""Layouts of folders as people have them, each with the classes and splits that must be read."""

import unicodedata
from collections.abc import Callable
from itertools import count

from tests.training.data.messy import names
from tests.training.data.messy.builder import Builder, Slot


def _folder(builder: Builder, label: str) -> str:
    """The folder of a class, in one of its spellings."""
    return f"{builder.nfc(label)}/"


def _finish(builder: Builder, slots: list[Slot], chosen: list[str], least: int = 4, most: int = 6) -> None:
    case = builder.case
    case.classes |= set(chosen)
    builder.fill(slots, least, most)
    builder.copy_some(slots)
    for label in chosen:
        forms = {part for item in case.items if item.label == label for part in item.name.split("/")[:-1]
                 if unicodedata.normalize("NFC", part) == label}  # fmt: skip
        if len(forms) > 1:
            case.notes.append(f"some folders of {label!r} are spelt")
    if names.pair_in(chosen):
        case.notes.append("warning: the classes")
    else:
        case.silence.append("warning: the classes")


def plain(builder: Builder) -> None:
    """A folder per class, which may contain other folders; one class may be called `train`, and one may be empty."""
    chosen = names.class_names(builder.random)
    if builder.chance(0.1):
        chosen.append("train")
    slots: list[Slot] = []
    for number, label in enumerate(chosen):
        for _ in range(builder.random.choice((1, 1, 2))):
            slots.append((f"{builder.top}{_folder(builder, label)}", label, ""))
        if builder.chance(0.2):
            slots.append((f"{builder.top}{_folder(builder, label)}session {number}/", label, ""))
    _finish(builder, slots, chosen)
    if builder.chance(0.1):
        builder.case.folders.append(f"{builder.top}empty class/")
        builder.case.classes.add("empty class")


def above(builder: Builder) -> None:
    """Splits above the classes, which may be nested twice; one split may lack a class."""
    chosen = names.class_names(builder.random)
    parts = names.split_names(builder.random)
    nested = builder.random.choice(("", "", "twice", "wrapped"))
    lacking = builder.random.choice(chosen) if builder.chance(0.2) else ""
    slots: list[Slot] = []
    for folder, split in parts.items():
        inner = {"": "", "twice": f"{folder}/", "wrapped": "pics/"}[nested]
        for label in chosen:
            if label != lacking or split == "train":
                slots.append((f"{builder.top}{folder}/{inner}{_folder(builder, label)}", label, split))
    _finish(builder, slots, chosen, 2, 4)
    if any("fold" in folder.lower() for folder in parts):
        builder.case.notes.append("the data has folds: ")


def inside(builder: Builder) -> None:
    """Splits inside every class; photos or another folder that are in no split may be beside them."""
    chosen = names.class_names(builder.random)
    parts = names.split_names(builder.random)
    middle = builder.random.choice(("", "", "images/"))
    slots: list[Slot] = []
    for number, label in enumerate(chosen):
        own = f"{builder.top}{_folder(builder, label)}"
        skipped = builder.random.choice(list(parts)) if number and builder.chance(0.1) else ""
        slots += [(f"{own}{middle}{folder}/", label, split) for folder, split in parts.items() if folder != skipped]
        if builder.chance(0.15):
            slots.append((own, label, ""))
        if builder.chance(0.1) and not middle:
            slots.append((f"{own}extra {number}/", label, ""))
    _finish(builder, slots, chosen, 2, 4)


def together(builder: Builder) -> None:
    """Folders with class and split in one name."""
    chosen = builder.random.sample(names.WORDS, builder.random.randint(2, 4))
    parts = {split: builder.random.choice(words) for split, words in names.KINDS.items() if split != "evaluation"}
    if builder.chance(0.5):
        del parts["validation"]
    between = builder.random.choice("_ -")
    first = builder.chance(0.3)
    if all(label.isdecimal() for label in chosen):  # these may also be parts of one split
        builder.case.refusal = ["at least two classes"]
    slots: list[Slot] = []
    for label in chosen:
        own = label.replace(" ", between)
        for split, word in parts.items():
            folder = f"{word}{between}{own}" if first else f"{own}{between}{word}"
            slots.append((f"{builder.top}{folder}/", label, split))
    _finish(builder, slots, chosen, 2, 4)


def unclear(builder: Builder) -> None:
    """Folders that all contain the same folders, which is refused without an option that says which are the classes."""
    outer = ["garden", "kitchen", "Wiese"][: builder.random.randint(2, 3)]
    inner = names.class_names(builder.random, 3, pairs=False)
    settled = builder.random.choice(("", "outer", "inner", "split"))
    case, depth = builder.case, builder.top.count("/")
    splits = dict.fromkeys(outer, "")
    if settled == "split":
        splits = {outer[0]: "train", **dict.fromkeys(outer[1:], "test")}
        case.options["split"] = tuple(f"{folder}={split}" for folder, split in splits.items())
    elif settled:
        case.options["class_level"] = depth + (1 if settled == "outer" else 2)
    else:
        case.refusal = ["not clear which folders are the classes", f"--class-level {depth + 1}", "--split"]
    slots: list[Slot] = [
        (f"{builder.top}{folder}/{own}/", folder if settled == "outer" else own, splits[folder])
        for folder in outer
        for own in inner
    ]
    _finish(builder, slots, outer if settled == "outer" else inner, 2, 3)


def unlabelled(builder: Builder) -> None:
    """Classes to train on, and a test folder without classes."""
    chosen = names.class_names(builder.random)
    train, test = builder.random.choice((("train", "test"), ("Training", "Testing"), ("train_set", "test_set")))
    _finish(builder, [(f"{builder.top}{train}/{own}/", own, "train") for own in chosen], chosen)
    how = builder.random.choice(("", f"{test}/", "unknown/"))
    label = "unknown" if how == "unknown/" else None
    builder.fill([(f"{builder.top}{test}/{how}", label, "test" if label else "")], 1, 3)
    if label:
        builder.case.classes.add(label)


def in_names(builder: Builder) -> None:
    """The class is in the name of every file, to be read by --label-from; there may be splits above."""
    chosen = names.class_names(builder.random)
    between, pattern = builder.random.choice(((".", r"^(?P<label>.+?)\.\d+x"), ("__", r"^(?P<label>.+?)__"),
                                              ("@@", r"(?P<label>[^/]+?)@@")))  # fmt: skip
    number = count()

    def stem(label: str, own: str) -> str:
        middle = f"{next(number)}x" if between == "." else ""
        return f"{builder.nfc(label)}{between}{middle}{own}" if label else own

    builder.stem = stem
    builder.case.options["label_from"] = pattern
    parts = names.split_names(builder.random) if builder.chance(0.4) else {"all": ""}
    slots: list[Slot] = [
        (f"{builder.top}{folder}/", label, split) for folder, split in parts.items() for label in chosen
    ]
    _finish(builder, slots, chosen, 4, 5)
    builder.case.notes = [note for note in builder.case.notes if "are spelt" not in note]
    if builder.chance(0.3):
        builder.fill([(f"{builder.top}", None, "")], 1, 2)


def without_classes(builder: Builder) -> None:
    """Photos in no folder or in only one, which is refused with the options that name the classes."""
    folder = builder.random.choice(("", "all photos/"))
    builder.case.refusal = ["at least two classes are needed", "--label-from"]
    builder.fill([(f"{builder.top}{folder}", None, "")], 3, 6)


LAYOUTS: dict[str, Callable[[Builder], None]] = {
    "plain": plain,
    "above": above,
    "inside": inside,
    "together": together,
    "unclear": unclear,
    "unlabelled": unlabelled,
    "in names": in_names,
    "without classes": without_classes,
}
