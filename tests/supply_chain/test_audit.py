"""The audit: what is looked up, what is found, and that nothing counts as checked that was not."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from supply_chain import audit
from supply_chain.audit import PAGE, NotChecked, audit_page, audit_python, main, read_pins
from tests.integration.project import locked
from tests.supply_chain.databases import run_databases

NOWHERE = "http://127.0.0.1:9"
"""An address where nobody listens."""
FAULT = {
    "id": "GHSA-1",
    "summary": "Reads beyond the end.",
    "aliases": ["CVE-1"],
    "affected": [
        {
            "package": {"name": "numpy", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.1"}]}],
        }
    ],
}
"""A vulnerability as OSV describes it."""
ADVISORY = {"id": 1, "url": "a://page", "title": "Runs code.", "severity": "high", "vulnerable_versions": ">=1.0.0"}
"""A vulnerability as npm's registry describes it."""

needs_pip_audit = pytest.mark.skipif(find_spec("pip_audit") is None, reason="make sbom installs pip-audit")
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


def test_packages_for_every_system_and_python_are_read(tmp_path: Path) -> None:
    """A package that is locked in two versions is read in both, and one of two locks once."""
    one, two = tmp_path / "one.lock", tmp_path / "two.lock"
    one.write_text(
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
        "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:01 \\\n    --hash=sha256:02\n"
        "numpy==2.5.5 ; python_full_version >= '3.12' \\\n    --hash=sha256:03\n"
    )
    two.write_text("numpy==2.5.5 \\\n    --hash=sha256:03\n")
    assert read_pins([one, two]) == [("colorama", "0.4.6"), ("numpy", "2.4.6"), ("numpy", "2.5.5")]


def test_the_packages_of_the_projects_lock_are_all_read() -> None:
    """The tests of the locks read them in another way."""
    expected = [(name, str(version)) for name, rows in locked("requirements.lock").items() for version, _ in rows]
    assert read_pins([audit.REPOSITORY / "requirements.lock"]) == sorted(expected)


@needs_pip_audit
def test_a_vulnerability_of_a_python_package_is_described() -> None:
    """Each version is asked for; the line says what is wrong, and where it is fixed."""
    pins = [("numpy", "2.4.6"), ("numpy", "2.5.5"), ("rich", "15.0.0")]
    with run_databases({"numpy": [FAULT]}) as databases:
        found = audit_python(pins, osv_url=f"{databases.address}/v1/query")
    assert sorted(databases.asked) == pins
    described = "Reads beyond the end. (CVE-1, GHSA-1; fixed in 9.1)"
    assert sorted(found) == [f"numpy 2.4.6: {described}", f"numpy 2.5.5: {described}"]


@needs_pip_audit
def test_an_unreachable_database_is_no_vulnerability() -> None:
    """pip-audit itself ends with the same exit status for both."""
    with pytest.raises(NotChecked, match=r"OSV .* could not be asked \(.*127\.0\.0\.1"):
        audit_python([("numpy", "2.4.6")], osv_url=f"{NOWHERE}/v1/query")


def test_a_package_that_was_left_out_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for pip-audit that reports success without one of the packages, and with one that it skipped."""
    report = {"dependencies": [{"name": "rich", "version": "1", "vulns": []}, {"name": "torch", "skip_reason": "?"}]}

    def run(command: list[str], **options: object) -> None:
        Path(command[command.index("--output") + 1]).write_text(json.dumps(report))

    monkeypatch.setattr(audit.subprocess, "run", run)
    with pytest.raises(NotChecked, match=r"left out numpy 2\.4\.6, torch 2\.15\.0$"):
        audit_python([("numpy", "2.4.6"), ("rich", "1"), ("torch", "2.15.0")])


@needs_npm
def test_a_vulnerability_of_the_page_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """npm asks for every package of the lock; what only uses a vulnerable package is not listed."""
    with run_databases(javascript={"typescript": [ADVISORY]}) as databases:
        monkeypatch.setenv("npm_config_registry", databases.address)
        assert audit_page() == ["typescript >=1.0.0: Runs code. (a://page)"]
    packages = json.loads((PAGE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    expected = {(name.rpartition("node_modules/")[2], row["version"]) for name, row in packages.items() if name}
    assert set(databases.asked) == expected


@needs_npm
def test_an_unreachable_registry_is_no_vulnerability(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", NOWHERE)
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(NotChecked, match=r"registry could not be asked \(.*127\.0\.0\.1"):
        audit_page()


def test_without_npm_the_page_is_not_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotChecked, match=r"install Node\.js"):
        audit_page()


@pytest.mark.parametrize(
    ("python", "page", "status"),
    [
        ([], [], 0),
        (["numpy 1: bad"], [], 1),
        ([], ["lit 1: bad"], 1),
        (None, [], 3),
        ([], None, 3),
        (None, None, 3),
        (None, ["lit 1: bad"], 1),
        (["numpy 1: bad"], None, 1),
    ],
)
def test_the_exit_status_says_whether_it_was_found_or_not_checked(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    python: list[str] | None,
    page: list[str] | None,
    status: int,
) -> None:
    """None stands for a database that cannot be reached: it is named, and never counts as having found nothing."""

    def answer(found: list[str] | None) -> list[str]:
        if found is None:
            raise NotChecked("it could not be asked")
        return found

    monkeypatch.setattr(audit, "audit_python", lambda pins, osv_url: answer(python))
    monkeypatch.setattr(audit, "audit_page", lambda: answer(page))
    assert main([]) == status
    printed = capsys.readouterr()
    assert printed.err.count("NOT CHECKED") == [python, page].count(None)
    assert printed.out.count(": bad\n") == sum(map(len, [python or [], page or []]))
    assert printed.out.count(": no known vulnerabilities") == [python, page].count([])
