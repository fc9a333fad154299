"""Runs the service on a free port with a small model of random weights, for tests over HTTP."""

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from fastapi import FastAPI
from torch import nn

from app.engine.engine import Engine
from app.main import create_app
from app.server.server import Server
from app.settings import Settings
from app.startup.sockets import open_sockets
from app.web.service import Service
from models import architectures, checkpoint
from models.network_ends import Normalize
from models.pictures import encode
from models.preprocessing import to_float
from models.spec import Spec
from tests.app.contract import take_faults, watched

TINY = Spec("mobilenet_v3_small", ("cat", "dog", "Siamese cat", "sea_lion"), input_size=64, resize=72)


@dataclass(frozen=True)
class Live:
    """A running service: an HTTP client, its URL, the application itself, and the server that runs it."""

    client: httpx.Client
    url: str
    app: FastAPI
    server: Server

    @property
    def service(self) -> Service:
        """Settings, registry and engine."""
        service: Service = self.app.state.service
        return service


@contextlib.contextmanager
def serve(**settings: Any) -> Iterator[Live]:
    """Run the application under uvicorn on a thread until the block ends.

    Every response must be as the OpenAPI document says (tests/app/contract.py).
    """
    with tempfile.TemporaryDirectory() as cache:
        defaults: dict[str, Any] = {"port": 0, "device": "cpu", "cache": Path(cache), "log_level": "error"}
        with _serve(Settings(_env_file=None, **(defaults | settings))) as running:
            yield running


@contextlib.contextmanager
def _serve(settings: Settings) -> Iterator[Live]:
    app = create_app(settings)
    server = Server(app, settings)
    server.config.app = watched(app)
    with open_sockets(settings) as opened:
        thread = threading.Thread(target=server.run, args=[opened.sockets], daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{opened.settings.port}"
        eventually(lambda: server.started)
        try:
            with httpx.Client(base_url=url, timeout=120) as client:
                assert app.state.service.registry.wait(60)
                yield Live(client, url, app, server)
        finally:
            server.should_exit = True  # has no effect if a test has stopped it
            thread.join(30)
    assert take_faults() == [], "responses are not as the OpenAPI document says"


def eventually(condition: Callable[[], object], *, timeout_s: float = 120) -> None:
    """Wait until a condition holds that another thread makes true; fail after the timeout."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "the condition did not become true in time"
        time.sleep(0.002)


def lively_network() -> nn.Module:
    """Return a network of random weights, scaled so that pictures get different classes with high probabilities."""
    torch.manual_seed(0)
    network = architectures.build(TINY.architecture, len(TINY.classes))
    pictures = torch.stack([to_float(drawn(TINY.input_size, TINY.input_size, seed=100 + k)) for k in range(32)])
    pictures = Normalize(TINY)(pictures)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the statistics are those of this one batch
    with torch.no_grad():
        network.train()(pictures)
        features = architectures.features(network.eval(), pictures)
    weight = torch.randn(len(TINY.classes), features.shape[1])
    weight *= 2 / (features @ weight.T).std()
    architectures.set_head(network, weight, -weight @ features.mean(dim=0))
    return network


@pytest.fixture(autouse=True, scope="module")
def quick_measurements() -> Iterator[None]:
    """Let each service measure its passes for a moment only, in place of half a second: no answer depends on them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.pass_times.MEASURE_S", 0.02)
        yield


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the checkpoint `tiny` and its model card."""
    folder = tmp_path_factory.mktemp("checkpoints")
    checkpoint.save(
        folder / "tiny.safetensors", lively_network(), TINY, {"metrics": {"accuracy": 0.25}, "recipe": {"seed": 0}}
    )
    (folder / "tiny.md").write_text("# tiny\n\nRandom weights; accuracy ¼.\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def live(checkpoints: Path) -> Iterator[Live]:
    """Return the service that most tests share."""
    with serve(checkpoints=checkpoints) as running:
        yield running


def drawn(height: int = 96, width: int = 128, seed: int = 0) -> torch.Tensor:
    """Return a smooth picture, uint8 [3, h, w], so far from black and white that no attack is clamped."""
    random = np.random.default_rng(seed)
    coarse = torch.from_numpy(random.uniform(60, 190, (1, 3, 5, 6)))
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", antialias=True)
    return smooth[0].round().clamp(0, 255).to(torch.uint8)


@pytest.fixture
def picture() -> bytes:
    """Return a small picture as a PNG file."""
    return encode(drawn())


@pytest.fixture
def engine() -> Iterator[Engine]:
    new_engine = Engine(max_rows=8, max_tasks=64)
    yield new_engine
    new_engine.close(timeout_s=30)
    assert new_engine.alive == 0
