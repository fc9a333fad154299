"""What is checked before a release."""

import subprocess
import sys
from pathlib import Path

import pytest

from supply_chain import release
from supply_chain.release import NotReady, check_changelog

GOOD = "# Changelog\n\n## [1.2.0] - 2026-01-31\n\n### Added\n\n- A thing.\n\n## [1.1.0] - 2025-01-31\n\n### Old\n"


def test_a_changelog_in_order_passes() -> None:
    """Only the newest section counts: older ones are history."""
    check_changelog(GOOD, "1.2.0")
    check_changelog(GOOD.replace("2026-01-31", "unreleased"), "1.2.0")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[1.2.0]", "[1.3.0]", "not of 1.2.0"),
        ("2026-01-31", "soon", "soon"),
        ("2026-01-31", "2026-13-31", "2026-13-31"),
        ("### Added", "### News", "Added, Changed"),
        ("- A thing.", "", "no entries"),
        ("### Added", "", "Added, Changed"),
    ],
)
def test_what_a_changelog_lacks_is_said(old: str, new: str, words: str) -> None:
    with pytest.raises(NotReady, match=words):
        check_changelog(GOOD.replace(old, new, 1), "1.2.0")


def test_a_command_that_fails_is_shown_with_its_output(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="the reason"):
        release.run(sys.executable, "-c", "raise SystemExit('the reason')", cwd=tmp_path)


def test_a_project_that_is_not_ready_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Path) -> None:
        raise NotReady("for a reason")

    monkeypatch.setattr(release, "check", fail)
    assert release.main() == 1 and "for a reason" in capsys.readouterr().err


@pytest.mark.slow
def test_the_project_can_be_released() -> None:
    """Both wheels are installed into empty environments, with the package index, and tried there."""
    done = subprocess.run([sys.executable, "-m", "supply_chain.release"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
