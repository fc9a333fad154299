"""Files and folders that are not data: those that systems and programs make, and those that the user excludes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from training.data.layout.folder_tree import nfc

SYSTEM_FOLDERS = {
    "__macosx", "lost+found", "$recycle.bin", "recycler", "recycled", "system volume information",
    "network trash folder", "temporary items", "@eadir", "#recycle", "#snapshot", "@recycle",
    "@recently-snapshot", "@tmp", "@sharebin", "@sharesnap", "~snapshot", "__pycache__", "node_modules", "cvs",
    "$windows.~bt", "msocache", "$windows.~ws", "$sysreset", "config.msi", "lost.dir", "site-packages",
}  # fmt: skip
"""Folders that systems make, in lower case: macOS, Windows, Linux file systems, network storage by Synology, QNAP and
NetApp. Folders whose names begin with a dot (`.Trashes`, `.git`, `.ipynb_checkpoints`) are always left out."""
PROGRAM_FOLDER = re.compile(r"found\.\d{3}|.+\.(lrdata|lrlibrary|photoslibrary|cocatalog)")
"""Folders of files that chkdsk has recovered, and of photo programs (Lightroom, Photos of macOS, Capture One)."""
TRAINER_FOLDERS = {
    "runs", "run", "wandb", "mlruns", "mlartifacts", "lightning_logs", "logs", "log", "outputs", "output", "results",
    "checkpoints", "checkpoint", "weights", "models", "model", "saved_model", "saved_models", "tb_logs", "tensorboard",
    "exp", "experiments", "multirun", "catboost_info",
}  # fmt: skip
"""Names that training programs give to the folders of their results; they are left out only if results are in them."""
RESULTS = {
    ".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".h5", ".keras", ".pkl", ".csv", ".json", ".yaml", ".yml", ".log",
    ".wandb", ".tflite", ".index", ".pb",
}  # fmt: skip
"""Endings of files that training programs write."""
BESIDE_PHOTOS = {".csv", ".json", ".yaml", ".yml", ".log"}
"""Endings of results that may lie in class folders too, where they describe a photo or contain labels."""
RESULT_NAME = re.compile(
    r"(?i)(.*[_-])?(results?|metrics?|history|args|h?params|opt|config|findings|log|summary|state)"
)
"""Names of such files that are results of training programs: `results.csv`, `hparams.yaml`, `trainer_state.json`."""
NOT_PICTURES = RESULTS | {
    ".txt", ".md", ".rst", ".xml", ".mat", ".py", ".ipynb", ".npy", ".npz", ".html", ".htm", ".tsv", ".xls", ".xlsx",
    ".parquet", ".db", ".ini", ".cfg", ".toml", ".sh", ".doc", ".docx", ".zip", ".tar", ".gz", ".tgz", ".zst", ".7z",
    ".rar", ".mp4", ".avi", ".mov", ".mp3", ".wav",
}  # fmt: skip
"""Endings of files that are not pictures; a folder with only such files is not a class."""


@dataclass(frozen=True)
class Selection:
    """The names that remain, the system folders that were left out, and how many files each --exclude matched."""

    names: tuple[str, ...]
    system_folders: tuple[str, ...]
    excluded: dict[str, int]

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages for the user about what was left out."""
        lines = []
        if self.system_folders:
            lines.append(f"these folders of the system or of programs are left out: {', '.join(self.system_folders)}")
        for pattern, count in self.excluded.items():
            files = "1 file" if count == 1 else f"{count:,} files"
            lines.append(
                f"--exclude {pattern} leaves out {files}" if count else f"warning: --exclude {pattern} matches nothing"
            )
        return tuple(lines)


def without_ignored_files(names: Iterable[str], exclude: Sequence[str] = ()) -> Selection:
    """The names in a source without files of the system, results of training programs, and what `exclude` matches."""
    names = list(names)
    result_folders = _result_folders(names)
    selected: list[str] = []
    left_out: set[str] = set()
    excluded = dict.fromkeys(exclude, 0)
    for name in names:
        if folder := _system_folder(name, result_folders):
            left_out.add(folder)
        elif pattern := next((pattern for pattern in exclude if is_matched(name, pattern)), None):
            excluded[pattern] += not name.endswith("/")
        elif not PurePosixPath(name).name.startswith("."):
            selected.append(name)
    return Selection(tuple(selected), _distinct_names(left_out), excluded)


def is_matched(name: str, pattern: str) -> bool:
    """Whether a pattern matches a file, or a folder that it lies in.

    A pattern with a slash is compared with the path from the top folder, a pattern without a slash with each part of
    the path. Both are compared in Unicode NFC.
    """
    parts = nfc(name).rstrip("/").split("/")
    pattern = nfc(pattern).rstrip("/").removeprefix("./")
    if "/" not in pattern:
        return any(fnmatchcase(part, pattern) for part in parts)
    return any(fnmatchcase("/".join(parts[:depth]), pattern) for depth in range(1, len(parts) + 1))


def has_pictures(names: Iterable[str]) -> bool:
    """Whether one of these files may be a picture, judged by its ending."""
    return any(PurePosixPath(name).suffix.lower() not in NOT_PICTURES for name in names)


def _system_folder(name: str, result_folders: set[str]) -> str:
    """The outermost folder in the path that a system or a training program makes; empty where there is none."""
    parts = name.split("/")
    for depth, part in enumerate(parts[:-1], start=1):
        path = "/".join(parts[:depth])
        lower = part.lower()
        if (
            lower in SYSTEM_FOLDERS
            or PROGRAM_FOLDER.fullmatch(lower)
            or (part.startswith(".") and part != "..")
            or path in result_folders
        ):
            return path
    return ""


def _is_result(file: str) -> bool:
    path = PurePosixPath(file)
    ending = path.suffix.lower()
    if ending in BESIDE_PHOTOS:
        return RESULT_NAME.fullmatch(path.stem) is not None
    return ending in RESULTS or "tfevents" in file


def _result_folders(names: Iterable[str]) -> set[str]:
    """Folders with a name of TRAINER_FOLDERS that contain weights, logs or tables."""
    folders = set()
    for name in names:
        parts = name.split("/")
        if not _is_result(parts[-1]):
            continue
        for depth, part in enumerate(parts[:-1], start=1):
            if part.lower() in TRAINER_FOLDERS:
                folders.add("/".join(parts[:depth]))
    return folders


def _distinct_names(folders: set[str]) -> tuple[str, ...]:
    """The names of the folders, each once: a network storage makes one of the same name in every folder."""
    return tuple(dict.fromkeys(folder.rpartition("/")[2] for folder in sorted(folders)))
