"""Data sets by name: downloaded once, resumed where a download broke off, and verified."""

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
from torchvision.datasets import OxfordIIITPet

from training.console import tell, track
from training.data.sources.source import BadData

CATS_DOGS = (
    "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",
    "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
)
"""Address and SHA-256 of Microsoft's zip of 25,000 photos (Elson et al. 2007)."""
CHUNK = 2**20
ATTEMPTS = 5


def find_data(data: str, folder: Path, console: Console) -> Path:
    """The folder or archive at this path, or else the data set of this name, put below `folder`; raises BadData."""
    path = Path(data).expanduser()
    if path.exists():
        return path
    if data not in DATA_SETS:
        raise BadData(
            f"there is no {data}: give a folder, or a zip or tar, with one sub-folder of pictures per class, or one of "
            f"{', '.join(DATA_SETS)}"
        )
    with ExitStack() as held:
        with suppress(OSError):  # a folder that may only be read: what is there needs no lock
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(FileLock(folder / f"{data}.lock"))  # one process downloads, the others wait
        return DATA_SETS[data](folder, console)


def cats_dogs(folder: Path, console: Console) -> Path:
    """Microsoft's zip of cats and dogs."""
    address, digest = CATS_DOGS
    file = folder / address.rpartition("/")[2]
    if not file.exists():
        download(address, file, digest, console)
    return file


def oxford_iiit_pet(folder: Path, console: Console) -> Path:
    """37 breeds with their official split (Parkhi et al. 2012, CC BY-SA 4.0), by torchvision's own class."""
    tell(console, f"Oxford-IIIT Pet is downloaded to {folder} (800 MB) unless it is there")
    try:
        OxfordIIITPet(str(folder), download=True)
    except (OSError, RuntimeError) as error:
        raise BadData(f"Oxford-IIIT Pet cannot be had ({error}): download it and give its folder or zip") from error
    return folder / "oxford-iiit-pet"


DATA_SETS: dict[str, Callable[[Path, Console], Path]] = {"cats-dogs": cats_dogs, "oxford-iiit-pet": oxford_iiit_pet}


def download(address: str, file: Path, digest: str, console: Console, *, pause_s: float = 2.0) -> None:
    """Fetch a file to its place, from where an earlier attempt broke off; raises BadData."""
    part = file.with_name(f"{file.name}.part")
    for attempt in range(ATTEMPTS):
        try:
            for _ in track(console, *_rest(address, part), what=f"downloading {file.name} (MB)"):
                pass
            break
        except (OSError, HTTPException) as error:
            reason = error
            time.sleep(pause_s * attempt)
    else:
        raise BadData(
            f"{address} cannot be had ({reason}): give the command again to go on, or download it and give its path"
        )
    with part.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != digest:
        part.unlink()
        raise BadData(f"{file.name} is not the file that was expected (SHA-256 {found}): download it again")
    part.replace(file)


def _rest(address: str, part: Path) -> tuple[Iterator[None], int]:
    """What is missing of a file, a megabyte at a time, and how many there are."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing
            return iter(()), 0
        raise
    goes_on = answer.status == 206
    length = int(answer.headers.get("Content-Length") or 0)

    def write() -> Iterator[None]:
        with answer, part.open("ab" if goes_on else "wb") as file:
            written = 0
            while data := answer.read(CHUNK):
                file.write(data)
                written += len(data)
                yield
        if written < length:
            raise OSError(f"the connection ended {length - written:,} bytes early")

    return write(), -(-length // CHUNK)
