"""What runs share on disk, so that the second on the same photos starts at once: scans, pixels, features, timings."""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from models.files import write_atomically
from training.command_line import CommandLine
from training.data.loading.photo_store import PhotoStore, PhotoStoreWriter, index_of
from training.data.scan.file_contents import RecordedContents
from training.data.scan.findings import Scan

DEFAULT_FOLDER = Path("~/.cache/mirage/training")
DEFAULT_BYTES = 20_000_000_000
STALE_S = 3600
"""After which a file that nobody goes on writing is a killed run's."""
KEPT = "kept-4"
"""The sub-folder, in which nobody else's files are; its number changes when what is kept does."""


@dataclass(frozen=True)
class Cache:
    """A folder whose `place` has at most `limit_bytes`; what was used longest ago goes first.

    Everything in it can be made again. A file that is damaged, or cannot be written, is as good as none.
    """

    folder: Annotated[
        Path,
        "Folder in which runs share what can be made again: data sets by name, unpacked archives, decoded photos and "
        "features. A second run on the same photos starts at once.",
        CommandLine(name="--cache", environment="MIRAGE_TRAINING_CACHE"),
    ] = DEFAULT_FOLDER
    limit_bytes: Annotated[
        int,
        "Largest total size in bytes of the decoded photos and features in the cache; what was used longest ago is "
        "removed first.",
        CommandLine(name="--cache-bytes", least=0),
    ] = DEFAULT_BYTES

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.folder.expanduser())

    @property
    def unpacked(self) -> Path:
        """Where compressed archives are unpacked to; it may be removed at any time between runs."""
        return self.folder / "unpacked"

    @property
    def place(self) -> Path:
        """Where it all lies."""
        return self.folder / KEPT

    def load_scan(self, key: str) -> Scan | None:
        """The scan of the same contents in the same layout, if there is one."""
        try:
            return Scan.from_json(json.loads(self._used(f"{key}.scan.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save_scan(self, key: str, scan: Scan) -> None:
        """Keep a scan."""
        self._write(f"{key}.scan.json", json.dumps(scan.to_json()).encode())

    def load_recorded(self, path: Path) -> RecordedContents:
        """What was noted of the files of a folder or archive when it was last looked at; nothing where it never was."""
        fields = self.load_json(_recorded_name(path))
        try:
            return RecordedContents(
                fields["contents"], {name: tuple(own) for name, own in fields["identities"].items()}
            )
        except (TypeError, KeyError, AttributeError):
            return RecordedContents({}, {})

    def save_recorded(self, path: Path, recorded: RecordedContents) -> None:
        """Note the digests of the files of a folder or archive, and the identities by which they may be believed."""
        fields = {"contents": dict(recorded.contents), "identities": dict(recorded.identities)}
        self.save_json(_recorded_name(path), fields)

    def store_file(self, digest: str, shorter: int) -> Path:
        """Where the pixels of all pictures of a scan lie, shrunk to a `shorter` side."""
        return self.place / f"{digest}-{shorter}.pixels"

    def load_store(self, digest: str, shorter: int) -> PhotoStore | None:
        """The pixels, if they are there."""
        try:
            self._used(index_of(self.store_file(digest, shorter)).name)
            return PhotoStore(self._used(self.store_file(digest, shorter).name))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def writer(self) -> PhotoStoreWriter:
        """Takes pixels that are to be kept; raises OSError where there is no folder to keep them in."""
        return PhotoStoreWriter(self.place, limit_bytes=self.limit_bytes)

    def save_store(self, writer: PhotoStoreWriter, digest: str, shorter: int) -> PhotoStore | None:
        """Put the pixels in their place, unless another run has; None where the writer gave up."""
        if writer.failure:
            return None
        # Whose rows may lie in another order, by other names: a run that reads them would read others' pixels.
        if there := self.load_store(digest, shorter):
            return there
        with suppress(OSError):  # what cannot be removed stays
            self._make_room(writer.size)
        return writer.finish(self.store_file(digest, shorter))

    def load_tensors(self, key: str) -> dict[str, Tensor] | None:
        """Tensors kept under a key that names all that they depend on."""
        try:
            with safe_open(self._used(f"{key}.safetensors"), framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except (OSError, SafetensorError):
            return None

    def save_tensors(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep tensors."""
        self._write(f"{key}.safetensors", serialise(dict(tensors)))

    def load_json(self, key: str) -> Any:
        """Plain values kept under a key, or None."""
        try:
            return json.loads(self._used(f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def save_json(self, key: str, values: Any) -> None:
        """Keep plain values."""
        self._write(f"{key}.json", json.dumps(values).encode())

    def _used(self, name: str) -> Path:
        path = self.place / name
        os.utime(path)
        return path

    def _write(self, name: str, data: bytes) -> None:
        if len(data) > self.limit_bytes:
            return
        try:
            self._make_room(len(data))
            write_atomically(self.place / name, data)
        except OSError:  # a full disk, a folder of somebody else's: the next run does the work again
            return

    def _make_room(self, wanted: int) -> None:
        """Remove what was used longest ago until `wanted` bytes more would be within the limit."""
        for unfinished in self.place.glob(".*"):  # a kill -9's; what a run writes now is younger
            if unfinished.is_file() and time.time() - unfinished.stat().st_mtime > STALE_S:
                unfinished.unlink(missing_ok=True)
        files = [(file.stat(), file) for file in self.place.glob("[!.]*") if file.is_file()]
        size = sum(status.st_size for status, _ in files)
        for status, file in sorted(files, key=lambda each: each[0].st_mtime):
            if size + wanted <= self.limit_bytes:
                return
            file.unlink(missing_ok=True)
            size -= status.st_size


def _recorded_name(path: Path) -> str:
    return "contents-" + hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
