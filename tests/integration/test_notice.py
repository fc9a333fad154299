"""NOTICE says of every bundled file that is no text of the project where it comes from, and what its licence is."""

import re
import subprocess
from fnmatch import fnmatch

import pytest
import yaml

from tests.integration.project import REPOSITORY

BINARY = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".safetensors", ".pt2", ".onnx", ".woff2", ".zip")
"""Endings of pictures, weights, fonts and archives."""
LISTS = ("models/imagenet_synonyms.txt", "models/imagenet_wordnet_ids.txt")


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("needs a git repository")
    return done.stdout.splitlines()


def named() -> list[str]:
    """The paths and patterns at the beginnings of the entries."""
    text = (REPOSITORY / "NOTICE").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(r"(app|docs|models)/", line)]
    return [name.strip() for line in lines for name in line.split(",") if name.strip()]


def test_every_asset_is_named() -> None:
    assets = [name for name in tracked() if name.endswith(BINARY) or name in LISTS or "/vendor/lit-html/" in name]
    assert len(assets) > 20
    patterns = named()
    missing = [name for name in assets if not any(fnmatch(name, p) or name.startswith(p + "/") for p in patterns)]
    assert missing == []


def test_every_name_is_of_a_file() -> None:
    files = tracked()
    assert [p for p in named() if not any(fnmatch(name, p) or name.startswith(p + "/") for name in files)] == []


def test_the_citation_file_can_be_read_and_has_the_licence_of_the_project() -> None:
    """The required fields of the Citation File Format 1.2.0."""
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0" and citation["license"] == "Apache-2.0"
