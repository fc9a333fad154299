"""Data sets that can be given by name: downloaded once, resumed after an interruption, and verified."""

import hashlib
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from training.console import print_line, track
from training.data.sources.source import BadData

CATS_DOGS = (
    "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",
    "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
)
"""Address and SHA-256 of Microsoft's zip of 25,000 photos (Elson et al. 2007)."""
CHUNK = 2**20
"""Number of bytes that are written at once."""
ATTEMPTS = 5
"""Number of times that a download is tried before it is given up."""


def find_data(data: str, folder: Path, console: Console) -> Path:
    """The path itself if it exists, else the data set of this name, downloaded into `folder`; raises BadData."""
    path = Path(data).expanduser()
    if path.exists():
        return path
    if data not in DATA_SETS:
        raise BadData(
            f"there is no file or folder {data}: give a folder, a zip or a tar with one sub-folder of pictures per "
            f"class, or the name of a data set: {', '.join(DATA_SETS)}"
        )
    with ExitStack() as locks:
        with suppress(OSError):  # in a read-only folder nothing can be downloaded, so that no lock is needed
            folder.mkdir(parents=True, exist_ok=True)
            locks.enter_context(FileLock(folder / f"{data}.lock"))  # one process downloads, the others wait
        return DATA_SETS[data](folder, console)


def cats_dogs(folder: Path, console: Console) -> Path:
    """The path of Microsoft's zip of cats and dogs, downloaded if it is not there."""
    address, digest = CATS_DOGS
    file = folder / address.rpartition("/")[2]
    if not file.exists():
        download(address, file, digest, console)
    return file


def oxford_iiit_pet(folder: Path, console: Console) -> Path:
    """The folder of Oxford-IIIT Pet (Parkhi et al. 2012, CC BY-SA 4.0), downloaded by torchvision if it is not there.

    The data set has 37 breeds of cats and dogs, and an official split.
    """
    print_line(console, f"Oxford-IIIT Pet (800 MB) is downloaded to {folder}, unless it is there already")
    from torchvision.datasets import OxfordIIITPet  # it takes seconds, and nothing else here needs it

    try:
        OxfordIIITPet(str(folder), download=True)
    except (OSError, RuntimeError) as error:
        raise BadData(
            f"Oxford-IIIT Pet cannot be downloaded ({error}): download it yourself and give its folder or zip"
        ) from error
    return folder / "oxford-iiit-pet"


DATA_SETS: dict[str, Callable[[Path, Console], Path]] = {"cats-dogs": cats_dogs, "oxford-iiit-pet": oxford_iiit_pet}
"""The data sets by the names that a user gives for them."""


def download(address: str, file: Path, digest: str, console: Console, *, pause_s: float = 2.0) -> None:
    """Download a file and verify its SHA-256 `digest`; continues an interrupted download. Raises BadData."""
    part = file.with_name(f"{file.name}.part")
    for attempt in range(ATTEMPTS):
        try:
            for _ in track(console, *_remaining(address, part), what=f"downloading {file.name} (MB)"):
                pass
            break
        except (OSError, HTTPException) as error:
            reason = error
            time.sleep(pause_s * attempt)
    else:
        raise BadData(
            f"{address} cannot be downloaded ({reason}): repeat the command to continue, or download the file yourself "
            "and give its path"
        )
    with part.open("rb") as opened:
        actual = hashlib.file_digest(opened, "sha256").hexdigest()
    if actual != digest:
        part.unlink()
        raise BadData(
            f"{file.name} is not the expected file (its SHA-256 is {actual}, not {digest}): repeat the command to "
            "download it again"
        )
    part.replace(file)


def _remaining(address: str, part: Path) -> tuple[Iterator[None], int]:
    """An iterator that downloads the missing rest of a file, CHUNK bytes at a time, and the number of its steps."""
    present = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={present}-"} if present else {}
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - an address of this module
    try:
        response = urllib.request.urlopen(request, timeout=60)  # noqa: S310 - as above; `download` checks the SHA-256
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing
            return iter(()), 0
        raise
    is_partial = response.status == 206
    length = int(response.headers.get("Content-Length") or 0)

    def write() -> Iterator[None]:
        with response, part.open("ab" if is_partial else "wb") as file:
            written = 0
            while data := response.read(CHUNK):
                file.write(data)
                written += len(data)
                yield
        if written < length:
            raise OSError(f"the connection ended {length - written:,} bytes early")

    return write(), -(-length // CHUNK)
