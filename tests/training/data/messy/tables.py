"""Data sets with their labels in a table, in the many forms that people and programs write."""

import csv
import io
import unicodedata
from itertools import count

from tests.training.data.messy import names
from tests.training.data.messy.builder import Builder, Slot
from tests.training.data.messy.layouts import LAYOUTS
from tests.training.data.messy.oracle import Item

FILES = ("file", "Filename", "image_id", "IMAGE", "path", "file name", "img-path", "id")
LABELS = ("label", "Class", "category", "target", "BREED", "class_name", "dx")
SPLITS = ("split", "set", "Subset", "partition")
FORMS = ("path", "name", "stem", "windows", "elsewhere", "dot", "partly")


def _written(item: Item, form: str, top: str) -> str:
    """The name of a file in one of the forms that tables have."""
    name = item.name
    last = name.rpartition("/")[2]
    stem = last.rpartition(".")[0] or last
    forms = {
        "path": name,
        "name": last,
        "stem": stem,
        "windows": "D:\\work\\" + name.replace("/", "\\"),
        "elsewhere": f"/home/ann/{name}",
        "dot": f"./{name}",
        "partly": name.removeprefix(top),
    }
    return forms[form]


def in_table(builder: Builder) -> None:
    """Pictures in any folders; a table inside the data or elsewhere has their classes and may have their splits."""
    random, case = builder.random, builder.case
    chosen = [*names.class_names(random), *random.choice(((), (), ("cats/tabby", 'a "b", c')))]
    numbers = count(1000)
    builder.stem = lambda label, own: f"{random.choice(('IMG', 'ä', 'p q'))}{next(numbers)}"
    folders = [f"{builder.top}{folder}" for folder in random.choice((["images/"], ["a/", "b/"], ["cat/", "bird/", ""]))]
    parts = random.choice((None, None, {"train": "train", "test": "test"}, {"Training": "train", "val": "validation",
                           "holdout": "test"}))  # fmt: skip
    slots: list[Slot] = []
    for label in chosen:
        slots += [(random.choice(folders), label, split) for split in (parts.values() if parts else [""])]
    builder.fill(slots, 4, 6)
    builder.copy_some(slots)
    case.classes |= set(chosen)
    if builder.chance(0.3):  # photos without a label
        builder.fill([(folders[0], None, "")], 1, 2)
    _write(builder, folders, parts)
    (case.notes if names.pair_in(chosen) else case.silence).append("warning: the classes")


def _write(builder: Builder, folders: list[str], parts: dict[str, str] | None) -> None:
    random, case = builder.random, builder.case
    header = [random.choice(FILES), random.choice(LABELS)] + ([random.choice(SPLITS)] if parts else [])
    form = random.choice(FORMS)
    words = {split: word for word, split in (parts or {}).items()}
    rows = []
    for place, item in enumerate(case.items):
        if item.label is None:
            if builder.chance(0.5):
                rows.append([_written(item, form, builder.top), ""] + ([""] if parts else []))
            continue
        label = unicodedata.normalize("NFD", item.label or "") if builder.chance(0.2) else item.label or ""
        rows.append([_written(item, form, builder.top), label] + ([words[item.split]] if parts else []))
        if builder.chance(0.03) and sum(item.several for item in case.items) < 2:  # a second label
            other = next(name for name in sorted(case.classes) if name != item.label)
            rows.append([_written(item, form, builder.top), other] + ([words[item.split]] if parts else []))
            case.items[place] = Item(item.name, item.content, item.label, item.split, several=True)
        elif builder.chance(0.05):  # the same again
            rows.append(rows[-1])
    for number in range(random.choice((0, 0, 1))):
        missing = f"gone {number}.jpg"
        case.missing.append(missing)
        rows.append([missing, sorted(case.classes)[0]] + ([next(iter(words.values()))] if parts else []))
    if builder.chance(0.3):
        header = ["width", *header, "note"]
        rows = [["640", *row, "a; b, c"] for row in rows]
    if (
        builder.chance(0.3) and "id" not in header
    ):  # without a better column, "id" would be the column of files or classes
        header = ["id", *header, "class id"]
        rows = [[str(place), *row, "7"] for place, row in enumerate(rows)]
    turned = list(range(len(header)))
    random.shuffle(turned)
    rows = [[row[place] for place in turned] for row in [header, *rows]]
    case.table, case.options["labels"] = _encoded(builder, rows, folders)
    if builder.chance(0.3):
        case.options |= {"label_column": next(title for title in header if title in LABELS)}


def _encoded(builder: Builder, rows: list[list[str]], folders: list[str]) -> tuple[tuple[str, bytes], str]:
    """The name of the table (with a leading slash if it is not in the data), its bytes, and the value of --labels."""
    random = builder.random
    delimiter = random.choice(",;\t|")
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=random.choice(("\n", "\r\n"))).writerows(rows)
    encoding = random.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16"))
    title = random.choice(("labels.csv", "Train Labels.tsv", "meta.txt"))
    place = random.choice(("elsewhere", "top", "beside"))
    data = text.getvalue().encode(encoding)
    if place == "elsewhere":
        return (f"/{title}", data), f"/{title}"
    folder = builder.top if place == "top" else folders[0]
    return (f"{folder}{title}", data), random.choice((title, f"{folder}{title}", f"./{title}"))


LAYOUTS["in table"] = in_table
