"""The cache on disk that runs share, so that a second run on the same photos starts at once.

It holds scans, decoded photos, features and timings.
"""

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
"""Largest size of the cache in bytes, unless the user sets another limit."""
STALE_S = 3600
"""Seconds after the last write to a temporary file after which its run must have been killed."""
SUBFOLDER = "kept-4"
"""Folder inside the cache folder that contains only cache files; the number changes with their format."""


@dataclass(frozen=True)
class Cache:
    """A cache of at most `limit_bytes`, of which the files that were used longest ago are deleted first.

    Everything in it can be computed again. A file that is damaged or cannot be written counts as missing.
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
        """Folder of unpacked archives; it may be deleted whenever no run is active."""
        return self.folder / "unpacked"

    @property
    def place(self) -> Path:
        """Folder of the cache files."""
        return self.folder / SUBFOLDER

    def load_scan(self, key: str) -> Scan | None:
        """The scan with this key, or None."""
        try:
            return Scan.from_json(json.loads(self._mark_used(f"{key}.scan.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save_scan(self, key: str, scan: Scan) -> None:
        """Save a scan under a key."""
        self._write(f"{key}.scan.json", json.dumps(scan.to_json()).encode())

    def load_recorded(self, path: Path) -> RecordedContents:
        """What the last scan of a folder or archive recorded about its files; empty if there was none."""
        fields = self.load_json(_recorded_name(path))
        try:
            return RecordedContents(
                fields["contents"], {name: tuple(identity) for name, identity in fields["identities"].items()}
            )
        except (TypeError, KeyError, AttributeError):
            return RecordedContents({}, {})

    def save_recorded(self, path: Path, recorded: RecordedContents) -> None:
        """Record the digests of the files of a folder or archive, and the identities that show changes."""
        fields = {"contents": dict(recorded.contents), "identities": dict(recorded.identities)}
        self.save_json(_recorded_name(path), fields)

    def store_file(self, digest: str, shorter: int) -> Path:
        """File with the pixels of all photos of a scan, shrunk to a `shorter` side."""
        return self.place / f"{digest}-{shorter}.pixels"

    def load_store(self, digest: str, shorter: int) -> PhotoStore | None:
        """The store of decoded photos, or None."""
        try:
            self._mark_used(index_of(self.store_file(digest, shorter)).name)
            return PhotoStore(self._mark_used(self.store_file(digest, shorter).name))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def writer(self) -> PhotoStoreWriter:
        """A writer of a new store of decoded photos; raises OSError where the folder cannot be written to."""
        return PhotoStoreWriter(self.place, limit_bytes=self.limit_bytes)

    def save_store(self, writer: PhotoStoreWriter, digest: str, shorter: int) -> PhotoStore | None:
        """Complete the store, unless another run has done so already; None where writing failed."""
        if writer.failure:
            return None
        # Never replace an existing store: its rows may be in another order, and a run may be reading it.
        if (store := self.load_store(digest, shorter)) is not None:
            return store
        with suppress(OSError):  # files that cannot be deleted stay
            self._make_room(writer.size)
        return writer.finish(self.store_file(digest, shorter))

    def load_tensors(self, key: str) -> dict[str, Tensor] | None:
        """The tensors saved under a key, or None; the key stands for all that they depend on."""
        try:
            with safe_open(self._mark_used(f"{key}.safetensors"), framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except (OSError, SafetensorError):
            return None

    def save_tensors(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Save tensors under a key."""
        self._write(f"{key}.safetensors", serialise(dict(tensors)))

    def load_json(self, key: str) -> Any:
        """The JSON values saved under a key, or None."""
        try:
            return json.loads(self._mark_used(f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def save_json(self, key: str, values: Any) -> None:
        """Save JSON values under a key."""
        self._write(f"{key}.json", json.dumps(values).encode())

    def _mark_used(self, name: str) -> Path:
        path = self.place / name
        os.utime(path)
        return path

    def _write(self, name: str, data: bytes) -> None:
        if len(data) > self.limit_bytes:
            return
        try:
            self._make_room(len(data))
            write_atomically(self.place / name, data)
        except OSError:  # a full disk or a read-only folder: the next run computes it again
            return

    def _make_room(self, needed: int) -> None:
        """Delete the files that were used longest ago until `needed` more bytes fit within the limit."""
        for unfinished in self.place.glob(".*"):  # of runs that were killed; files that are being written are newer
            if unfinished.is_file() and time.time() - unfinished.stat().st_mtime > STALE_S:
                unfinished.unlink(missing_ok=True)
        files = [(file.stat(), file) for file in self.place.glob("[!.]*") if file.is_file()]
        size = sum(status.st_size for status, _ in files)
        for status, file in sorted(files, key=lambda item: item[0].st_mtime):
            if size + needed <= self.limit_bytes:
                return
            file.unlink(missing_ok=True)
            size -= status.st_size


def _recorded_name(path: Path) -> str:
    return "contents-" + hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
