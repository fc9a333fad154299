"""A container: its limit holds for a process that is started in it, and its group is gone afterwards."""

import subprocess
import sys
from pathlib import Path

import pytest

from soak.memory import container as module
from soak.memory.container import Container, container

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups and prlimit are of Linux")
LIMIT = 1_000_000_000


def taking(size: int) -> list[str]:
    """A program that takes so many bytes."""
    return [sys.executable, "-c", f"bytearray(b'x') * {size}"]


def test_a_program_may_take_less_than_the_limit_and_no_more() -> None:
    with container(100_000_000) as inside:
        assert subprocess.run([*inside.before, *taking(1_000_000)], check=False).returncode == 0
        limit = 100_000_000 if inside.group else 4_100_000_000
        assert subprocess.run([*inside.before, *taking(2 * limit)], check=False, stderr=-3).returncode != 0
        if inside.group:
            assert inside.kills == 1
            assert inside.peak_bytes is not None and 90_000_000 < inside.peak_bytes <= 100_000_000
    assert inside.group is None or not inside.group.exists()


def test_without_control_groups_the_address_space_is_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "OWN_CGROUP", tmp_path / "none")
    with container(LIMIT) as inside:
        assert inside == Container("prlimit --as=5000000000", ("prlimit", "--as=5000000000"))
        assert (inside.peak_bytes, inside.kills) == (None, None)
        code = "import resource; print(resource.getrlimit(resource.RLIMIT_AS)[0])"
        printed = subprocess.run([*inside.before, sys.executable, "-c", code], check=True, stdout=-1, text=True).stdout
        assert printed == "5000000000\n"


@pytest.mark.parametrize(
    ("controllers", "limit", "peak", "events"),
    [
        ("4:memory:", "memory/here/{}/memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"),
        ("0::", "here/{}/memory.max", "memory.peak", "memory.events"),
    ],
)
def test_groups_of_both_versions(
    controllers: str, limit: str, peak: str, events: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In folders that stand for the groups: the limit is written, and peak and kills are read."""
    own = tmp_path / "own"
    own.write_text(f"3:cpu:/here\n{controllers}/here\n", encoding="ascii")
    monkeypatch.setattr(module, "OWN_CGROUP", own)
    monkeypatch.setattr(module, "CGROUPS", tmp_path)
    (tmp_path / limit.split("{")[0]).mkdir(parents=True)
    with container(LIMIT) as inside:
        assert inside.group is not None
        assert (tmp_path / limit.format(inside.group.name)).read_text(encoding="ascii") == "1000000000"
        (inside.group / peak).write_text("987\n", encoding="ascii")
        (inside.group / events).write_text("low 3\noom_kill 2\n", encoding="ascii")
        assert (inside.peak_bytes, inside.kills) == (987, 2)
        for file in inside.group.iterdir():  # what the kernel removes by itself
            file.unlink()
    assert not inside.group.exists()
