"""The example of a network of one's own: installed, imported and served as its README says."""

import base64
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from app.settings import Settings
from models import checkpoint
from models.architectures import registered
from models.pictures import encode
from models.spec import Spec
from tests.app.live_service import drawn, serve
from tests.app.page.service_process import ServiceProcess
from tests.integration.project import REPOSITORY
from tests.networks import normalise_by

EXAMPLE = REPOSITORY / "examples" / "own_architecture"
README = (EXAMPLE / "README.md").read_text(encoding="utf-8")
FUNCTION = "small_resnet:architectures"
CLASSES = ("cat", "dog", "horse")


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """The module of the example; it is not installed, and Mirage does not know it."""
    spec = importlib.util.spec_from_file_location("small_resnet_of_the_test", EXAMPLE / "small_resnet.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def network(module: ModuleType) -> nn.Module:
    """A network of the example with random weights that gives different pictures different classes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = module.SmallResNet(len(CLASSES))
        normalise_by(network, torch.stack([drawn(64, 64, seed=seed) / 127.5 - 1 for seed in range(16)]))
    network.head.weight.data.mul_(20)
    return network.eval()


@pytest.fixture(scope="module")
def weights(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of weights that the README writes."""
    file = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the package is installed; nothing is downloaded."""
    if importlib.util.find_spec("hatchling") is None or importlib.util.find_spec("uv") is None:
        pytest.skip("needs hatchling and uv, which `make install` installs, to build the package")
    place = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, place / "source")
    options = ["--offline", "--no-cache", "--no-deps", "--no-build-isolation", "--python", sys.executable]
    command = [sys.executable, "-m", "uv", "pip", "install", *options, "--target", place / "installed"]
    done = subprocess.run([*command, place / "source"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return place / "installed"


def run_import(weights: Path, output: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the import of the README on these weights; `environment` is added to the variables."""
    (text,) = re.findall(r"^\.venv/bin/python (-m training import .*?[^\\])$", README, flags=re.DOTALL | re.MULTILINE)
    words = text.replace("\\\n", " ").split()
    words[words.index("weights.pt")] = str(weights)
    words[words.index("--output") + 1] = str(output)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MIRAGE_")} | environment
    return subprocess.run([sys.executable, *words], cwd=REPOSITORY, env=variables, capture_output=True, text=True)


def probabilities(network: nn.Module, picture: torch.Tensor) -> list[float]:
    """What the network says of a picture, prepared by Pillow as the README's command states it."""
    image = Image.fromarray(picture.permute(1, 2, 0).numpy())
    width, height = (round(side * 72 / min(image.size)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - 64) / 2), round((height - 64) / 2)
    levels = torch.from_numpy(np.array(image.crop((left, top, left + 64, top + 64)))).permute(2, 0, 1)
    with torch.no_grad():
        return [float(value) for value in network((levels / 127.5 - 1).unsqueeze(0)).softmax(dim=1)[0]]


@pytest.mark.parametrize("way", ["package", pytest.param("variable", marks=pytest.mark.slow)])
def test_it_is_imported_and_served(
    network: nn.Module, weights: Path, tmp_path: Path, way: str, request: pytest.FixtureRequest
) -> None:
    """Both in processes of their own: by the installed package, or by MIRAGE_ARCHITECTURES without one."""
    modules: Path = request.getfixturevalue("installed") if way == "package" else EXAMPLE
    setting = {} if way == "package" else {"architectures": FUNCTION}
    variables = {f"MIRAGE_{name.upper()}": value for name, value in setting.items()}
    done = run_import(weights, tmp_path / "mine.safetensors", PYTHONPATH=str(modules), **variables)
    assert done.returncode == 0 and "mine.safetensors is ready" in done.stdout, done.stderr
    stored = checkpoint.read(tmp_path / "mine.safetensors")
    assert (stored.spec.architecture, stored.spec.classes) == ("small_resnet", CLASSES)
    picture = drawn(90, 120, seed=3)
    with ServiceProcess(tmp_path, modules=modules, checkpoints=tmp_path, **setting) as service:
        answer = post(service, "/classify", encode(picture))
        found = {entry["label"]: entry["probability"] for entry in answer["predictions"]}
        assert [found[name] for name in CLASSES] == pytest.approx(probabilities(network, picture), abs=5e-3)
        result = post(service, "/adversarial", encode(picture), format="json")
        assert result["success"] and result["adversarial"]["label"] != answer["predictions"][0]["label"]
        file = base64.b64decode(result["image"].partition(",")[2])
        assert post(service, "/classify", file)["predictions"][0] == pytest.approx(result["adversarial"], abs=2e-4)


def post(service: ServiceProcess, path: str, picture: bytes, **fields: str) -> Any:
    response = service.client.post(path, files={"image": picture}, data=fields)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def unregistered(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No network is registered, and what the test registers is forgotten."""
    monkeypatch.setattr(registered, "_added", {})
    yield monkeypatch
    sys.modules.pop("small_resnet", None)


def test_the_service_registers_what_its_setting_names(
    unregistered: pytest.MonkeyPatch, network: nn.Module, tmp_path: Path
) -> None:
    """The setting is a list with commas, as all settings with several values."""
    unregistered.syspath_prepend(str(EXAMPLE))
    unregistered.setenv("MIRAGE_ARCHITECTURES", f"{FUNCTION} , {FUNCTION},")
    architectures = Settings(_env_file=None).architectures
    assert architectures == (FUNCTION, FUNCTION)
    registered.register(FUNCTION)
    save(tmp_path, network)
    registered._added.clear()
    with serve(checkpoints=tmp_path, architectures=architectures) as live:
        (model,) = live.client.get("/models").json()["models"]
        assert (model["state"], model["architecture"]) == ("ready", "small_resnet")


def test_a_missing_package_is_named_with_what_to_do(
    unregistered: pytest.MonkeyPatch, network: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the list of models, in the log, and in the response to whoever asks the model; other models are served."""
    unregistered.syspath_prepend(str(EXAMPLE))
    registered.register(FUNCTION)
    save(tmp_path, network)
    registered._added.clear()
    advice = (
        "mine.safetensors: the network 'small_resnet' is unknown here: if it is one of your own, install the package "
        "that registers it (entry point group mirage.architectures), or set MIRAGE_ARCHITECTURES="
    )
    with caplog.at_level(logging.ERROR), serve(checkpoints=tmp_path) as live:
        (model,) = live.client.get("/models").json()["models"]
        assert model["state"] == "failed" and model["problem"].startswith(advice)
        response = live.client.post("/classify", files={"image": encode(drawn())})
        assert response.status_code == 503 and advice in response.json()["detail"]
    (record,) = [record for record in caplog.records if "cannot serve mine" in record.getMessage()]
    assert advice in record.getMessage() and not record.exc_info


def save(folder: Path, network: nn.Module) -> None:
    spec = Spec("small_resnet", CLASSES, input_size=64, resize=72, mean=(0.5,) * 3, std=(0.5,) * 3)
    checkpoint.save(folder / "mine.safetensors", network, spec, {}, dtype=None)
