"""Faults of a model or of the thread that asks it: memory, numbers, a hanging network, a thread that ends."""

import time

from soak.faults import unruly
from soak.faults.scene import Scene
from soak.faults.watch import classify, client, eventually, exit_code, get, judge, neighbours, picture, status_of
from soak.outcome import Outcome
from soak.tiny_model import NAME as HEALTHY

UNRULY = unruly.NAME
BROKEN = 70
"""Exit code of a service whose engine has failed too often."""


def memory_error(scene: Scene) -> Outcome:
    """Python has no memory for a pass: 503 for that picture."""
    return _no_memory(scene, "memory_error")


def torch_memory(scene: Scene) -> Outcome:
    """PyTorch has no memory for a pass: 503 for that picture."""
    return _no_memory(scene, "torch_memory")


def _no_memory(scene: Scene, fault: str) -> Outcome:
    url = scene.shared.url
    with neighbours(url) as seen:
        unruly.plant(scene.planted, fault)
        seen.victims.append(classify(url, UNRULY))
        unruly.remove(scene.planted, fault)
        seen.victims.append(classify(url, UNRULY))
    return judge(seen, victims=[{503}, {200}])


def torch_memory_for_many(scene: Scene) -> Outcome:
    """There is memory for two rows at a time: the batches get smaller, and all pictures are classified."""
    url = scene.shared.url
    files = [("image", picture()) for _ in range(8)]
    with neighbours(url) as seen:
        unruly.plant(scene.planted, "torch_memory", above_rows=2)
        response = client().post(f"{url}/classify/batch", files=files, data={"model": UNRULY})
        unruly.remove(scene.planted, "torch_memory")
        seen.victims.append(response.status_code)
    outcome = judge(seen, victims=[{200}])
    failed = sum("problem" in result for result in response.json().get("results", []))
    outcome.expect(f"{failed} of 8 pictures were not classified", kept=failed == 0)
    return outcome


def nan(scene: Scene) -> Outcome:
    """Outputs that are no numbers: 500 three times, then 503, until the model's file is replaced."""
    url, file = scene.shared.url, scene.shared.folder / "models" / f"{UNRULY}.safetensors"
    with neighbours(url) as seen:
        unruly.plant(scene.planted, "nan")
        seen.victims += [classify(url, UNRULY) for _ in range(4)]
        unruly.remove(scene.planted, "nan")
        unruly.write_checkpoint(file.parent)
    recovered = eventually(lambda: classify(url, UNRULY) == 200, 30)
    outcome = judge(seen, victims=[{500}, {500}, {500}, {503}])
    outcome.figures["recovered_s"] = None if recovered is None else round(recovered, 2)
    outcome.expect("the model was not served again after its file was replaced", kept=recovered is not None)
    return outcome


def engine_thread(scene: Scene) -> Outcome:
    """The thread that asks the models ends three times: 503 each time, and at last the process ends with code 70."""
    with scene.fresh("engine_thread") as service:
        url = service.url
        with neighbours(url) as seen:
            for _ in range(2):
                unruly.plant(service.folder / "planted", "end_thread")
                seen.victims.append(classify(url, UNRULY))
                unruly.remove(service.folder / "planted", "end_thread")
        outcome = judge(seen, victims=[{503}, {503}], classified=(200, 503))
        unruly.plant(service.folder / "planted", "end_thread")
        outcome.expect("the third request was not answered with 503", kept=classify(url, UNRULY) == 503)
        live = status_of(lambda: get(f"{url}/health/live"))
        outcome.expect(f"GET /health/live answered {live} after three failures, not 503", kept=live == 503)
        code = exit_code(service, 10)
        outcome.figures["exit_code"] = code
        outcome.expect(f"the process ended with code {code}, not {BROKEN}", kept=code == BROKEN)
    return outcome


def hanging_network(scene: Scene) -> Outcome:
    """A network that never answers: after a minute 503 for what it held, and others are served again."""
    with scene.fresh("hanging_network") as service:
        url, planted = service.url, service.folder / "planted"
        begun = time.monotonic()
        with neighbours(url) as seen:
            unruly.plant(planted, "hang")
            seen.victims.append(classify(url, UNRULY))
            hung_s = time.monotonic() - begun
            held = eventually(lambda: classify(url, HEALTHY) == 200, 5)
        unruly.remove(planted, "hang")
        seen.victims.append(classify(url, UNRULY))
        outcome = judge(seen, victims=[{503}, {200}], classified=(200, 503))
        outcome.figures |= {"hung_s": round(hung_s, 1), "longest_held_s": round(seen.longest_s, 1)}
        outcome.expect(f"the hanging network was given up after {hung_s:.0f} s, not 60", kept=55 < hung_s < 70)
        outcome.expect("another model did not answer after the hanging one was given up", kept=held is not None)
    return outcome
