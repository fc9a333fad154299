"""Tests that the service imports large libraries only when a request needs them."""

import json
import subprocess
import sys

EXTRAS = ["huggingface_hub", "onnx", "onnxruntime", "pillow_heif", "timm", "transformers"]
"""Libraries that the default install does not have."""
LATE = [*EXTRAS, "matplotlib", "scipy", "skimage", "sympy", "torch._dynamo", "torchvision"]
"""Libraries that take tenths of seconds and tens of megabytes (docs/decisions/0042)."""
PROGRAM = """
import app.__main__
import torch
from models import store
from models.query import Query
model = store.load("cats-dogs")
model.classifier.warm_up()
from models.classify import classify
from models.run import run
run(classify(torch.zeros(3, 40, 40, dtype=torch.uint8), model.spec), model.classifier)
from app.inside.responses import FeaturesResult
from models.features import features
picture, layer = torch.zeros(3, 40, 40, dtype=torch.uint8), model.classifier.layers.find("features.2")
result = run(features(picture, model.spec, layer, channels=2), model.classifier)
body = FeaturesResult.of(result, lambda: picture, model=model, separate=True, seconds=0.0)
assert body.model_dump_json().count("data:image/png") == 2
"""
"""What every service does: its imports, loading a model, and requests for classes and for separate feature maps."""


def imported(program: str) -> list[str]:
    """The libraries of LATE that a new process has imported when the program has ended."""
    program += f"\nimport json, sys\nprint(json.dumps([name for name in {LATE} if name in sys.modules]))"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    names: list[str] = json.loads(process.stdout)
    return names


def test_large_libraries_are_imported_late() -> None:
    assert imported(PROGRAM) == []
