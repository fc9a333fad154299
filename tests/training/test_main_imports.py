"""Tests that the command line and its workers import large libraries only where a run needs them."""

import json
import subprocess
import sys

LATE = ["matplotlib", "onnx", "onnxruntime", "scipy", "skimage", "sympy", "torch._dynamo", "torchvision"]
"""Libraries that take tenths of seconds to some seconds."""
PROGRAM = f"""
import json, sys
import torch
import training.__main__
import training.data.loading.preload
from training.data.loading.photo_store import shrink

shrink(torch.zeros(3, 40, 40, dtype=torch.uint8), 32)
print(json.dumps([name for name in {LATE} if name in sys.modules]))
"""


def test_large_libraries_are_imported_late() -> None:
    """Inspecting and decoding photos needs none of them."""
    process = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True)
    assert json.loads(process.stdout) == []
