"""The version of this project, from client/mirage/version.py; the service shows it and checkpoints record it."""

import re
from importlib import metadata
from pathlib import Path


def project_version() -> str:
    """The version in the source tree, or that of the installed package where there is no source tree."""
    source = Path(__file__).parents[1] / "client" / "mirage" / "version.py"
    if source.is_file():  # its metadata may be older than the source tree
        version: str = re.findall(r'^__version__ = "(.+)"$', source.read_text(encoding="utf-8"), flags=re.MULTILINE)[0]
        return version
    return metadata.version("mirage-vision")
