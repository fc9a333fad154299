"""Tests that a process keeps the memory that it frees, where the allocator of glibc supports this."""

import asyncio
import gc
import json
import platform
import subprocess
import sys
import weakref

import pytest

from app.memory import allocator
from app.memory.allocator import keep_freed_memory

PROBE = """
import json, resource, threading
from app.memory.allocator import keep_freed_memory

applied = keep_freed_memory() if {keep} else None
import torch

def faults():
    def use():
        for _ in range(20):
            torch.ones(2**24)  # 64 MB

    use()  # the first use has page faults in any case
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    use()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

counts = []
thread = threading.Thread(target=lambda: counts.append(faults()))
thread.start()
thread.join()
print(json.dumps([applied, counts[0]]))
"""


def probe(*, keep: bool) -> tuple[bool | None, int]:
    """Run PROBE in a new process; return the result of the call and the page faults of 20 blocks of 64 MB."""
    process = subprocess.run(
        [sys.executable, "-c", PROBE.format(keep=keep)], capture_output=True, check=True, env={"GLIBC_TUNABLES": ""}
    )
    applied, faults = json.loads(process.stdout)
    return applied, faults


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the allocator of glibc is configured")
@pytest.mark.slow
def test_freed_memory_is_reused_without_page_faults() -> None:
    """64 MB are 16,384 pages or 32 huge ones, so 20 blocks have at least 20 x 32 page faults if memory is not kept."""
    assert probe(keep=False)[1] >= 20 * 32
    applied, faults = probe(keep=True)
    assert applied is True and faults < 200


def test_without_glibc_nothing_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False


def test_circles_of_an_idle_service_are_collected_regularly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python itself would collect this one only after many further objects."""

    class Circle:
        def __init__(self) -> None:
            self.own = self

    async def run() -> None:
        done = asyncio.Event()
        monkeypatch.setattr(allocator, "INTERVAL_S", 0)
        gone = weakref.ref(Circle())
        assert gone() is not None
        task = asyncio.create_task(allocator.return_freed_memory_regularly(done.set))
        await asyncio.wait_for(done.wait(), 30)
        task.cancel()
        assert gone() is None

    gc.collect()
    gc.disable()
    try:
        asyncio.run(run())
    finally:
        gc.enable()
