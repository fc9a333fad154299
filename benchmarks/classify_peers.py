"""/classify against a plain FastAPI handler and LitServe around the same network, over HTTP, by number of clients.

    python -m benchmarks classify_peers --clients 1 8 --rounds 3

Each server is a process of its own, and stopped while it is not measured: idle workers of LitServe poll their queue. In
each round and for each number of clients they are measured in turn, in random order, and with them the bare network:
decode, preprocess and passes of 8 pictures in a loop, without HTTP. Requests are forms with a JPEG of 180 x 180 pixels.
The first second, in which all clients come at once, is a figure of its own, the slowest request that was sent in it.
LitServe is installed with uv into a temporary environment.
"""

import argparse
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import torch
from PIL import Image

from benchmarks import load
from benchmarks.measure import machine
from benchmarks.parts import SKIPPED
from benchmarks.peers import network
from benchmarks.results import Figure, write_figures

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data" / "cats-vs-dogs.zip"
CHELSEA = ROOT / "docs" / "pictures" / "chelsea.png"
BATCH = 8
"""Pictures in a pass of the bare network."""
LITSERVE = {
    "LitServe, 1 worker, 5 ms": ("1", "16", "0.005"),
    "LitServe, 1 worker, 1 ms": ("1", "16", "0.001"),
    "LitServe, 2 workers, 5 ms": ("2", "16", "0.005"),
}
"""Workers, largest batch and seconds to wait for it. Which of these is best depends on the number of clients."""


def photos(count: int = 64) -> list[bytes]:
    """JPEG files of 180 x 180 pixels: cats and dogs, or where these are missing crops of scikit-image's cat."""
    if DATA.exists():
        with zipfile.ZipFile(DATA) as archive:
            names = [item.filename for item in archive.infolist() if item.filename.endswith(".jpg") and item.file_size]
            return [archive.read(name) for name in random.Random(0).sample(names, count)]
    cat, files, places = Image.open(CHELSEA).convert("RGB"), [], random.Random(0)
    for _ in range(count):
        left, top = places.randrange(cat.width - 180), places.randrange(cat.height - 180)
        file = io.BytesIO()
        cat.crop((left, top, left + 180, top + 180)).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def litserve_python(folder: Path) -> Path | None:
    """The Python of an environment in the folder with LitServe and this environment's packages; None if it fails."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        return None
    python = folder / "litserve" / ("Scripts" if os.name == "nt" else "bin") / "python"
    for command in (["venv", "--python", sys.executable, folder / "litserve"],
                    ["pip", "install", "--python", python, "litserve"]):  # fmt: skip
        if subprocess.run([uv, "--quiet", *map(str, command)]).returncode:
            return None
    return python


@contextmanager
def serving(command: Sequence[str], port: int, **environment: str) -> Iterator[int]:
    """Run a server in a process group of its own, whose number this gives; wait until it answers."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    process = subprocess.Popen(command, env=variables, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the server does not answer: {' '.join(command)}")
            time.sleep(0.2)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        os.killpg(process.pid, signal.SIGCONT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _answers(port: int) -> bool:
    try:
        files = {"image": ("cat.png", CHELSEA.read_bytes(), "image/png")}
        return httpx.post(f"http://127.0.0.1:{port}/classify", files=files, timeout=30).status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass(frozen=True)
class Server:
    """A server that runs: its port, and the number of its process group."""

    port: int
    group: int

    def measure(self, photos: str, *, clients: int, seconds: float) -> load.Load:
        """What the clients see while only this server runs: some of the others use the processor without a request."""
        os.killpg(self.group, signal.SIGCONT)
        try:
            return load.measure(self.port, photos, clients=clients, seconds=seconds)
        finally:
            os.killpg(self.group, signal.SIGSTOP)


def start_all(stack: ExitStack, folder: Path) -> dict[str, Server]:
    """Start the servers that can be had, and return them by name, stopped."""
    python = sys.executable
    commands = {"Mirage": [python, "-m", "app"]}
    for kind in ("async", "def"):
        commands[f"plain handler, {kind}"] = [python, "-m", "benchmarks.peers.plain", "PORT", kind]
    litserve = litserve_python(folder)
    if litserve is None:
        print("LitServe is not measured: install uv (pip install uv), and let it reach a package index")
    else:
        for name, options in LITSERVE.items():
            commands[name] = [str(litserve), "-m", "benchmarks.peers.litserve_server", "PORT", *options]
    servers = {}
    packages = os.pathsep.join([str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))])
    for name, command in commands.items():
        port = _free_port()
        settings = {"MIRAGE_PORT": str(port), "MIRAGE_MODELS": network.MODEL, "MIRAGE_MAX_WAITING": "256"}
        if name in LITSERVE:
            settings["PYTHONPATH"] = packages
        command = [str(port) if part == "PORT" else part for part in command]
        group = stack.enter_context(serving(command, port, **{"MIRAGE_LOG_LEVEL": "error", **settings}))
        os.killpg(group, signal.SIGSTOP)
        servers[name] = Server(port, group)
    return servers


def compare(clients: Sequence[int], *, rounds: int, seconds: float) -> list[Figure]:
    """Measure all servers in turn; prints each figure as it comes."""
    samples: dict[tuple[str, str], list[float]] = defaultdict(list)
    order, files = random.Random(0), photos()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        sent = Path(folder) / "photos.json"
        sent.write_text(json.dumps([file.hex() for file in files]), encoding="utf-8")
        servers = start_all(stack, Path(folder))
        bare = network.load()
        for server in servers.values():
            server.measure(str(sent), clients=32, seconds=2)  # until then, memory is touched for the first time
        for count in [count for _ in range(rounds) for count in clients]:
            speed = network.pictures_per_second(files, bare, BATCH)
            samples[f"bare network in batches of {BATCH}", "pictures/s"].append(speed)
            for name in order.sample(list(servers), len(servers)):
                seen = servers[name].measure(str(sent), clients=count, seconds=seconds)
                start = f"{count} client{'s' * (count > 1)}"
                figures = {
                    (f"{start}: {name}", "requests/s"): seen.per_second,
                    (f"{start}: p50, {name}", "ms"): seen.quantile(0.5) * 1000,
                    (f"{start}: p99, {name}", "ms"): seen.quantile(0.99) * 1000,
                    (f"{start}: slowest of the first second, {name}", "ms"): max(seen.first_seconds) * 1000,
                    (f"{start}: the load generator's share of a core, {name}", "%"): 100 * seen.own_cores,
                }
                for figure, value in figures.items():
                    samples[figure].append(value)
                print(
                    start, name, *(f"{value:.1f} {unit}" for (_, unit), value in figures.items()), sep=", ", flush=True
                )
    return [Figure(name, unit, values) for (name, unit), values in samples.items()]


def main() -> int:
    """Print the comparison, and write it with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32, 128])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement, after its first second")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    if os.name == "nt":
        print("This benchmark ends its servers by process groups, which Windows does not have.")
        return SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are ended, too
    print(machine(torch.device("cpu")))
    figures = compare(options.clients, rounds=options.rounds, seconds=options.seconds)
    for figure in figures:
        print(f"  {figure.name}: {figure.text}")
    if options.json:
        write_figures(options.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
