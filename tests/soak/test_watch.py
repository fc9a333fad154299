"""What is seen of processes and metrics."""

import subprocess
import sys

import pytest

from soak import watch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_process_is_alive_until_it_ends() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert watch.is_alive(process.pid)
    process.communicate(b"\n")
    assert not watch.is_alive(process.pid)


def test_seconds_of_the_network_by_operation() -> None:
    def labels(phase: str, route: str) -> tuple[tuple[str, str], ...]:
        return (("phase", phase), ("route", route))

    name = "mirage_http_request_phase_seconds_sum"
    metrics = {name: {labels("computed", "/a"): 3.0, labels("queued", "/a"): 9.0, labels("computed", "/b"): 1.0}}
    assert watch.computed_seconds(metrics) == {"/a": 3.0, "/b": 1.0}


def test_what_is_under_way_is_summed_over_all_states() -> None:
    metrics = {
        "mirage_engine_alive": {(): 0.0},
        "mirage_tasks": {(("state", "decoding"),): 1.0, (("state", "computing"),): 2.0},
        "mirage_memory_reserved_bytes": {(): 0.0},
    }
    assert watch.under_way(metrics) == {
        "mirage_engine_alive": 0.0,
        "mirage_tasks": 3.0,
        "mirage_memory_reserved_bytes": 0.0,
    }
