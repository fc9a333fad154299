"""Files that systems, programs and people leave beside photos, and files that the user excludes."""

import re

from tests.training.data.messy.builder import Builder
from tests.training.data.messy.oracle import Item
from tests.training.data.messy.pictures import Content, lossless
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
    """Add junk to the files of a case; none of it may be used or reported as a photo."""
    for place in (_system, _results, _hidden, _thumbs, _tables, _old, _formats, _nothing):
        if builder.chance(0.2):
            place(builder)


def _copy(builder: Builder) -> Content:
    """The bytes of a photo of the data, which would be reported as a duplicate if the file were read."""
    contents = [item.content for item in builder.case.items if item.content.pixels]
    return builder.random.choice(contents) if contents else lossless(builder.number(), "PNG")


def _folders(builder: Builder) -> list[str]:
    """The folders of the data set: its top, and all folders with photos."""
    folders = {"", builder.top}
    folders |= {
        f"{item.name.rpartition('/')[0]}/" for item in builder.case.items if "/" in item.name and not item.silent
    }
    return sorted(folders)


def _silent(builder: Builder, name: str, content: Content) -> None:
    builder.case.items.append(Item(name, content, silent=True))


def _system(builder: Builder) -> None:
    folder, name = builder.random.choice(_folders(builder)), builder.random.choice(SYSTEM)
    _silent(builder, f"{folder}{name}/sub/1.jpg", _copy(builder))
    _silent(builder, f"{folder}{name}/2.png", _copy(builder))
    builder.case.notes += ["these folders of the system or of programs are left out", name]


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
    """Add a file that is no picture; it is in the class of its folder, or in none."""
    neighbour = builder.random.choice([item for item in builder.case.items if not item.silent])
    name = builder.random.choice(("Thumbs.db", "desktop.ini", "readme.txt"))
    folder = neighbour.name.rpartition("/")[0]
    path = f"{folder}/{name}" if folder else name
    if path in builder.case.names():
        return
    by_folder = not {"labels", "label_from"} & set(builder.case.options)
    builder.case.items.append(Item(path, TEXT, neighbour.label if by_folder else None, neighbour.split))


def _tables(builder: Builder) -> None:
    """Add annotations beside the folders of the classes or splits; they are in no class."""
    folder = builder.random.choice(("", builder.top))
    for number in range(2):
        builder.case.items.append(Item(f"{folder}annotations/{number}.xml", TEXT))


def _old(builder: Builder) -> None:
    """Add photos in a folder that --exclude leaves out by its name or its path."""
    folder = builder.random.choice(_folders(builder))
    for number in range(2):
        _silent(builder, f"{folder}old ones/{number}.png", _copy(builder))
    pattern = builder.random.choice(("old ones", "old on*", f"{_literal(folder)}old ones", "old ones/"))
    _exclude(builder, pattern, 2)


def _formats(builder: Builder) -> None:
    """Exclude all files with an ending."""
    visible = [(place, item) for place, item in enumerate(builder.case.items) if not item.silent]
    excluded = [place for place, item in visible if item.name.endswith(".gif")]
    remaining_folders = {
        item.name.rpartition("/")[0] for place, item in visible if place not in excluded and item.content.pixels
    }
    if "labels" in builder.case.options or {item.name.rpartition("/")[0] for _, item in visible} - remaining_folders:
        return  # a table would list the files, and most archives lose a folder without files
    for place in excluded:
        item = builder.case.items[place]
        builder.case.items[place] = Item(item.name, item.content, item.label, item.split, silent=True)
    _exclude(builder, "*.gif", len(excluded))


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
    """A pattern that matches only this path."""
    return re.sub(r"([\[*?])", r"[\1]", folder)
