"""Tests that the version of the project is defined in one place only, pyproject.toml."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from models.version import project_version
from training.provenance import versions

REPOSITORY = Path(__file__).parents[2]


def test_package_service_and_training_report_the_version_of_pyproject(tmp_path: Path) -> None:
    stated = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    app = create_app(Settings(_env_file=None, models=("tiny",), checkpoints=tmp_path))
    assert (project_version(), app.version, versions()["mirage"]) == (stated, stated, stated)


def test_without_a_source_tree_the_version_is_that_of_the_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.version.__file__", str(tmp_path / "models" / "version.py"))
    assert project_version() == metadata.version("mirage-vision")
