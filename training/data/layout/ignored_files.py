"""Files and folders that nobody meant as data: what systems and programs make, and what the user excludes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from training.data.layout.folder_tree import spelt

SYSTEM_FOLDERS = {
    "__macosx", "lost+found", "$recycle.bin", "recycler", "recycled", "system volume information",
    "network trash folder", "temporary items", "@eadir", "#recycle", "#snapshot", "@recycle",
    "@recently-snapshot", "@tmp", "@sharebin", "@sharesnap", "~snapshot", "__pycache__", "node_modules", "cvs",
    "$windows.~bt", "msocache", "$windows.~ws", "$sysreset", "config.msi", "lost.dir", "site-packages",
}  # fmt: skip
"""In lower case: of macOS, Windows, Linux file systems, and network storage by Synology, QNAP and NetApp. Folders whose
name begins with a dot (`.Trashes`, `.git`, `.ipynb_checkpoints`) are always left out."""
PROGRAM_FOLDER = re.compile(r"found\.\d{3}|.+\.(lrdata|lrlibrary|photoslibrary|cocatalog)")
"""What chkdsk finds, and the caches of programs that sort photos (Lightroom, Photos of macOS, Capture One)."""
TRAINER_FOLDERS = {
    "runs", "run", "wandb", "mlruns", "mlartifacts", "lightning_logs", "logs", "log", "outputs", "output", "results",
    "checkpoints", "checkpoint", "weights", "models", "model", "saved_model", "saved_models", "tb_logs", "tensorboard",
    "exp", "experiments", "multirun", "catboost_info",
}  # fmt: skip
"""Names that trainers give to the folders of their results; such a folder is left out where results do lie in it."""
RESULTS = {
    ".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".h5", ".keras", ".pkl", ".csv", ".json", ".yaml", ".yml", ".log",
    ".wandb", ".tflite", ".index", ".pb",
}  # fmt: skip
BESIDE_PHOTOS = {".csv", ".json", ".yaml", ".yml", ".log"}
"""Files that may lie in a class folder too: there they are called as a photo is, or hold labels."""
RESULT_NAME = re.compile(
    r"(?i)(.*[_-])?(results?|metrics?|history|args|h?params|opt|config|findings|log|summary|state)"
)
"""How trainers call such files: `results.csv`, `hparams.yaml`, `trainer_state.json`."""
NOT_PICTURES = RESULTS | {
    ".txt", ".md", ".rst", ".xml", ".mat", ".py", ".ipynb", ".npy", ".npz", ".html", ".htm", ".tsv", ".xls", ".xlsx",
    ".parquet", ".db", ".ini", ".cfg", ".toml", ".sh", ".doc", ".docx", ".zip", ".tar", ".gz", ".tgz", ".zst", ".7z",
    ".rar", ".mp4", ".avi", ".mov", ".mp3", ".wav",
}  # fmt: skip
"""Endings of files that are no pictures; a folder that holds nothing else is no class."""


@dataclass(frozen=True)
class Kept:
    """The names that remain, and what was left out: folders that systems and trainers make, and how many files each
    exclusion matched."""

    names: tuple[str, ...]
    system_folders: tuple[str, ...]
    excluded: dict[str, int]

    @property
    def notes(self) -> tuple[str, ...]:
        """One line each, for the user."""
        lines = []
        if self.system_folders:
            lines.append(f"left out, as systems and programs make them: {', '.join(self.system_folders)}")
        for pattern, count in self.excluded.items():
            files = "1 file" if count == 1 else f"{count:,} files"
            lines.append(
                f"--exclude {pattern} leaves out {files}" if count else f"warning: --exclude {pattern} matches nothing"
            )
        return tuple(lines)


def without_system_files(names: Iterable[str], exclude: Sequence[str] = ()) -> Kept:
    """The names of a source without those that nobody meant as data."""
    names = list(names)
    trainers = _trainer_folders(names)
    kept: list[str] = []
    left_out: set[str] = set()
    excluded = dict.fromkeys(exclude, 0)
    for name in names:
        if folder := _system_folder(name, trainers):
            left_out.add(folder)
        elif pattern := next((pattern for pattern in exclude if is_matched(name, pattern)), None):
            excluded[pattern] += not name.endswith("/")
        elif not PurePosixPath(name).name.startswith("."):
            kept.append(name)
    return Kept(tuple(kept), _outermost(left_out), excluded)


def is_matched(name: str, pattern: str) -> bool:
    """Whether a pattern matches a file, or a folder that it lies in.

    A pattern with a slash is compared with the path from the top, one without with each name in it; letters that are
    composed in one and decomposed in the other are the same.
    """
    parts = spelt(name).rstrip("/").split("/")
    pattern = spelt(pattern).rstrip("/").removeprefix("./")
    if "/" not in pattern:
        return any(fnmatchcase(part, pattern) for part in parts)
    return any(fnmatchcase("/".join(parts[:depth]), pattern) for depth in range(1, len(parts) + 1))


def has_pictures(names: Iterable[str]) -> bool:
    """Whether one of these files may be a picture, by its ending."""
    return any(PurePosixPath(name).suffix.lower() not in NOT_PICTURES for name in names)


def _system_folder(name: str, trainers: set[str]) -> str:
    """The outermost folder on the way to a file that systems or trainers make; empty where there is none."""
    parts = name.split("/")
    for depth, part in enumerate(parts[:-1], start=1):
        path = "/".join(parts[:depth])
        lower = part.lower()
        if (
            lower in SYSTEM_FOLDERS
            or PROGRAM_FOLDER.fullmatch(lower)
            or (part.startswith(".") and part != "..")
            or path in trainers
        ):
            return path
    return ""


def _is_result(file: str) -> bool:
    path = PurePosixPath(file)
    ending = path.suffix.lower()
    if ending in BESIDE_PHOTOS:
        return RESULT_NAME.fullmatch(path.stem) is not None
    return ending in RESULTS or "tfevents" in file


def _trainer_folders(names: Iterable[str]) -> set[str]:
    """Folders that are called as trainers call theirs, and have weights, logs or tables in them."""
    found = set()
    for name in names:
        parts = name.split("/")
        if not _is_result(parts[-1]):
            continue
        for depth, part in enumerate(parts[:-1], start=1):
            if part.lower() in TRAINER_FOLDERS:
                found.add("/".join(parts[:depth]))
    return found


def _outermost(folders: set[str]) -> tuple[str, ...]:
    """The names of the folders, each once, however often it occurs (a network storage makes one in each folder)."""
    return tuple(dict.fromkeys(folder.rpartition("/")[2] for folder in sorted(folders)))
