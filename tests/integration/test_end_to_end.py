"""From a folder of pictures to a served model with the two commands of the README, on pictures drawn by code."""

import os
import subprocess
import sys
from pathlib import Path

from models.pictures import decode
from tests.app.live_service import serve
from tests.training.drawn import ARCHITECTURE, encoded, grating, write_gratings, write_pretrained

REPOSITORY = Path(__file__).parents[2]


def test_a_model_trained_on_a_folder_can_be_served(tmp_path: Path) -> None:
    """It is trained by the command line, and served: it classifies new pictures correctly and can be fooled."""
    data = write_gratings(tmp_path / "photos", {"stripes across": 20, "stripes up": 20})
    pretrained, output = write_pretrained(tmp_path / "weights.pth"), tmp_path / "checkpoints" / "stripes.safetensors"
    output.parent.mkdir()
    command = [
        sys.executable,
        "-m",
        "training",
        "fit",
        str(data),
        "--output",
        str(output),
        "--weights",
        str(pretrained),
    ]
    options = ["--architecture", ARCHITECTURE, "--input-size", "48", "--epochs", "1", "--workers", "0"]
    options += ["--cache", str(tmp_path / "cache")]
    options += ["--robustness-photos", "2"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    # The run folder is made in the current folder.
    subprocess.run(command + options, check=True, cwd=tmp_path, env=environment, timeout=300)
    with serve(checkpoints=output.parent) as live:
        for label, name in enumerate(("stripes across", "stripes up")):
            picture = encoded(grating(label, 1000))
            classification = live.client.post("/classify", files={"image": picture}).json()
            assert classification["predictions"][0]["label"] == name
            fooled = live.client.post("/adversarial", files={"image": picture}, data={"attack": "ddn"})
            assert fooled.headers["X-Mirage-Success"] == "true"
            again = live.client.post("/classify", files={"image": fooled.content}).json()
            assert again["predictions"][0]["label"] == fooled.headers["X-Mirage-Label"] != name
            ideal = live.client.get(f"/ideal/{name.replace(' ', '-')}", params={"steps": 20, "size": 48})
            assert (ideal.headers["X-Mirage-Label"], decode(ideal.content).shape) == (name, (3, 48, 48))
        detail = live.client.get("/models/stripes").json()
        assert detail["provenance"]["data"]["name"] == "photos"
        assert detail["metrics"]["accuracy"] == 1
