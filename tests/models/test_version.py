"""Tests that the version of the project is defined in one place only, client/mirage/version.py."""

from importlib import metadata
from pathlib import Path

import pytest

import mirage
from app.main import create_app
from app.settings import Settings
from models.version import project_version
from training.provenance import versions


def test_client_service_and_training_report_the_same_version(tmp_path: Path) -> None:
    stated = mirage.__version__
    app = create_app(Settings(_env_file=None, models=("tiny",), checkpoints=tmp_path))
    assert (project_version(), app.version, versions()["mirage"]) == (stated, stated, stated)


def test_without_a_source_tree_the_version_is_that_of_the_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.version.__file__", str(tmp_path / "models" / "version.py"))
    assert project_version() == metadata.version("mirage-vision")
