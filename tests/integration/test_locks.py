"""The hashed lock files fit pyproject.toml, the page's package.json and each other."""

import json
import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.integration.project import CLIENT, LOCKS, PAGE, PYPROJECT, locked


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_hash_and_without_an_address(lock: str) -> None:
    """There are only names, versions, markers and hashes: the installer decides where packages come from."""
    pins = locked(lock)
    assert len(pins) >= 5
    for name, versions in pins.items():
        assert len(versions) == 1 or all(marker for _, marker in versions), name


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("requirements.lock", PYPROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", PYPROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", PYPROJECT["project"]["optional-dependencies"]["dev"]),
        ("requirements.lock", CLIENT["project"]["dependencies"]),
        ("requirements.lock", CLIENT["project"]["optional-dependencies"]["terminal"]),
        ("requirements-install.lock", PYPROJECT["dependency-groups"]["install"]),
        ("requirements-install.lock", PYPROJECT["build-system"]["requires"]),
        ("requirements-audit.lock", PYPROJECT["dependency-groups"]["audit"]),
        ("requirements-soak.lock", PYPROJECT["project"]["optional-dependencies"]["soak"]),
        ("requirements-docs.lock", PYPROJECT["project"]["optional-dependencies"]["docs"]),
    ],
    ids=["serving", "serving in dev", "dev", "client", "terminal", "install", "build", "audit", "soak", "docs"],
)
def test_the_locks_fit_the_projects_ranges(lock: str, requirements: list[str]) -> None:
    """Every locked version is in the range of pyproject.toml; `make lock` renews the locks after a change to it."""
    pins = locked(lock)
    for requirement in map(Requirement, requirements):
        name = canonicalize_name(requirement.name)
        if name == PYPROJECT["project"]["name"]:  # `dev` takes the extras of training too
            extras = PYPROJECT["project"]["optional-dependencies"]
            test_the_locks_fit_the_projects_ranges(
                lock, [line for extra in requirement.extras for line in extras[extra]]
            )
            continue
        assert name in pins, f"{name} is not in {lock}: run make lock"
        for version, _ in pins[name]:
            assert version in requirement.specifier, f"{name} {version}: run make lock"


def test_tests_run_with_the_versions_of_the_runtime_lock() -> None:
    """The development lock has every package of the runtime lock in the same version."""
    serving, developing = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: developing.get(name) for name in serving} == serving


def test_the_site_is_built_with_the_versions_of_the_development_lock() -> None:
    """The packages of the site are added to the virtual environment of the tests, and change nothing in it."""
    developing, building = locked("requirements-dev.lock"), locked("requirements-docs.lock")
    versions = {name: {version for version, _ in developing[name]} for name in developing.keys() & building.keys()}
    assert len(versions) >= 20
    assert {name: {version for version, _ in building[name]} for name in versions} == versions


@pytest.mark.parametrize(
    "other", ["requirements-dev.lock", "requirements-oracles.lock", "requirements-soak.lock", "requirements-docs.lock"]
)
def test_the_tools_of_the_audit_leave_other_packages_as_they_are(other: str) -> None:
    """They are installed into the same virtual environment, so a package in both locks has the same versions."""
    audit, others = locked("requirements-audit.lock"), locked(other)
    versions = {name: {version for version, _ in others[name]} for name in audit.keys() & others.keys()}
    assert len(versions) >= 3
    assert {name: {version for version, _ in audit[name]} for name in versions} == versions


def test_the_image_gets_no_test_tools() -> None:
    dev = {canonicalize_name(Requirement(line).name) for line in PYPROJECT["project"]["optional-dependencies"]["dev"]}
    assert dev & set(locked("requirements.lock")) == set()


def test_the_tools_of_the_page_are_pinned_by_hash_and_without_an_address() -> None:
    """npm's lock has a version and a hash of every package, and npm itself decides where packages come from."""
    lock = json.loads((PAGE / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((PAGE / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert lock["packages"].pop("")["devDependencies"] == wanted, "run make lock"
    assert {f"node_modules/{name}" for name in wanted} <= set(lock["packages"])
    for name, package in lock["packages"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"]), name
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, f"{name}: remove its address, and see app/page/.npmrc"
