"""Two versions of a model that differ in weights and class names, and files that are no model."""

import os
import shutil
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from models import architectures, checkpoint
from models.store import BUNDLED, SUFFIX

NAME = "changing"
"""Name of the model whose file is replaced."""
VERSIONS = ("first", "second")
"""Names of the two models that it becomes in turn; each is served under its own name as well."""
CLASSES = ("Katze", "Hund")
"""Class names of the second version."""


def write_versions(folder: Path) -> None:
    """Write the two versions, and the first one as the model that changes."""
    shutil.copy(BUNDLED / f"cats-dogs{SUFFIX}", folder / f"{VERSIONS[0]}{SUFFIX}")
    contents = checkpoint.read(BUNDLED / f"cats-dogs-robust{SUFFIX}")
    network = architectures.build(contents.spec.architecture, len(CLASSES))
    network.load_state_dict(contents.weights)
    spec = replace(contents.spec, classes=CLASSES)
    checkpoint.save(folder / f"{VERSIONS[1]}{SUFFIX}", network, spec, contents.provenance)
    put(folder, (folder / f"{VERSIONS[0]}{SUFFIX}").read_bytes())


def put(folder: Path, data: bytes) -> None:
    """Replace the file of the model that changes, in one step."""
    part = folder / f".{NAME}.part"
    part.write_bytes(data)
    os.replace(part, folder / f"{NAME}{SUFFIX}")


class Files:
    """The next file for the model that changes: good ones in turn, and a bad one instead of every fourth."""

    def __init__(self, folder: Path) -> None:
        self._good = {name: (folder / f"{name}{SUFFIX}").read_bytes() for name in VERSIONS}
        whole = self._good[VERSIONS[1]]
        self._bad = cycle(
            (whole[: len(whole) // 2], b"no model", b"", whole[: len(whole) // 2] + bytes(len(whole) // 2))
        )
        self._names = cycle((VERSIONS[1], VERSIONS[0]))

    def draw(self, number: int) -> tuple[str | None, bytes]:
        """The name of the version, None for a bad file, and the contents."""
        if number % 4 == 3:
            return None, next(self._bad)
        name = next(self._names)
        return name, self._good[name]
