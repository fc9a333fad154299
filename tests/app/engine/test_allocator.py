"""What a process frees stays with it, where glibc can be told so."""

import json
import platform
import subprocess
import sys

import pytest

from app.engine.allocator import keep_freed_memory

PROBE = """
import json, resource, threading
from app.engine.allocator import keep_freed_memory

told = keep_freed_memory() if {keep} else None
import torch

def faults():
    def use():
        for _ in range(20):
            torch.ones(2**24)  # 64 MB

    use()  # the first time costs them in any case
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    use()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

found = []
thread = threading.Thread(target=lambda: found.append(faults()))
thread.start()
thread.join()
print(json.dumps([told, found[0]]))
"""


def probe(*, keep: bool) -> tuple[bool | None, int]:
    """What was answered in a process of its own, and its page faults while a thread takes and frees 64 MB 20 times."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(keep=keep)], capture_output=True, check=True, env={"GLIBC_TUNABLES": ""}
    )
    told, faults = json.loads(done.stdout)
    return told, faults


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told")
@pytest.mark.slow
def test_a_block_is_taken_again_without_page_faults() -> None:
    """64 MB are 16,384 pages, or 32 huge ones: at least that many faults for each of 20 blocks, or hardly any."""
    assert probe(keep=False)[1] >= 20 * 32
    told, faults = probe(keep=True)
    assert told is True and faults < 200


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
