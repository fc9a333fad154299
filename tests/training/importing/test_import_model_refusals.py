"""Imports that end with an error: what it says, and that nothing is written or replaced."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import checkpoint
from models.architectures import registered
from models.checkpoint import BadCheckpoint
from models.spec import BadSpec
from tests.training.importing.importing import imported, run
from tests.training.importing.weight_files import source_network, write
from training.importing import import_model as module
from training.importing.model import BadSource, SourceModel
from training.importing.options import SpecOptions
from training.importing.sources import state_dicts

CLASSES = "cat,dog,tree frog"


class Scores(nn.Module):
    """A network of one's own, whose scores pass through a function at the end."""

    def __init__(self, end: Callable[[Tensor], object], classes: int = 3) -> None:
        super().__init__()
        self.end = end
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.head = nn.Linear(3, classes)

    def forward(self, pixels: Tensor) -> object:
        return self.end(self.head(pixels.mean(dim=(2, 3))))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return source(end, classes), which writes the weights of such a network, registered under `mine`."""

    def make(end: Callable[[Tensor], object] = lambda scores: scores, classes: int = 3) -> Path:
        monkeypatch.setattr(registered, "_added", {"mine": lambda classes: Scores(end, classes)})
        return write(tmp_path / "mine.pth", Scores(end, classes).state_dict())

    return make


def refusal(file: Path, tmp_path: Path, classes: str = CLASSES, **options: object) -> str:
    """Return why an import is refused; there is no output, and no other file that was not there before."""
    before = set(tmp_path.rglob("*"))
    with pytest.raises(BadSource) as refused:
        run(file, tmp_path / "out.safetensors", classes=classes, architecture="mine", **options)
    assert set(tmp_path.rglob("*")) == before
    return str(refused.value)


def test_the_output_is_a_checkpoint(tmp_path: Path) -> None:
    for name in ("out", "out.pth", "out.safetensors.bak"):
        with pytest.raises(BadSource, match=f"--output must end in .safetensors: '{name}'"):
            run(tmp_path / "missing.pth", tmp_path / name)


def test_a_checkpoint_is_only_replaced_where_that_is_asked_for(source: Callable[..., Path], tmp_path: Path) -> None:
    """It is not touched by an import that fails, either."""
    file, output = source(), tmp_path / "out.safetensors"
    (tmp_path / "notes.md").write_text("my notes")
    with pytest.raises(BadSource, match=r"notes\.md exists: give another --output, or --overwrite"):
        run(file, tmp_path / "notes.safetensors", classes=CLASSES, architecture="mine")
    assert (tmp_path / "notes.md").read_text() == "my notes"
    (tmp_path / "notes.md").unlink()
    output.write_text("older")
    with pytest.raises(BadSource, match=r"out\.safetensors exists: give another --output, or --overwrite"):
        run(file, output, classes=CLASSES, architecture="mine")
    with pytest.raises(BadSource):
        run(source(lambda scores: scores[:, :2]), output, classes=CLASSES, architecture="mine", overwrite=True)
    assert output.read_text() == "older" and list(tmp_path.glob("*.md")) == []
    stored = imported(source(), output, classes=CLASSES, architecture="mine", overwrite=True)
    assert stored.spec.architecture == "mine"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda scores: scores[:, :2], r"has the shape (3, 2) for 3 pictures, and 3 classes need (3, 3)"),
        (lambda scores: scores.unsqueeze(2), "has the shape (3, 3, 1) for 3 pictures"),
        (lambda scores: scores.mean(), "has the shape () for 3 pictures"),
        (lambda scores: scores[:, 0], "(3,) for 3 pictures, and a classifier's is (3, number of outputs): export it"),
        (lambda scores: (scores, scores), "the network returns a tuple, and a classifier a tensor"),
        (lambda scores: {"logits": scores}, "the network returns a dict, and a classifier a tensor"),
        (lambda scores: scores.repeat(2, 1), "has the shape (6, 3) for 3 pictures"),
        (lambda scores: scores / 0, "are not all finite numbers: its weights are damaged"),
        (lambda scores: scores * float("nan"), "are not all finite numbers"),
        (lambda scores: scores - scores.mean(dim=0) * 9, "depends on the other pictures of the batch: export it after"),
        (lambda scores: scores - 9 * scores.amax(dim=0), "depends on the other pictures of the batch: export it"),
        (lambda scores: scores - 9 * scores.amin(dim=0), "depends on the other pictures of the batch"),
        (
            lambda scores: scores @ torch.zeros(9, 9),
            "takes no pictures of 224 x 224 pixels in RGB (mm: mat1 and mat2 shapes",
        ),
    ],
)
def test_outputs_that_are_no_logits_of_the_classes(
    source: Callable[..., Path], tmp_path: Path, end: Callable[[Tensor], object], reason: str
) -> None:
    assert reason in refusal(source(end), tmp_path)


def test_names_of_other_numbers_of_classes(source: Callable[..., Path], tmp_path: Path) -> None:
    """A network of one's own is tried with as many as there are names, and then with those of its last weights."""
    assert "--classes has 5 names, and the network has 3 outputs" in refusal(source(), tmp_path, "a,b,c,d,e")


@pytest.mark.parametrize("colours", ["L", "RGBA", "LA"])
def test_channels_that_the_network_does_not_have(source: Callable[..., Path], tmp_path: Path, colours: str) -> None:
    reason = refusal(source(), tmp_path, spec=SpecOptions(colours=colours))
    assert (
        f"takes no pictures of 224 x 224 pixels in {colours} (" in reason and "give --input-size or --colours" in reason
    )


def softmax(scores: Tensor) -> Tensor:
    return scores.softmax(dim=1)


def test_probabilities_are_recognised(source: Callable[..., Path], tmp_path: Path) -> None:
    """They add up to 1; with the logarithm as logits they are the classifier's probabilities again."""
    printed = run(source(softmax), tmp_path / "out.safetensors", classes=CLASSES, architecture="mine")
    assert "the outputs of the network are probabilities" in printed
    classifier, stored = checkpoint.load(tmp_path / "out.safetensors")
    assert stored.spec.outputs == "probabilities"
    pixels = torch.rand(2, 3, 224, 224)
    expected = classifier.network[1](classifier.network[0](pixels))
    torch.testing.assert_close(classifier.logits(pixels).softmax(dim=1), expected)


@pytest.mark.parametrize(
    "end",
    [lambda scores: scores, torch.sigmoid, lambda scores: 2 * softmax(scores)],
    ids=["logits", "of labels", "twice as large"],
)
def test_outputs_that_are_no_probabilities_are_not_taken_as_such(
    source: Callable[..., Path], tmp_path: Path, end: Callable[[Tensor], Tensor]
) -> None:
    reason = refusal(source(end), tmp_path, spec=SpecOptions(outputs="probabilities"))
    assert "are no probabilities: leave out --outputs probabilities" in reason


def test_probabilities_of_several_labels(source: Callable[..., Path], tmp_path: Path) -> None:
    """Each is between 0 and 1, which is a warning first, and right with both options."""
    output = tmp_path / "out.safetensors"
    printed = run(source(torch.sigmoid), output, classes=CLASSES, architecture="mine")
    assert "if they are probabilities of several labels, give --outputs probabilities --multi-label" in printed
    options = SpecOptions(outputs="probabilities", multi_label=True)
    stored = imported(source(torch.sigmoid), output, classes=CLASSES, architecture="mine", spec=options, overwrite=True)
    assert stored.spec.multi_label and stored.spec.outputs == "probabilities"


def test_a_background_class_is_left_out(source: Callable[..., Path], tmp_path: Path) -> None:
    options = {"classes": write_names(tmp_path, "dog", "cat"), "architecture": "mine"}
    with pytest.raises(BadSource, match="or --background if the first one is a background class"):
        run(source(), tmp_path / "out.safetensors", **options)
    stored = imported(source(), tmp_path / "out.safetensors", **options, spec=SpecOptions(background=True))
    assert stored.spec.background and stored.spec.classes == ("dog", "cat")
    assert checkpoint.load(tmp_path / "out.safetensors")[0].logits(torch.rand(1, 3, 224, 224)).shape == (1, 2)
    assert "logits, the first one is left out" in (tmp_path / "out.md").read_text()


def test_a_binary_network_has_two_classes(source: Callable[..., Path], tmp_path: Path) -> None:
    """Its output is the logit of the second, or with the option --outputs its probability."""
    options: dict[str, Any] = {"classes": "cat,dog", "architecture": "mine", "overwrite": True}
    pixels, output = torch.rand(2, 3, 224, 224), tmp_path / "out.safetensors"
    for end, spec in (
        (torch.nn.Identity(), SpecOptions(outputs="logits")),
        (torch.sigmoid, SpecOptions(outputs="probabilities")),
    ):
        file = source(end, classes=1)
        printed = run(file, output, **options, spec=spec)
        assert "one output, which is taken to be that of the second class, 'dog'; the rest is 'cat'" in printed
        classifier, stored = checkpoint.load(output)
        assert stored.spec.binary and stored.spec.classes == ("cat", "dog")
        dog = Scores(torch.sigmoid, 1)(classifier.network[0](pixels))
        torch.testing.assert_close(classifier.logits(pixels).softmax(dim=1), torch.cat([1 - dog, dog], dim=1))
    assert "| outputs | one probability, that of the second class |" in output.with_suffix(".md").read_text()
    with pytest.raises(BadSpec, match="leave out background and multi_label, or give one class"):
        run(file, output, **options, spec=SpecOptions(multi_label=True, outputs="probabilities"))


@pytest.mark.parametrize("classes", ["cat,dog", "dog,"])
def test_one_output_that_may_be_a_probability_has_to_be_named(
    source: Callable[..., Path], tmp_path: Path, classes: str
) -> None:
    """Taken for logits, probabilities would all become ones above 0.5."""
    file = source(torch.sigmoid, classes=1)
    with pytest.raises(BadSource, match="only output is between 0 and 1: give --outputs probabilities if"):
        run(file, tmp_path / "out.safetensors", classes=classes, architecture="mine")
    options = {"classes": classes, "architecture": "mine", "spec": SpecOptions(outputs="logits")}
    assert imported(file, tmp_path / "out.safetensors", **options).spec.outputs == "logits"


def write_names(folder: Path, *names: str) -> str:
    (folder / "names.txt").write_text("\n".join(names) + "\n")
    return str(folder / "names.txt")


def test_without_gradients_it_says_what_works(source: Callable[..., Path], tmp_path: Path) -> None:
    file = source(lambda scores: (scores.detach() * 10).round() / 10)
    printed = run(file, tmp_path / "out.safetensors", classes=CLASSES, architecture="mine")
    assert "warning: gradients with respect to the pixels do not flow through this network" in printed
    assert not checkpoint.read(tmp_path / "out.safetensors").spec.differentiable
    assert "| gradients with respect to the pixels | no |" in (tmp_path / "out.md").read_text()


def test_a_preprocessing_that_is_not_the_librarys_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here torchvision's network pretends to have been used with other pictures: brighter by a tenth."""
    original = state_dicts.read

    def brighter(*arguments: Any, **options: Any) -> SourceModel:
        model = original(*arguments, **options)
        preprocessing = model.preprocessing
        assert preprocessing is not None
        return replace(model, preprocessing=lambda image: preprocessing(image) + 0.1)

    monkeypatch.setattr(state_dicts, "read", brighter)
    file = write(tmp_path / "w.pth", source_network("squeezenet1_1", 3).state_dict())
    with pytest.raises(BadSource, match="the preprocessing of torchvision for this model cannot be reproduced: give"):
        run(file, tmp_path / "out.safetensors", classes=CLASSES)
    assert not (tmp_path / "out.safetensors").exists()


def test_a_checkpoint_that_does_not_load_again_is_not_left_behind(
    source: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older one stays, and so does its card."""
    output = tmp_path / "out.safetensors"
    run(source(), output, classes=CLASSES, architecture="mine")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(path: Path) -> None:
        raise BadCheckpoint(f"{path.name} gives other logits here")

    monkeypatch.setattr(module.checkpoint, "load", fail)
    with pytest.raises(BadCheckpoint):
        run(source(), output, classes="x,y,z", architecture="mine", overwrite=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "names",
    ["\x1b[31mred,\x1b]0;title\x07,c", "a\nb,# heading,c", "\u202eevil,b,c", "<img src=x>,`b`,[c](d)", "../../x,a|b,c"],
)
def test_hostile_names_of_classes_reach_no_terminal_and_no_markdown(
    source: Callable[..., Path], tmp_path: Path, names: str
) -> None:
    """No control character is printed or written; in the card a name stays in its line, as code."""
    printed = run(source(), tmp_path / "out.safetensors", classes=names, architecture="mine")
    card = (tmp_path / "out.md").read_text()
    stored = checkpoint.load(tmp_path / "out.safetensors")[1]
    for text in (printed, card, *stored.spec.classes):
        assert all(character.isprintable() or character == "\n" for character in text)
    assert card.count("\n# ") == 0, "the only heading of the first level is the card's own"
    first = next(line for line in card.splitlines() if line.startswith("A `mine`"))
    assert all(f"`{name}`" in first or f"`` {name} ``" in first for name in stored.spec.classes)
