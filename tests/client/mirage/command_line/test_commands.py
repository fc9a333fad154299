"""Every command against a running service: its files, its figures, its exit code."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from mirage.version import __version__
from tests.app.live_service import Live
from tests.client.command import mirage


@pytest.fixture(autouse=True)
def service(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRAGE_URL", live.url)


@pytest.fixture
def photo(picture: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(picture)
    return path


def opened(path: Path) -> Image.Image:
    return Image.open(BytesIO(path.read_bytes()))


def test_fool_writes_a_file_that_fools_and_figures_that_are_true_of_it(photo: Path, tmp_path: Path) -> None:
    """The class in the file that was written is the one that the command says."""
    before = json.loads(mirage("classify", photo).out)["predictions"]
    done = mirage("fool", photo, "--as", before[1]["label"], "-o", tmp_path / "fooled.png", "--effort", "quick")
    figures = json.loads(done.out)
    assert done.code == 0 and figures["success"] and "image" not in figures and "files" not in figures
    after = json.loads(mirage("classify", tmp_path / "fooled.png").out)["predictions"][0]
    assert after["label"] == figures["adversarial"]["label"] == before[1]["label"]
    assert after["probability"] == pytest.approx(figures["adversarial"]["probability"], abs=1e-3)


def test_a_model_that_is_not_fooled_is_exit_code_1_and_the_file_is_there(photo: Path, tmp_path: Path) -> None:
    """A margin of a hundred logits within one level of 255 is out of reach."""
    done = mirage("fool", photo, "-o", tmp_path / "x.png", "--epsilon", "1/255", "--confidence", 100, "-O", "steps=2")
    assert done.code == 1 and "not fooled" in done.err and (tmp_path / "x.png").exists()
    assert json.loads(done.out)["success"] is False


def test_a_picture_can_go_to_standard_output(photo: Path) -> None:
    done = mirage("explain", photo, "-o", "-")
    assert Image.open(BytesIO(done.out_bytes)).size == opened(photo).size


def test_ideal_draws_a_class_and_a_channel(tmp_path: Path) -> None:
    done = mirage("ideal", "cat", "-o", tmp_path / "cat.png", "-O", "steps=2", "--size", 32)
    assert done.code == 0 and json.loads(done.out)["label"] == "cat"
    assert opened(tmp_path / "cat.png").size == (32, 32)
    layer = json.loads(mirage("features", tmp_path / "cat.png").out)[-1]["name"]
    done = mirage("ideal", "--layer", layer, "--channel", 1, "-O", "steps=2")
    assert json.loads(done.out)["label"] == f"{layer}:1"


def test_features_of_a_layer(photo: Path, tmp_path: Path) -> None:
    layer = json.loads(mirage("models", "tiny").out)["layers"][0]["name"]
    done = mirage("features", photo, layer, "--channels", "1,0", "-o", tmp_path / "features.png")
    assert json.loads(done.out)["shown"] == [1, 0] and (tmp_path / "features.png").exists()


def test_curve_and_targets(photo: Path, tmp_path: Path) -> None:
    done = mirage("curve", photo, "-o", tmp_path / "curve.png", "--norms", "l2", "--norm", "l2", "--steps", 3)
    assert list(json.loads(done.out)["smallest"]) == ["l2"] and (tmp_path / "curve.png").exists()
    assert len(json.loads(mirage("targets", photo, "--top", 2).out)["nearest"]) == 2


def test_models_and_a_card() -> None:
    assert json.loads(mirage("models").out)["default"] == "tiny"
    assert mirage("models", "tiny", "--card").out == "# tiny\n\nRandom weights; accuracy \u00bc.\n"
    assert mirage("models", "--card").code == 2
    assert mirage("models", "none").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["fool", "missing.png"], 2, "missing.png"),
        (["fool", "{photo}", "--as", "zebra"], 2, "zebra"),
        (["ideal", "zebra"], 2, "`mirage models NAME`"),
        (["fool", "{photo}", "-o", "x.jpg"], 2, ".png"),
        (["fool", "{photo}", "-o", "no/such/folder/x.png"], 2, "no such folder"),
        (["fool", "{photo}", "-O", "stepz=1"], 2, "NAME=VALUE"),
        (["fool", "{photo}", "--epsilon", "lots"], 2, "epsilon"),
        (["ideal"], 2, "mirage ideal CLASS"),
        (["features", "{photo}", "-o", "x.png"], 2, "name the layer"),
        (["classify", "{photo}", "--url", "localhost"], 2, "http://127.0.0.1:8000"),
        (["classify", "{photo}", "--url", "http://127.0.0.1:1"], 3, "mirage serve"),
        (["classify", "{photo}", "--top", "0"], 2, "top"),
        (["classify", "{photo}", "--format", "xml"], 2, "jsonl or csv"),
        (["classify", "{photo}", "--again"], 2, "--output"),
        (["clasify"], 2, "clasify"),
    ],
)
def test_every_mistake_has_one_line_and_a_code(arguments: list[str], code: int, words: str, photo: Path) -> None:
    done = mirage(*(argument.replace("{photo}", str(photo)) for argument in arguments))
    assert done.code == code and words in done.err and "Traceback" not in done.err


def test_the_version() -> None:
    assert mirage("--version").out == f"mirage {__version__}\n"


@pytest.mark.parametrize(
    "name", ["classify", "fool", "ideal", "explain", "features", "curve", "targets", "models", "serve"]
)
def test_every_command_explains_itself(name: str) -> None:
    assert "Usage: mirage" in mirage(name, "--help").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete_the_commands(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script that --install-completion would install asks the command itself."""
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    done = mirage("--show-completion", shell)
    assert done.code == 0 and "_MIRAGE_COMPLETE" in done.out
