"""The version of this project, which pyproject.toml states; the service shows it and checkpoints record it."""

import tomllib
from importlib import metadata
from pathlib import Path


def project_version() -> str:
    """The version in pyproject.toml, or that of the installed package where there is no source tree."""
    project = Path(__file__).parents[1] / "pyproject.toml"
    if project.is_file():  # its metadata may be older than the source tree
        version: str = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
        return version
    return metadata.version("mirage-vision")
