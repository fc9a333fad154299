"""Faults of processes and what surrounds them: decoders, signals, the clock, and whoever reads the log."""

import os
import secrets
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import httpx

from soak.faults import unruly
from soak.faults.scene import SETTINGS, Scene, at, write_models
from soak.faults.watch import classify, eventually, exit_code, get, judge, neighbours, picture, status_of
from soak.outcome import Outcome
from soak.service import REPOSITORY, start
from soak.tiny_model import NAME as HEALTHY

DAY_S = 86_400
WALL_CLOCK = Path(__file__).with_name("wall_clock")
PIPES = """
import fcntl, os, sys
reading, writing = os.pipe()
os.dup2(writing, 1)
os.dup2(writing, 2)
if sys.argv[1] == "closed":
    os.close(reading)
else:
    os.set_inheritable(reading, True)
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""A program that starts another one whose output goes to a pipe that is closed, or that nobody reads."""
REQUESTS = 300
"""Requests whose log records are more than a pipe holds."""
BUSY_TICKS = 10
"""Hundredths of a second of computing time from which on a decoder is taken to decode the large picture."""


def decoder_killed(scene: Scene) -> Outcome:
    """A decoder process is killed while it decodes: 503 for that picture."""
    service = scene.shared
    large = picture(6000, 4000)
    with neighbours(service.url) as seen, ThreadPoolExecutor(1) as pool:
        before = {process: _ticks(process) for process in decoders(service.process.pid)}
        asked = pool.submit(classify, service.url, HEALTHY, large)

        def kill_busy() -> bool:
            now = {process: _ticks(process) for process in decoders(service.process.pid)}
            busy = [process for process, ticks in now.items() if ticks - before.get(process, 0) >= BUSY_TICKS]
            for process in busy[:1]:
                os.kill(process, signal.SIGKILL)
            return bool(busy) or asked.done()

        eventually(kill_busy, 30)
        seen.victims.append(asked.result())
        seen.victims.append(classify(service.url, HEALTHY))
    return judge(seen, victims=[{503}, {200}])


def idle_decoders_killed(scene: Scene) -> Outcome:
    """All decoder processes are killed while they wait: no picture notices."""
    service = scene.shared
    killed = decoders(service.process.pid)
    for process in killed:
        os.kill(process, signal.SIGKILL)
    eventually(lambda: not set(killed) & set(decoders(service.process.pid)), 10)
    with neighbours(service.url) as seen:
        seen.victims += [classify(service.url, HEALTHY) for _ in range(4)]
    return judge(seen, victims=[{200}] * 4)


def clock_jumps(scene: Scene) -> Outcome:
    """The time of day jumps by a day, forward and back: deadlines, quotas and Retry-After do not notice."""
    folder, key, short = scene.folder / "clock", secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    (folder).mkdir(parents=True)
    shift, keys = folder / "shift", folder / "keys.toml"
    shift.write_text("0", encoding="utf-8")
    keys.write_text(_keys(key, short), encoding="utf-8")
    before = ("env", f"SOAK_WALL_CLOCK={shift}", f"PYTHONPATH={WALL_CLOCK}{os.pathsep}{REPOSITORY}")
    with (
        scene.fresh("clock/service", before, api_keys_file=keys) as service,
        httpx.Client(base_url=service.url, timeout=60, trust_env=False, headers={"X-API-Key": key}) as client,
    ):
        outcome = Outcome()
        for _ in range(3):
            refused = client.get("/models", headers={"X-API-Key": short})
        for name, seconds in (("now", 0), ("a_day_later", DAY_S), ("a_day_earlier", -DAY_S)):
            shift.write_text(str(seconds), encoding="utf-8")
            begun = time.monotonic()
            data = {"attack": "pgd", "steps": "1000", "restarts": "20", "deadline_s": "1", "format": "json"}
            attacked = client.post("/adversarial", files={"image": picture()}, data=data)
            took_s = time.monotonic() - begun
            statuses = [
                client.post("/classify", files={"image": picture()}).status_code,
                client.get("/ideal/cat", params={"steps": 1}).status_code,
                status_of(lambda: get(f"{service.url}/health/ready")),
            ]
            refused = client.get("/models", headers={"X-API-Key": short})
            retry_s = int(refused.headers.get("retry-after", "-1"))
            outcome.figures |= {f"{name}_attack_s": round(took_s, 2), f"{name}_retry_after_s": retry_s}
            outcome.expect(f"{name}: requests got {statuses}", kept=statuses == [200] * 3)
            outcome.expect(f"{name}: the attack got {attacked.status_code}", kept=attacked.status_code in (200, 504))
            outcome.expect(f"{name}: an attack of at most a second took {took_s:.1f} s", kept=took_s < 10)
            outcome.expect(
                f"{name}: a key without quota got {refused.status_code}, Retry-After {retry_s}",
                kept=refused.status_code == 429 and 0 < retry_s <= 60,
            )
            # The server looks at the clock once in a second, which the attack has taken.
            outcome.figures[f"{name}_date"] = client.get("/health/live").headers.get("date", "")
        times = {str(outcome.figures[f"{name}_date"])[:16] for name in ("now", "a_day_later", "a_day_earlier")}
        outcome.expect(f"the time of day has not jumped: {sorted(times)}", kept=len(times) == 3)
        longest = max(float(part.split()[0]) for part in service.log.split("total_ms=")[1:])
        outcome.figures["longest_logged_ms"] = longest
        outcome.expect(f"the log has a request of {longest:.0f} ms", kept=longest < 60_000)
    return outcome


def log_not_read(scene: Scene) -> Outcome:
    """Nobody empties the pipe to which the log goes: the service goes on, and stops as ever."""
    return _without_log(scene, "full")


def log_closed(scene: Scene) -> Outcome:
    """The pipe to which the log goes is closed: the service goes on, and stops as ever."""
    return _without_log(scene, "closed")


def _without_log(scene: Scene, kind: str) -> Outcome:
    name = f"log_{kind}"
    with scene.fresh(name, (sys.executable, "-c", PIPES, kind), log_level="debug") as service:
        with neighbours(service.url) as seen:
            statuses = [status_of(lambda: get(f"{service.url}/models")) for _ in range(REQUESTS)]
            unruly.write_checkpoint(service.folder / "models", seed=3)
            version = get(f"{service.url}/models/{unruly.NAME}").json()["version"]
            seen.victims += sorted(set(statuses))
            taken = eventually(lambda: get(f"{service.url}/models/{unruly.NAME}").json()["version"] != version, 20)
        service.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        code = exit_code(service, 20)
        outcome = judge(seen, victims=[{200}])
        outcome.figures |= {"exit_code": code, "stop_s": round(time.monotonic() - begun, 2)}
        outcome.expect("the folder of the checkpoints is not followed any more", kept=taken is not None)
        outcome.expect(f"the process ended with code {code}, not 0", kept=code == 0)
    return outcome


def stop_while_loading(scene: Scene) -> Outcome:
    """SIGTERM while PyTorch is imported, and while a model is loaded that never gets ready: the process ends with 0."""
    outcome = Outcome()
    for name, moment in (("importing", None), ("loading", "listening at")):
        folder = scene.folder / name
        (folder / "models").mkdir(parents=True)
        write_models(folder / "models")
        before = at(folder)
        files = {path.name: path.read_bytes() for path in (folder / "models").iterdir()}
        unruly.plant(folder / "planted", "slow_start")
        service = start(folder, before, **SETTINGS)
        try:
            if moment is None:
                eventually(lambda service=service: _handles_stop(service.process.pid), 60)  # type: ignore[misc]
            else:
                eventually(lambda service=service, moment=moment: moment in service.log, 120)  # type: ignore[misc]
                time.sleep(0.5)
            begun = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            code = exit_code(service, 20)
            took_s = time.monotonic() - begun
        finally:
            service.end()
        outcome.figures |= {f"{name}_exit_code": code, f"{name}_stop_s": round(took_s, 2)}
        outcome.expect(f"{name}: the process ended with code {code}, not 0", kept=code == 0)
        outcome.expect(f"{name}: the process ended after {took_s:.1f} s", kept=took_s < 5)
        left = {path.name: path.read_bytes() for path in (folder / "models").iterdir()}
        outcome.expect(f"{name}: the folder of the models has changed", kept=left == files)
    return outcome


def stop_twice(scene: Scene) -> Outcome:
    """A second SIGTERM ends a service that drains: 503 for what runs, and the process is gone in about a second."""
    outcome = Outcome()
    with scene.fresh("stop_twice", drain_s=60, stop_s=300) as service, ThreadPoolExecutor(1) as pool:
        long = f"{service.url}/ideal/cat"
        running = pool.submit(status_of, lambda: get(long, steps="1000", crops="32", patience="0"))
        alive = f"{service.url}/metrics"
        eventually(lambda: "mirage_engine_alive 1.0" in get(alive).text, 20)
        service.process.send_signal(signal.SIGTERM)
        draining = eventually(lambda: status_of(lambda: get(f"{service.url}/health/ready")) == 503, 10)
        begun = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        code = exit_code(service, 20)
        took_s = time.monotonic() - begun
        status = running.result()
    outcome.figures |= {"exit_code": code, "stop_s": round(took_s, 2), "running": status}
    outcome.expect("the service did not drain after the first signal", kept=draining is not None)
    outcome.expect(f"the process ended with code {code}, not 0", kept=code == 0)
    outcome.expect(f"the process ended {took_s:.1f} s after the second signal", kept=took_s < 3.5)
    outcome.expect(f"the running request got {status}, not 503", kept=status == 503)
    return outcome


def decoders(service: int) -> list[int]:
    """The numbers of the decoder processes of the service with this number, on Linux."""
    done = subprocess.run(["pgrep", "-P", str(service), "-f", "app.decoding"], capture_output=True, check=False)
    return [int(number) for number in done.stdout.split()]


def _ticks(process: int) -> int:
    """Computing time of a process so far, in hundredths of a second; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _handles_stop(process: int) -> bool:
    """Whether the process has a handler of SIGTERM, on Linux."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    caught = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def _keys(key: str, short: str) -> str:
    """A file with two keys, of which the second may make two requests in a minute."""
    quotas = ((key, "all", ""), (short, "limited", "per_minute = 2\n"))
    return "".join(
        f'[[keys]]\nname = "{name}"\nsha256 = "{sha256(text.encode()).hexdigest()}"\nrole = "all"\n{quota}'
        for text, name, quota in quotas
    )
