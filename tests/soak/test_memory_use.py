"""Memory of a process and its children, at its peak and now."""

import os
import subprocess
import sys

import pytest

from soak import memory_use
from soak.memory_use import Peak, children, memory_bytes, resident_bytes, settled_bytes
from tests.app.live_service import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "x = b'x' * 100_000_000; print('taken', flush=True); input()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline(); print(child.pid, flush=True); input(); child.communicate(b"\\n"); print("ended", flush=True)
input()
"""


def test_children_count_until_they_end() -> None:
    """The child takes 100 MB; both have an interpreter of about 10 MB, of which they share a part."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        with Peak(process.pid) as peak:
            child = int(process.stdout.readline())
            assert children(process.pid) == [child]
            together = memory_bytes(process.pid)
            assert 100_000_000 < together <= resident_bytes(process.pid) < 150_000_000
            eventually(lambda: peak.bytes > 100_000_000)
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ended\n"
        assert children(process.pid) == []
        assert memory_bytes(process.pid) < 50_000_000
        assert settled_bytes(process.pid, 50_000_000, within_s=0) < 50_000_000
        process.communicate("\n")
    assert memory_bytes(process.pid) == 0
    assert peak.bytes < 150_000_000


def test_a_child_that_is_only_being_started_is_not_counted() -> None:
    """A fork without exec has the command of its parent."""
    program = "import os, sys; os.write(1, b'%d\\n' % os.fork()); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert "0\n" in (process.stdout.readline(), process.stdout.readline())
        assert children(process.pid) == []
        process.communicate()


def test_the_peak_is_the_largest_look(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [5, 9, 7]
    monkeypatch.setattr(memory_use, "resident_bytes", lambda pid: sizes.pop(0) if len(sizes) > 1 else sizes[0])
    with Peak(os.getpid(), every_s=0.0) as peak:
        while len(sizes) > 1:
            pass
    assert peak.bytes == 9
