"""What systems, programs and people leave beside photos, and what the user leaves out."""

import re

from tests.training.data.messy import Item
from tests.training.data.messy_builder import Builder
from tests.training.data.messy_pictures import Content, lossless
from training.data.scan.findings import FileProblem

SYSTEM = (
    "@eaDir", "__MACOSX", "$RECYCLE.BIN", "lost+found", "System Volume Information", ".Trashes", ".git", "#recycle",
    ".ipynb_checkpoints", "FOUND.000", "@Recently-Snapshot", "__pycache__",
)  # fmt: skip
RESULTS = (
    "runs/exp/metrics.json",
    "runs/exp/weights/best.pt",
    "wandb/run/config.yaml",
    "lightning_logs/v0/hparams.yaml",
)
TEXT = Content(b"<xml/>", "", problem=FileProblem.NOT_A_PICTURE)


def strew(builder: Builder) -> None:
    """Put junk among the files of a case, of which none may be used, and none be told of as if it were a photo."""
    for place in (_system, _results, _hidden, _thumbs, _tables, _old, _formats, _nothing):
        if builder.chance(0.2):
            place(builder)


def _copy(builder: Builder) -> Content:
    """The very bytes of a photo of the data, so that it would be found were it looked at."""
    contents = [item.content for item in builder.case.items if item.content.pixels]
    return builder.random.choice(contents) if contents else lossless(builder.number(), "PNG")


def _folders(builder: Builder) -> list[str]:
    """The folders of the data set, from its top to those of the photos."""
    found = {"", builder.top}
    found |= {f"{item.name.rpartition('/')[0]}/" for item in builder.case.items if "/" in item.name and not item.silent}
    return sorted(found)


def _silent(builder: Builder, name: str, content: Content) -> None:
    builder.case.items.append(Item(name, content, silent=True))


def _system(builder: Builder) -> None:
    folder, own = builder.random.choice(_folders(builder)), builder.random.choice(SYSTEM)
    _silent(builder, f"{folder}{own}/sub/1.jpg", _copy(builder))
    _silent(builder, f"{folder}{own}/2.png", _copy(builder))
    builder.case.notes += ["these folders of the system or of programs are left out", own]


def _results(builder: Builder) -> None:
    result = builder.random.choice(RESULTS)
    folder = builder.random.choice(("", builder.top))
    top = result.split("/")[0]
    _silent(builder, f"{folder}{result}", TEXT)
    _silent(builder, f"{folder}{top}/curves.png", _copy(builder))
    builder.case.notes += ["these folders of the system or of programs are left out", top]


def _hidden(builder: Builder) -> None:
    name = builder.random.choice((".DS_Store", "._1.jpg", ".hidden.png"))
    _silent(builder, f"{builder.random.choice(_folders(builder))}{name}", _copy(builder))


def _thumbs(builder: Builder) -> None:
    """A file in a folder of photos is said to be no picture; one in no class to be in none."""
    slot = builder.random.choice([item for item in builder.case.items if not item.silent])
    name = builder.random.choice(("Thumbs.db", "desktop.ini", "readme.txt"))
    folder = slot.name.rpartition("/")[0]
    named = f"{folder}/{name}" if folder else name
    if named in builder.case.names():
        return
    by_folder = not {"labels", "label_from"} & set(builder.case.options)
    builder.case.items.append(Item(named, TEXT, slot.label if by_folder else None, slot.split))


def _tables(builder: Builder) -> None:
    """Annotations beside the folders of the classes or of the splits: in no class."""
    folder = builder.random.choice(("", builder.top))
    for number in range(2):
        builder.case.items.append(Item(f"{folder}annotations/{number}.xml", TEXT))


def _old(builder: Builder) -> None:
    """Photos in a folder that the user leaves out, by its name or its path."""
    folder = builder.random.choice(_folders(builder))
    for number in range(2):
        _silent(builder, f"{folder}old ones/{number}.png", _copy(builder))
    pattern = builder.random.choice(("old ones", "old on*", f"{_literal(folder)}old ones", "old ones/"))
    _exclude(builder, pattern, 2)


def _formats(builder: Builder) -> None:
    """All files of an ending are left out."""
    seen = [(place, item) for place, item in enumerate(builder.case.items) if not item.silent]
    left = [place for place, item in seen if item.name.endswith(".gif")]
    remain = {item.name.rpartition("/")[0] for place, item in seen if place not in left and item.content.pixels}
    if "labels" in builder.case.options or {item.name.rpartition("/")[0] for _, item in seen} - remain:
        return  # a table would list them; a folder without files is lost in most archives
    for place in left:
        item = builder.case.items[place]
        builder.case.items[place] = Item(item.name, item.content, item.label, item.split, silent=True)
    _exclude(builder, "*.gif", len(left))


def _nothing(builder: Builder) -> None:
    _exclude(builder, "no such thing", 0)


def _exclude(builder: Builder, pattern: str, count: int) -> None:
    case = builder.case
    case.options["exclude"] = (*case.options.get("exclude", ()), pattern)
    files = "1 file" if count == 1 else f"{count} files"
    case.notes.append(
        f"--exclude {pattern} leaves out {files}" if count else f"warning: --exclude {pattern} matches nothing"
    )


def _literal(folder: str) -> str:
    """A path as a pattern that matches it alone."""
    return re.sub(r"([\[*?])", r"[\1]", folder)
