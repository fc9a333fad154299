import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from models import checkpoint, pictures
from models.classify import classify
from models.ideal import imagine
from models.query import run
from models.store import load
from tests.training.drawn import ARCHITECTURE, encoded, grating, write_gratings, write_parent, zipped
from training.evaluate import gather, measure
from training.finetune import FineTuning
from training.fit import fit
from training.loaders import serving_batches
from training.prepare import Job, prepare
from training.recipe import Recipe
from training.runs import BadRun

REPOSITORY = Path(__file__).parents[2]
RECIPE = Recipe(epochs=3, full_size_epochs=1, batch_size=8, input_size=48, precision="float32")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty gratings in each of two classes, and one file that is no picture."""
    folder = write_gratings(tmp_path_factory.mktemp("data") / "gratings", {"Reddish": 20, "Bluish": 20})
    (folder / "Bluish" / "Thumbs.db").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parent(tmp_path_factory.mktemp("parent") / "parent.pth")


def job(place: Path, data: Path, parent: Path, **fields: Any) -> Job:
    usual: dict[str, Any] = {"recipe": RECIPE, "architecture": ARCHITECTURE, "parent": parent, "runs": place / "runs"}
    return Job(data=data, output=place / "stripes.safetensors", **{**usual, **fields})


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path, parent: Path) -> Job:
    """An undisturbed run."""
    done = job(tmp_path_factory.mktemp("finished"), data, parent)
    fit(done, quiet())
    return done


def weights(file: Path) -> dict[str, torch.Tensor]:
    return dict(checkpoint.read(file).weights)


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


def test_the_service_can_load_it_and_it_is_right(finished: Job) -> None:
    """A grating that was never seen, by the way that an upload takes."""
    model = load("stripes", folder=finished.output.parent)
    assert model.spec.classes == ("Bluish", "Reddish")
    for label, name in enumerate(("Reddish", "Bluish")):
        picture = pictures.decode(encoded(grating(label, 1000)))
        assert run(classify(picture, model.spec), model.classifier)[0].label == name


def test_metrics_are_those_of_the_file_as_written(finished: Job) -> None:
    """Measured again on the test photos, with the checkpoint loaded anew: every figure is the same."""
    classifier, found = checkpoint.load(finished.output)
    ready = prepare(job(finished.output.parent / "again", finished.data, finished.parent or Path()), quiet())
    batches = serving_batches(ready.labelled(ready.split.test), classifier.spec, batch_size=8, workers=0)
    metrics = measure(*gather(classifier.logits, batches, torch.device("cpu")), classifier.spec.classes)
    told = {key: found.provenance["metrics"][key] for key in metrics.to_json()}
    assert told == json.loads(json.dumps(metrics.to_json()))
    assert metrics.photos == 6 and metrics.accuracy == 1


def test_provenance_tells_the_story_and_no_path(finished: Job) -> None:
    found = checkpoint.read(finished.output).provenance
    assert found["data"]["name"] == "gratings"
    assert found["data"]["photos"] == {"train": [14, 14], "validation": [3, 3], "test": [3, 3]}
    assert found["data"]["found"] == {"not a picture": 1}
    assert found["recipe"]["epochs"] == 3 and found["recipe"]["precision"] == "float32"
    assert found["parent"]["name"] == "parent" and found["parent"]["licence"] == "unknown"
    assert found["command"] == (
        "python -m training fit gratings --output stripes.safetensors --architecture mobilenet_v3_small "
        "--parent parent.pth --epochs 3 --batch-size 8 --input-size 48"
    )
    assert {"python", "torch", "torchvision", "numpy", "pillow", "mirage"} == set(found["versions"])
    told = json.dumps(found) + finished.output.with_suffix(".md").read_text()
    assert str(finished.output.parent) not in told and str(Path.home()) not in told and "/tmp" not in told


def test_the_kept_weights_are_the_best_on_validation(finished: Job) -> None:
    found = checkpoint.read(finished.output).provenance
    candidates = {
        (name, row["epoch"]): (row[f"{name}_accuracy"], -row[f"{name}_nll"])
        for row in found["history"]
        for name in ("raw", "ema")
    }
    best = max(candidates, key=lambda candidate: candidates[candidate])
    kept = (found["kept"]["weights"], found["kept"]["epoch"])
    assert kept == best or (kept == ("probe", 0) and candidates[best][0] <= found["metrics"]["validation"]["accuracy"])


def test_a_probe_that_nothing_beats_is_kept(
    tmp_path: Path, data: Path, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training that ruins the head loses to the probe."""

    def ruin(tuning: FineTuning, batches: object) -> float:
        for parameter in (*tuning.network.parameters(), *tuning.average.parameters()):
            parameter.data.zero_()
        tuning.epoch += 1
        return 0.0

    monkeypatch.setattr(FineTuning, "train_epoch", ruin)
    done = job(tmp_path, data, parent)
    assert fit(done, quiet()).accuracy == 1
    assert checkpoint.read(done.output).provenance["kept"] == {"weights": "probe", "epoch": 0}


def test_no_epochs_keep_the_probe(tmp_path: Path, data: Path, parent: Path) -> None:
    done = job(tmp_path, data, parent, recipe=Recipe(epochs=0, input_size=48))
    assert fit(done, quiet()).accuracy == 1
    assert "fine-tuning" not in done.output.with_suffix(".md").read_text().split("## Limits")[0].split("|")[0]


def test_a_zip_gives_the_same_weights_as_its_folder(finished: Job, tmp_path: Path, data: Path, parent: Path) -> None:
    done = job(tmp_path, zipped(data, tmp_path / "gratings.zip", "outer/"), parent)
    fit(done, quiet())
    assert_same_weights(done.output, finished.output)


@pytest.fixture(scope="module")
def in_grey(tmp_path_factory: pytest.TempPathFactory, parent: Path) -> Job:
    """A run over gratings without colours, from a parent that has seen colours."""
    place = tmp_path_factory.mktemp("grey")
    data = write_gratings(place / "grey", {"Upright": 20, "Level": 20}, mode="L")
    done = job(place, data, parent, recipe=replace(RECIPE, grey=True))
    fit(done, quiet())
    return done


def test_a_network_of_one_channel_is_trained_and_is_right(in_grey: Job) -> None:
    """On gratings that were never seen, in grey by their file or by our own weights of the colours."""
    model = load("stripes", folder=in_grey.output.parent)
    assert model.spec.channels == 1 and model.spec.classes == ("Level", "Upright")
    assert weights(in_grey.output)["features.0.0.weight"].shape[1] == 1
    for label, name in enumerate(("Upright", "Level")):
        for mode in ("L", "RGB"):
            picture = pictures.decode(encoded(grating(label, 1000).convert(mode)))
            assert run(classify(picture, model.spec), model.classifier)[0].label == name
    assert model.provenance["metrics"]["accuracy"] == 1


def test_a_network_of_one_channel_draws_what_it_has_learned(in_grey: Job) -> None:
    """In grey, and it says of the file what was said of the drawing."""
    model = load("stripes", folder=in_grey.output.parent)
    for name in ("Upright", "Level"):
        found = imagine(model, name, steps=40, tv=0.0, patience=0).drawn[0]
        red, green, blue = found.picture
        assert torch.equal(red, green) and torch.equal(green, blue)
        (said, *_) = run(classify(found.picture, model.spec), model.classifier)
        assert said.label == name and said.probability > 0.9
        assert said.probability == pytest.approx(found.score.seen, abs=1e-5)


def test_the_command_that_makes_a_grey_network_again(in_grey: Job) -> None:
    found = checkpoint.read(in_grey.output).provenance
    assert found["command"].endswith(" --grey") and found["recipe"]["grey"] is True


def test_a_run_in_colours_is_not_resumed_in_grey(
    tmp_path: Path, data: Path, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_after(0, monkeypatch, job(tmp_path, data, parent))
    with pytest.raises(BadRun, match="had grey False, not True"):
        fit(job(tmp_path, data, parent, recipe=replace(RECIPE, grey=True), resume=True), quiet())


def stopped_after(epochs: int, monkeypatch: pytest.MonkeyPatch, asked: Job) -> None:
    """Run until Ctrl-C comes in the middle of the epoch after so many."""
    whole = FineTuning.train_epoch

    def interrupted(tuning: FineTuning, batches: Any) -> float:
        if tuning.epoch == epochs:
            next(iter(batches))
            raise KeyboardInterrupt
        return whole(tuning, batches)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FineTuning, "train_epoch", interrupted)
        fit(asked, quiet())


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_resumed_run_ends_as_an_undisturbed_one(
    finished: Job, tmp_path: Path, data: Path, parent: Path, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    """Bit for bit, stopped right after the probe or an epoch before the end."""
    first = job(tmp_path, data, parent)
    stopped_after(epochs, monkeypatch, first)
    assert not first.output.exists()
    torch.manual_seed(99)
    resumed = job(tmp_path, data, parent, resume=True)
    fit(resumed, quiet())
    assert_same_weights(resumed.output, finished.output)
    assert checkpoint.read(resumed.output).spec == checkpoint.read(finished.output).spec


def test_resuming_another_run_is_refused(
    tmp_path: Path, data: Path, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_after(0, monkeypatch, job(tmp_path, data, parent))
    with pytest.raises(BadRun, match="give --resume"):
        fit(job(tmp_path, data, parent), quiet())
    other = Recipe(epochs=4, full_size_epochs=1, batch_size=8, input_size=48, precision="float32")
    with pytest.raises(BadRun, match="had epochs 3, not 4"):
        fit(job(tmp_path, data, parent, recipe=other, resume=True), quiet())
    more = write_gratings(tmp_path / "more", {"Reddish": 21, "Bluish": 20})
    with pytest.raises(BadRun, match=r"had data .*split"):
        fit(job(tmp_path, more, parent, resume=True), quiet())


def test_the_scan_and_the_features_are_kept(
    finished: Job, data: Path, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run over the same data looks at no file again but to train and to measure."""

    def refuse(*_: object) -> None:
        raise AssertionError("was kept already")

    monkeypatch.setattr("training.prepare.look_at_all", refuse)
    monkeypatch.setattr(FineTuning, "features", refuse)
    assert fit(job(finished.output.parent, data, parent, overwrite=True), quiet()).photos == 6


def test_the_card_has_the_figures(finished: Job) -> None:
    card = finished.output.with_suffix(".md").read_text()
    low = checkpoint.read(finished.output).provenance["metrics"]["interval"][0]
    assert "**100.00 % of 6 test photos right**" in card and f"{100 * low:.2f} %" in card
    assert "`Bluish`, `Reddish`" in card and "1 not a picture" in card and "| Reddish | 3 | 100.00 % | none |" in card


COMMAND = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
from rich.console import Console
from training.fit import fit
from training.prepare import Job
from training.recipe import Recipe
from training.finetune import FineTuning

if __name__ == "__main__":
    place, data, parent = map(Path, sys.argv[1:4])
    whole = FineTuning.train_epoch

    def slow(tuning, batches):
        if tuning.epoch == 2 and sys.argv[4] == "hang":
            next(iter(batches))
            print("MID-EPOCH", flush=True)
            import time; time.sleep(600)
        return whole(tuning, batches)

    FineTuning.train_epoch = slow
    recipe = Recipe(epochs=3, full_size_epochs=1, batch_size=8, input_size=48, precision="float32")
    fit(Job(data=data, output=place / "stripes.safetensors", architecture="mobilenet_v3_small", recipe=recipe,
            parent=parent, runs=place / "runs", workers=1, resume=sys.argv[4] != "hang"), Console())
"""


def start(place: Path, data: Path, parent: Path, how: str) -> "subprocess.Popen[str]":
    script = place / "train.py"
    script.write_text(COMMAND)
    words = [sys.executable, str(script), str(place), str(data), str(parent), how]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def alive_in_session(session: int) -> list[int]:
    """Processes (but zombies) of a session; Linux."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own = status.read_text().rsplit(")", 1)[1].split()[:4]
        except OSError:  # it ended meanwhile
            continue
        if int(own) == session and state != "Z":
            found.append(int(status.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for left-over processes in Linux' /proc")
def test_kill_9_loses_the_epoch_at_most_and_leaves_no_process(tmp_path: Path, data: Path, parent: Path) -> None:
    """Killed in its third epoch it goes on after the second, and its workers have ended with it."""
    killed = start(tmp_path, data, parent, "hang")
    assert killed.stdout is not None
    assert any("MID-EPOCH" in line for line in killed.stdout)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    for _ in range(100):
        if not alive_in_session(killed.pid):
            break
        time.sleep(0.1)
    assert alive_in_session(killed.pid) == []
    told, _ = start(tmp_path, data, parent, "resume").communicate()
    assert "going on after epoch 2 of 3" in told
    assert checkpoint.read(tmp_path / "stripes.safetensors").provenance["history"][-1]["epoch"] == 3
