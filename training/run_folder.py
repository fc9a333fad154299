"""The folder of one run: what a stopped run needs to go on, and what it found on its way."""

import csv
import io
import json
import pickle
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from models.files import write_atomically
from training.data.scan.findings import Finding, Photo
from training.data.split import Split
from training.recipe import Recipe


NEW_NAMES = {"parent": "weights", "trunk_rate": "backbone_rate"}
"""Names in the identity of a run, as earlier versions wrote them, and what they are called today."""


class BadRun(RuntimeError):
    """A run that cannot be started or gone on with as asked."""


@dataclass
class Candidate:
    """The best weights so far, by accuracy on validation, then by loss: `probe`, `raw` or `ema`, after `epoch`.

    With balanced class weights it is balanced accuracy that decides. Of a robust run all are those under attack.
    """

    name: str
    epoch: int
    accuracy: float
    nll: float
    weights: dict[str, Tensor]
    balanced_accuracy: float = 0.0

    def beats(self, other: "Candidate", *, balanced: bool = False) -> bool:
        """Whether it is better than the other, by balanced accuracy or by accuracy."""
        if balanced:
            return (self.balanced_accuracy, -self.nll) > (other.balanced_accuracy, -other.nll)
        return (self.accuracy, -self.nll) > (other.accuracy, -other.nll)


@dataclass
class State:
    """A run after some step; `identity` says of what run, `learner` is the Learner's, `losses` those of the epoch.

    `looks` counts how often it was measured on the test side. `stages` are the schedules of a run that was extended
    (`training.extension`), each as [first epoch, end]; none of a run that was not.
    """

    identity: dict[str, Any]
    precision: str
    kept: Candidate
    history: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    learner: dict[str, Any] | None = None
    looks: int = 0
    stages: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True)
class RunFolder:
    """`runs/<name of the output>` in the working directory."""

    path: Path

    @property
    def state_file(self) -> Path:
        """The state that was saved last."""
        return self.path / "state.pt"

    @property
    def candidate_file(self) -> Path:
        """The checkpoint as it is measured, before its figures are written into it."""
        return self.path / "candidate.safetensors"

    @property
    def card_file(self) -> Path:
        """A copy of the model card, whose other one goes with the checkpoint."""
        return self.path / "card.md"

    @property
    def launch_file(self) -> Path:
        """What has started the run, under torchrun."""
        return self.path / "launch"

    @property
    def findings_file(self) -> Path:
        """The files that were left out, or are odd."""
        return self.path / "findings.csv"

    @property
    def split_file(self) -> Path:
        """Which photo is on which side."""
        return self.path / "split.csv"

    def begin(self, launch: str, sides: Split) -> None:
        """A new run is about to save its first state: the one before goes. `launch` names what started it."""
        rows = [
            {"side": side, "digest": photo.digest, "class folder": photo.folder, "file": photo.name}
            for side, photos in sides.by_name.items()
            for photo in photos
        ]
        write_rows(self.split_file, rows)
        self.state_file.unlink(missing_ok=True)
        if launch:
            write_atomically(self.launch_file, launch.encode())

    def save_state(self, state: State) -> None:
        """Write the state and history.csv; a crash leaves the old state or the new one."""
        buffer = io.BytesIO()
        torch.save({**vars(state), "kept": vars(state.kept)}, buffer)
        write_atomically(self.state_file, buffer.getvalue())
        write_rows(self.path / "history.csv", state.history)

    def load_split(self, photos: Iterable[Photo]) -> tuple[Split, int] | None:
        """Those of the photos that the run began with, on the sides that they had, and how many are gone."""
        try:
            with self.split_file.open(encoding="utf-8", newline="") as file:
                side_of = {row["digest"]: row["side"] for row in csv.DictReader(file)}
        except (OSError, ValueError, KeyError):
            return None
        there = [photo for photo in photos if photo.digest in side_of]
        train, validation, test = (
            tuple(photo for photo in there if side_of[photo.digest] == side) for side in ("train", "validation", "test")
        )
        return Split(train, validation, test), len(side_of) - len(there)

    def load_state(self, identity: Mapping[str, Any], *, but: Collection[str] = ()) -> State | None:
        """The state, or None where there is none; raises BadRun when it is damaged or of another run, whose identity
        differs in anything `but` these, which may be choices of the recipe."""
        if not self.state_file.is_file():
            return None
        try:
            fields = torch.load(self.state_file, map_location="cpu", weights_only=True)
            state = State(**{**fields, "kept": Candidate(**fields["kept"])})
        except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError, KeyError) as error:
            raise BadRun(f"{self.state_file} is damaged: start anew with --overwrite") from error
        state.identity = _with_later_choices(state.identity, identity)
        if other := differences(state.identity, identity, but=but):
            raise BadRun(f"the run in {self.path} had {'; '.join(other)}: ask for the same, or give --overwrite")
        return state


def _with_later_choices(then: dict[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a run that an earlier version began, as this version would write it.

    Keys are called as they are today, and choices of the recipe that came later were as by default.
    """
    renamed = {NEW_NAMES.get(name, name): value for name, value in then.items()}
    recipe = {NEW_NAMES.get(name, name): value for name, value in then["recipe"].items()}
    usual: dict[str, Any] = json.loads(json.dumps(asdict(Recipe())))
    later = {name: usual[name] for name in now["recipe"] if name in usual}
    return {**renamed, "recipe": {**later, **recipe}}


def differences(then: Mapping[str, Any], now: Mapping[str, Any], but: Collection[str] = ()) -> list[str]:
    """What differs between two identities in anything `but` these, in words: `epochs 8, not 6`."""
    found = []
    for key in sorted({*then, *now} - {*but}):
        before, after = then.get(key), now.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, but)
        elif before != after:
            found.append(f"{key} {_short(before)}, not {_short(after)}")
    return found


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:12]}..."


def claim(
    output: Path, folder: RunFolder, *, resume: bool, overwrite: bool, launch: str = "", restarted: bool = False
) -> bool:
    """Make sure, before anything is computed, that the run may write where it wants to; raises BadRun.

    True where the run starts anew, whatever state is there: that is kept until the new one's (`RunFolder.begin`).
    `launch` names what started this process, and starts it again (`restarted`) when another is lost: it may go on in a
    folder in which it has begun, and in no other.
    """
    if output.suffix != ".safetensors":
        raise BadRun(f"the output's name must end in .safetensors, not {output.name!r}: the service looks for it")
    if resume and overwrite:
        raise BadRun("--resume and --overwrite exclude each other")
    again = restarted and folder.launch_file.is_file() and folder.launch_file.read_text(encoding="utf-8") == launch
    if not again:
        folder.launch_file.unlink(missing_ok=True)
    there = folder.state_file.is_file()
    if there and not (resume or overwrite or again):
        raise BadRun(f"{folder.path} has the state of a run: give --resume to go on with it, or --overwrite")
    if output.exists() and not (resume and there) and not (overwrite or again):
        nothing = f"there is no run to go on with in {folder.path}, and " if resume else ""
        raise BadRun(f"{nothing}{output} exists: give --overwrite, or another --output")
    for file in (output, output.with_suffix(".md"), folder.state_file):
        _check_writable(file)
    for unfinished in folder.path.glob(".*"):  # what a kill -9 left of a file that was being written
        if unfinished.is_file():
            unfinished.unlink()
    return overwrite and not again


@contextmanager
def alone_in(folder: RunFolder) -> Iterator[None]:
    """Keep other processes out of the run's folder meanwhile; raises BadRun where one is in it.

    A folder in which nothing was written, as the run was refused, is removed.
    """
    place = folder.path / "lock"
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BadRun(f"another process is at work in {folder.path}: wait for it, or give another --output") from error
    except OSError as error:
        raise BadRun(f"{folder.path} cannot be written to ({error.strerror})") from error
    try:
        yield
    finally:
        with suppress(OSError):  # another system's locks cannot be removed while they are held
            if list(folder.path.iterdir()) == [place]:
                place.unlink()
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


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """A table (CSV) of findings."""
    rows = [{"file": f.name, "problem": f.problem.value, "detail": f.detail} for f in findings]
    write_rows(path, rows or [{"file": "", "problem": "none", "detail": ""}])


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table (CSV) of rows, whose columns are those of the last."""
    if not rows:
        return
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(rows[-1]), restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, table.getvalue().encode("utf-8", "backslashreplace"))
