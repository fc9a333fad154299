"""Faults of checkpoint files: they are overwritten in place, slowly, which a copy by many programs does."""

import time
from collections.abc import Callable
from pathlib import Path

from soak.faults import unruly
from soak.faults.scene import SETTINGS, Scene, at, write_models
from soak.faults.watch import classify, eventually, get, judge, neighbours
from soak.outcome import Outcome
from soak.service import start

WRITING_S = 2.0
"""Seconds for which a file is written: several looks of the service at its folder."""


def checkpoint_rewritten(scene: Scene) -> Outcome:
    """A checkpoint is overwritten while it is served: the old version answers until the new one is complete."""
    url, file = scene.shared.url, scene.shared.folder / "models" / f"{unruly.NAME}.safetensors"
    eventually(lambda: classify(url, unruly.NAME) == 200, 30)
    before = _version(url)
    with neighbours(url) as seen:
        _write_slowly(file, _other_weights(scene), lambda: seen.victims.append(classify(url, unruly.NAME)))
        asked_of = _version(url)
        taken = eventually(lambda: _version(url) != before, 20)
    outcome = judge(seen, victims=[{200}] * len(seen.victims))
    outcome.figures["taken_s"] = None if taken is None else round(taken, 2)
    outcome.expect("an incomplete file has replaced the model", kept=asked_of == before)
    outcome.expect("the new version was not taken", kept=taken is not None)
    return outcome


def checkpoint_incomplete_at_start(scene: Scene) -> Outcome:
    """The service starts while a checkpoint is being written: other models are served, and then this one, too."""
    folder = scene.folder / "incomplete"
    (folder / "models").mkdir(parents=True)
    write_models(folder / "models")
    file = folder / "models" / f"{unruly.NAME}.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    service = start(folder, at(folder), **SETTINGS)
    try:
        eventually(lambda: "listening at" in service.log, 120)
        with file.open("ab") as rest:
            time.sleep(0.2)
            rest.write(data[len(data) // 2 :])
        service.wait_until_ready()
        with neighbours(service.url) as seen:
            loaded = eventually(lambda: classify(service.url, unruly.NAME) == 200, 20)
            seen.victims.append(classify(service.url, unruly.NAME))
    finally:
        service.end()
    outcome = judge(seen, victims=[{200}])
    outcome.figures["loaded_s"] = None if loaded is None else round(loaded, 2)
    return outcome


def _write_slowly(file: Path, data: bytes, meanwhile: Callable[[], object]) -> None:
    """Overwrite the file in place within WRITING_S seconds, and call the function again and again."""
    with file.open("r+b", buffering=0) as target:
        target.truncate(0)
        pieces = 10
        for number in range(pieces):
            target.write(data[number * len(data) // pieces : (number + 1) * len(data) // pieces])
            meanwhile()
            time.sleep(WRITING_S / pieces)


def _other_weights(scene: Scene) -> bytes:
    folder = scene.folder / "other"
    folder.mkdir(exist_ok=True)
    unruly.write_checkpoint(folder, seed=2)
    return (folder / f"{unruly.NAME}.safetensors").read_bytes()


def _version(url: str) -> str:
    return str(get(f"{url}/models/{unruly.NAME}").json()["version"])
