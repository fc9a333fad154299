"""Tests how much memory the service takes itself to have, on machines and in containers that are only described."""

import sys
from pathlib import Path

import pytest

from app.memory import machine


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of control groups without any, on a machine of 8,000 bytes."""
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "OWN_CGROUP", tmp_path / "own")
    monkeypatch.setattr(machine, "machine_bytes", lambda: 8000)
    return tmp_path


def write(tree: Path, own: str, **limits: str) -> None:
    """Write the groups of the process, and the files of limits by their paths with `__` for a slash."""
    (tree / "own").write_text(own)
    for name, text in limits.items():
        file = tree / "cgroup" / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_without_control_groups_it_is_the_memory_of_the_machine(tree: Path) -> None:
    assert machine.available_bytes() == 8000


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"memory_dot_max": "3000\n"}, 3000),
        ({"memory_dot_max": "max\n"}, 8000),
        ({"memory_dot_max": "9000"}, 8000),
        ({"memory_dot_max": "5000", "a__memory_dot_max": "4000", "a__b__memory_dot_max": "max"}, 4000),
        ({"memory_dot_max": "2000", "a__b__memory_dot_max": "4000"}, 2000),
    ],
)
def test_a_container_has_the_lowest_limit_of_its_group_and_those_around(
    tree: Path, limits: dict[str, str], expected: int
) -> None:
    write(tree, "0::/a/b\n", **limits)
    assert machine.available_bytes() == expected


def test_the_first_version_of_control_groups_is_read_as_well(tree: Path) -> None:
    write(tree, "5:cpu,memory:/docker/x\n0::/\n", memory__docker__x__memory_dot_limit_in_bytes="700")
    assert machine.available_bytes() == 700


def test_the_limit_of_another_controller_is_no_limit(tree: Path) -> None:
    write(tree, "5:cpu:/x\n", memory__x__memory_dot_limit_in_bytes="700", x__memory_dot_max="600")
    assert machine.available_bytes() == 8000


def test_the_real_machine_has_memory_and_this_process_takes_a_part_of_it() -> None:
    assert 10**8 < machine.available_bytes() <= machine.machine_bytes()
    before = machine.peak_bytes()
    block = bytearray(b"x" * 300_000_000)
    assert machine.peak_bytes() >= max(before, len(block))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says it")
def test_memory_that_is_given_back_is_no_longer_resident() -> None:
    before = machine.resident_bytes()
    block = bytearray(b"x" * 300_000_000)
    assert machine.resident_bytes() >= before + len(block) - 50_000_000
    del block  # so large a block is one of its own, which goes back at once
    assert machine.resident_bytes() < before + 100_000_000


def test_where_the_system_does_not_say_nothing_is_resident(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "STATM", tmp_path / "none")
    assert machine.resident_bytes() == 0
