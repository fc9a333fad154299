"""Faults of the cache of ideal pictures: in each case the same files are drawn anew, byte for byte."""

import base64
import contextlib
import errno
import io
import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
from PIL import Image

from soak.faults.scene import Scene, mount
from soak.faults.watch import eventually, get, judge, neighbours
from soak.outcome import Outcome
from soak.service import RunningService

FILE = "answers.sqlite3"
STEPS = {"steps": "2", "model": "tiny"}
TRIED_AGAIN_S = 15.0
"""Seconds after which a cache that was locked must be used again."""
HITS = re.compile(r'^mirage_cache_requests_total\{result="hit"\} (\S+)', re.MULTILINE)
HOLDING = 24
"""Clients that ask for a picture at once while the cache is locked."""


def cache_deleted(scene: Scene) -> Outcome:
    """Somebody deletes the folder, or what is in it."""

    def delete() -> None:
        for path in scene.cache.iterdir():
            path.unlink()
        with contextlib.suppress(OSError):  # it is the root of a file system
            shutil.rmtree(scene.cache)

    return _damaged(scene, delete)


def cache_truncated(scene: Scene) -> Outcome:
    """Only half of the file is left."""
    return _damaged(scene, lambda: _overwrite(scene, lambda data: data[: len(data) // 2]))


def cache_overwritten(scene: Scene) -> Outcome:
    """All but the header of the file is something else."""
    return _damaged(scene, lambda: _overwrite(scene, lambda data: data[:4096] + bytes(range(256)) * (len(data) // 256)))


def cache_falsified(scene: Scene) -> Outcome:
    """Each stored picture is replaced by another valid one."""
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (255, 0, 0)).save(file, "PNG")

    def falsify() -> None:
        with contextlib.closing(sqlite3.connect(scene.cache / FILE)) as database, database:
            for key, value in database.execute("SELECT key, value FROM answers").fetchall():
                document = json.loads(value)
                document["pictures"] = [base64.b64encode(file.getvalue()).decode()]
                changed = json.dumps(document).encode()
                database.execute("UPDATE answers SET value = ?, size = ? WHERE key = ?", [changed, len(changed), key])

    return _damaged(scene, falsify)


def cache_disk_full(scene: Scene) -> Outcome:
    """There is no room for another picture: a full file system if one may be mounted, or a limit of file sizes."""
    if not scene.cache_is_mounted:
        return _limited_files(scene)

    @contextlib.contextmanager
    def full() -> Iterator[None]:
        filler = scene.cache / "filler"
        _clear(scene.cache)
        try:
            _fill(filler)
            yield
        finally:
            filler.unlink()

    outcome = _unusable(scene, scene.shared, full)
    outcome.figures["full_by"] = "tmpfs"
    return outcome


def cache_read_only(scene: Scene) -> Outcome:
    """The file system of the cache becomes read-only, or where none may be mounted, the cache becomes a file."""

    @contextlib.contextmanager
    def read_only() -> Iterator[None]:
        folder = scene.cache
        if scene.cache_is_mounted:
            mount("-o", "remount,ro", str(folder))
            try:
                yield
            finally:
                mount("-o", "remount,rw", str(folder))
            return
        shutil.rmtree(folder)
        folder.write_bytes(b"")
        try:
            yield
        finally:
            folder.unlink()

    outcome = _unusable(scene, scene.shared, read_only)
    outcome.figures["read_only_by"] = "remount" if scene.cache_is_mounted else "a file in its place"
    return outcome


def cache_locked(scene: Scene) -> Outcome:
    """Another program holds the lock of the file, while many clients ask for pictures."""

    @contextlib.contextmanager
    def locked() -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(scene.cache / FILE)) as database:
            database.execute("BEGIN EXCLUSIVE")
            with ThreadPoolExecutor(HOLDING) as clients:
                statuses = list(clients.map(lambda _: _draw(scene.shared, 1).status_code, range(HOLDING)))
            assert statuses, "the clients have asked"
            yield

    _draw(scene.shared, 1)
    return _unusable(scene, scene.shared, locked)


def cache_shared(scene: Scene) -> Outcome:
    """Two services have the same folder, and draw the same pictures at the same time."""
    first = scene.shared
    with ExitStack() as stack:
        second = stack.enter_context(scene.fresh("second", cache=scene.cache))
        _clear(scene.cache)
        seen = stack.enter_context(neighbours(first.url))
        with ThreadPoolExecutor(8) as clients:
            asked = [(service, seed) for seed in range(20, 30) for service in (first, second)]
            responses = list(clients.map(lambda pair: _draw(*pair), asked))
        seen.victims += [response.status_code for response in responses]
    outcome = judge(seen, victims=[{200}] * len(responses))
    different = sum(one.content != other.content for one, other in zip(responses[::2], responses[1::2], strict=True))
    outcome.expect(f"{different} of 10 pictures are different in the two services", kept=different == 0)
    for service in (first, second):
        errors = [line for line in service.log.splitlines() if " ERROR " in line and "app.engine.cache" in line]
        outcome.expect(f"the log has errors: {errors[:1]}", kept=not errors)
    return outcome


def _damaged(scene: Scene, damage: Callable[[], object]) -> Outcome:
    """Draw, damage the cache, and draw again: the same picture, which is then stored again."""
    service = scene.shared
    _clear(scene.cache)
    before = _draw(service, 1)
    with neighbours(service.url) as seen:
        damage()
        drawn = [_draw(service, 1) for _ in range(3)]  # the first one may only find the damage
        seen.victims += [response.status_code for response in drawn]
    outcome = judge(seen, victims=[{200}] * 3)
    same = all(response.content == before.content for response in drawn)
    outcome.expect("the picture is another one than before the cache was damaged", kept=same)
    outcome.expect("pictures are no longer stored after the cache was damaged", kept=_is_stored(service))
    return outcome


def _unusable(
    scene: Scene, service: RunningService, fault: Callable[[], contextlib.AbstractContextManager[None]]
) -> Outcome:
    """Draw while the cache cannot be used; then it is used again."""
    logged = len(service.log)
    with neighbours(service.url) as seen:
        with fault():
            seen.victims += [_draw(service, seed).status_code for seed in (11, 12)]
        again = eventually(lambda: _is_stored(service), TRIED_AGAIN_S)
    outcome = judge(seen, victims=[{200}] * 2)
    told = "app.engine.cache" in service.log[logged:]
    outcome.figures["used_again_s"] = None if again is None else round(again, 2)
    outcome.expect("the log does not say that the cache cannot be used", kept=told)
    outcome.expect("the cache is not used again", kept=again is not None)
    outcome.expect(f"a neighbour waited for {seen.longest_s:.1f} s", kept=seen.longest_s < 10)
    return outcome


def _limited_files(scene: Scene) -> Outcome:
    """No file of the service may have more than 64 kB."""
    with scene.fresh("disk", ("prlimit", "--fsize=65536"), log_level="error") as service:
        with neighbours(service.url) as seen:
            seen.victims += [_draw(service, seed).status_code for seed in range(30)]
        outcome = judge(seen, victims=[{200}] * 30)
    outcome.figures["full_by"] = "RLIMIT_FSIZE"
    return outcome


def _draw(service: RunningService, seed: int) -> httpx.Response:
    return get(f"{service.url}/ideal/cat", seed=str(seed), format="png", **STEPS)


def _is_stored(service: RunningService) -> bool:
    """Whether a picture that is drawn now is there when it is asked for again."""
    _draw(service, 31)
    hits = _hits(service)
    return _draw(service, 31).status_code == 200 and _hits(service) == hits + 1


def _hits(service: RunningService) -> float:
    match = HITS.search(get(f"{service.url}/metrics").text)
    assert match is not None, "the metric is there from the start"
    return float(match[1])


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _overwrite(scene: Scene, change: Callable[[bytes], bytes]) -> None:
    """Change the file in place, as a fault of the disk would."""
    file = scene.cache / FILE
    data = file.read_bytes()
    file.write_bytes(change(data))


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
