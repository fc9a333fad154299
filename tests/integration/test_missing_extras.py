"""What happens where the libraries of some models are not installed: the default install has no extras."""

import importlib.util
import json
import sys
from dataclasses import asdict
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from models.pictures import encode
from models.spec import Spec
from tests.app.live_service import drawn, serve
from training.__main__ import app

ADVICE = {
    "timm": "networks of timm need the package timm: pip install timm",
    "transformers": "networks of transformers need the package transformers: pip install transformers",
}


@pytest.fixture(params=ADVICE)
def missing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a library that is not installed, as far as anybody can tell."""
    library: str = request.param
    find_spec = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name.partition(".")[0] == library else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    modules: dict[str, ModuleType | None] = {name: None for name in sys.modules if name.partition(".")[0] == library}
    for name in (library, *modules):
        monkeypatch.setitem(sys.modules, name, None)  # to import it raises ModuleNotFoundError
    return library


def test_a_model_of_the_library_fails_alone_and_says_what_to_install(
    missing: str, checkpoints: Path, tmp_path: Path
) -> None:
    """Another model, beside it, is served."""
    architecture = {"timm": "timm/resnet10t", "transformers": "transformers/vit"}[missing]
    header = {"mirage": "1", "spec": json.dumps(asdict(Spec(architecture, ("a", "b")))), "provenance": "{}"}
    save_file({"weight": torch.zeros(1)}, tmp_path / "theirs.safetensors", {**header, "golden": "[]"})
    (tmp_path / "tiny.safetensors").write_bytes((checkpoints / "tiny.safetensors").read_bytes())
    with serve(checkpoints=tmp_path, models=("tiny", "theirs")) as live:
        states = {
            model["name"]: (model["state"], model["problem"]) for model in live.client.get("/models").json()["models"]
        }
        assert states == {"tiny": ("ready", None), "theirs": ("failed", f"theirs.safetensors: {ADVICE[missing]}")}
        assert live.client.get("/health/ready").status_code == 200
        response = live.client.post("/classify", files={"image": encode(drawn())}, data={"model": "theirs"})
        assert response.status_code == 503 and ADVICE[missing] in response.json()["detail"]


def test_the_command_says_what_to_install(missing: str, tmp_path: Path) -> None:
    """With one line and exit code 2, and nothing is written."""
    source = tmp_path / "theirs"
    if missing == "timm":
        source = tmp_path / "theirs.pth"
        torch.save({"fc.weight": torch.zeros(2, 3)}, source)
    else:
        source.mkdir()
        (source / "config.json").write_text(json.dumps({"model_type": "vit"}))
        save_file({"classifier.weight": torch.zeros(2, 3)}, source / "model.safetensors")
    arguments = ["import", str(source), "--output", str(tmp_path / "out.safetensors")]
    arguments += ["--architecture", "timm/resnet10t"] if missing == "timm" else []
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)
    assert (result.exit_code, result.stderr) == (2, f"error: {ADVICE[missing]}\n")
    assert not (tmp_path / "out.safetensors").exists()
