"""The folder of one run: its saved state, its split, its tables; and who may write to it."""

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from itertools import chain
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from models.files import write_atomically
from training.data.scan.findings import Photo
from training.data.split import Split
from training.run_state import BadRun, DamagedState, State, differences, with_later_options
from training.tables import write_rows


@dataclass(frozen=True)
class RunFolder:
    """The folder `runs/NAME`, where NAME is that of the output without its ending."""

    path: Path

    @property
    def state_file(self) -> Path:
        """The state that was saved last."""
        return self.path / "state.pt"

    @property
    def candidate_file(self) -> Path:
        """The checkpoint while it is measured, before its figures are written into it."""
        return self.path / "candidate.safetensors"

    @property
    def card_file(self) -> Path:
        """A copy of the model card that is written beside the checkpoint."""
        return self.path / "card.md"

    @property
    def launch_file(self) -> Path:
        """The name of the torchrun that started the run, if one did."""
        return self.path / "launch"

    @property
    def findings_file(self) -> Path:
        """The table of files that are left out, or are unusual."""
        return self.path / "findings.csv"

    @property
    def split_file(self) -> Path:
        """The table that says which photo is in which split."""
        return self.path / "split.csv"

    def begin(self, launch: str, split: Split) -> None:
        """Start a new run: write its split, and remove the state of an earlier one. `launch` names what started it."""
        rows = [
            {"split": name, "digest": photo.digest, "class folder": photo.folder, "file": photo.name}
            for name, photos in split.by_name.items()
            for photo in photos
        ]
        write_rows(self.split_file, rows)
        self.state_file.unlink(missing_ok=True)
        if launch:
            write_atomically(self.launch_file, launch.encode())

    def save_state(self, state: State) -> None:
        """Write the state and history.csv; a crash leaves either the old state or the new one."""
        write_atomically(self.state_file, state.to_bytes())
        write_rows(self.path / "history.csv", state.history)

    def load_split(self, photos: Iterable[Photo]) -> tuple[Split, int] | None:
        """The photos that the run began with, in their splits, and the number of its photos that are missing now.

        None where the table is missing or damaged.
        """
        try:
            with self.split_file.open(encoding="utf-8", newline="") as file:
                # Earlier versions called the column "side".
                split_of = {row["digest"]: row.get("split") or row["side"] for row in csv.DictReader(file)}
        except (OSError, ValueError, KeyError):
            return None
        present = [photo for photo in photos if photo.digest in split_of]
        train, validation, test = (
            tuple(photo for photo in present if split_of[photo.digest] == name)
            for name in ("train", "validation", "test")
        )
        return Split(train, validation, test), len(split_of) - len(present)

    def load_state(self, identity: Mapping[str, Any], *, ignored: Collection[str] = ()) -> State | None:
        """The saved state, or None where there is none.

        Raises BadRun if it is damaged, or is that of another run: its identity differs in a name that is not `ignored`.
        """
        if not self.state_file.is_file():
            return None
        try:
            state = State.from_file(self.state_file)
        except DamagedState as error:
            raise BadRun(f"{self.state_file} is damaged: start a new run with --overwrite") from error
        state.identity = with_later_options(state.identity, identity)
        if changes := differences(state.identity, identity, ignored):
            raise BadRun(f"the run in {self.path} had {'; '.join(changes)}: give the same options, or give --overwrite")
        return state


def claim(
    output: Path, folder: RunFolder, *, resume: bool, overwrite: bool, launch: str = "", restarted: bool = False
) -> bool:
    """Make sure, before anything is computed, that the run may write its output and its folder; raises BadRun.

    True where the run starts anew although there is a state: that state stays until the new run has one
    (`RunFolder.begin`). `launch` names the torchrun that started this process, and that starts it again (`restarted`)
    when another process is lost: then it may continue in a folder in which it has begun, and in no other.
    """
    if output.suffix != ".safetensors":
        raise BadRun(f"the output's name must end in .safetensors, not {output.name!r}: the service looks for it")
    if resume and overwrite:
        raise BadRun("--resume and --overwrite exclude each other: give one of them")
    again = restarted and folder.launch_file.is_file() and folder.launch_file.read_text(encoding="utf-8") == launch
    if not again:
        folder.launch_file.unlink(missing_ok=True)
    has_state = folder.state_file.is_file()
    if has_state and not (resume or overwrite or again):
        raise BadRun(f"{folder.path} has the state of a run: give --resume to continue it, or --overwrite")
    if output.exists() and not (resume and has_state) and not (overwrite or again):
        nothing = f"there is no run to continue in {folder.path}, and " if resume else ""
        raise BadRun(f"{nothing}{output} exists: give --overwrite, or another --output")
    for file in (output, output.with_suffix(".md"), folder.state_file):
        _check_writable(file)
    beside_output = (
        output.parent.glob(f".{escape(file.name)}.????????") for file in (output, output.with_suffix(".md"))
    )
    for unfinished in chain(folder.path.glob(".*"), *beside_output):  # what a kill -9 left of a file being written
        if unfinished.is_file():
            unfinished.unlink()
    return overwrite and not again


@contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Keep other processes out of the run's folder; raises BadRun where one is at work in it.

    A folder in which nothing was written, because the run was refused, is removed.
    """
    lock_file = folder.path / "lock"
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_file)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BadRun(f"another process is at work in {folder.path}: wait for it, or give another --output") from error
    except OSError as error:
        raise BadRun(f"{folder.path} cannot be written to ({error.strerror})") from error
    try:
        yield
    finally:
        with suppress(OSError):  # another system's locks cannot be removed while they are held
            if list(folder.path.iterdir()) == [lock_file]:
                lock_file.unlink()
        lock.release()
        with suppress(OSError):  # it is not empty
            folder.path.rmdir()


def _check_writable(file: Path) -> None:
    if file.is_dir():
        raise BadRun(f"{file} is a folder")
    trial = file.parent / f".{file.name}.trial"
    try:
        write_atomically(trial, b"")
        trial.unlink()
    except OSError as error:
        raise BadRun(f"{file.parent} cannot be written to ({error.strerror})") from error
