"""Tests what the check on photos says, and that nothing is imported when it finds a mistake."""

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn
from typer.testing import CliRunner, Result

from models import checkpoint
from models.classifier import Classifier
from models.spec import Spec
from tests.training.drawn import write_gratings
from training.__main__ import app
from training.importing.alternatives import alternatives
from training.importing.check import CheckedPhotos, accuracy_text, check_photos, check_text, refusal
from training.importing.class_order import Reordering
from training.importing.doctor import Diagnosis
from training.importing.options import ImportOptions
from training.importing.trial import Scores, Trial

SPEC = Spec("squeezenet1_1", ("ant", "bee", "cat", "dog"))
ALTERNATIVES = {alternative.name: alternative for alternative in alternatives(SPEC)}
PHOTOS = 200


def scores(right: int, classes: int = 4, photos: int = PHOTOS) -> Scores:
    """Scores with so many right answers, of photos of all classes in turn."""
    labels = torch.arange(photos) % classes
    answers = torch.where(torch.arange(photos) < right, labels, (labels + 1) % classes)
    return Scores(2 * torch.eye(classes)[answers], labels)


def trial(name: str, before: Scores, after: Scores) -> Trial:
    return Trial(ALTERNATIVES[name], after, before)


def text(diagnosis: Diagnosis, spec: Spec = SPEC) -> list[str]:
    """The lines that are printed."""
    photos = CheckedPhotos("pets.zip", (), "all", Path("my models/mine.classes.txt"))
    return [accuracy_text("pets.zip", diagnosis.asked), *check_text(photos, diagnosis, spec).split("\n")]


def test_a_healthy_model() -> None:
    diagnosis = Diagnosis(scores(180))
    assert text(diagnosis) == [
        "90.00% of 200 photos of pets.zip are classified correctly (95 % interval 85.06% to 93.43%)",
        "no other normalisation, order of colours, resize, crop or order of classes does clearly better",
    ]


def test_mistakes_are_listed_with_the_options_that_undo_all_of_them() -> None:
    first, second, third = scores(100), scores(150), scores(190)
    half, blue = "normalisation to values from -1 to 1", "channels in the order BGR"
    diagnosis = Diagnosis(first, (trial(half, first, second), trial(blue, second, third)))
    _, *lines = text(diagnosis)
    assert lines == [
        f"likely mistake: with {half} it would be 75.00% instead of 50.00% (loss 0.837 instead of 1.24, "
        f"p = {diagnosis.better[0].p_value:.1g})",
        f"likely mistake: with {blue} as well it would be 95.00% instead of 75.00% (loss 0.253 instead of 0.837, "
        f"p = {diagnosis.better[1].p_value:.1g})",
        "give --mean 0.5 --std 0.5 --colours BGR",
    ]
    assert refusal(diagnosis) == (
        "no checkpoint was written: repeat the command with the options above, or with --anyway to write it as it is"
    )


def test_another_order_of_few_classes_is_given_on_the_command_line() -> None:
    spec = replace(SPEC, classes=("ant", "bee", "Cat's paw", "dog"))
    order = Reordering("the classes in the reverse order", (3, 2, 1, 0), accuracy=0.9, before=0.1)
    _, *lines = text(Diagnosis(scores(20), (order,)), spec)
    assert lines == [
        "likely mistake: with the classes in the reverse order it would be 90.00% instead of 10.00%",
        "give --classes 'dog,Cat'\"'\"'s paw,bee,ant'",
    ]


@pytest.mark.parametrize(
    "names", [tuple(f"plant {number}" for number in range(50)), ("ant", "tench, Tinca tinca", "bee", "cat")]
)
def test_another_order_of_many_classes_or_of_names_with_commas_is_in_a_file(names: tuple[str, ...]) -> None:
    order = Reordering("the classes in the reverse order", tuple(range(len(names)))[::-1], accuracy=0.9, before=0.1)
    _, _, line = text(Diagnosis(scores(180), (order,)), replace(SPEC, classes=names))
    assert line == "give --classes 'my models/mine.classes.txt'"


def test_an_order_that_fits_says_of_how_many_classes_there_are_photos() -> None:
    order = Reordering("the classes in another order", (1, 0, 2, 3, 4), accuracy=0.9, before=0.1, is_fitted=True)
    spec = replace(SPEC, classes=(*SPEC.classes, "eel"))
    *_, line = text(Diagnosis(scores(20), (order,)), spec)
    assert line == "there are photos of 4 of the 5 classes: the order of the others is a guess"
    *_, line = text(Diagnosis(scores(20), (replace(order, is_fitted=False),)), spec)
    assert line.startswith("give")


def test_mistakes_that_show_only_together_are_one_sentence() -> None:
    chance, name = scores(50), "normalisation to values from 0 to 255"
    order = Reordering("each class one output later", (3, 0, 1, 2), accuracy=0.9, before=0.2)
    _, *lines = text(Diagnosis(chance, (trial(name, chance, chance), order)))
    assert lines == [
        f"likely mistake: with {name}, and each class one output later it would be 90.00% instead of 20.00%",
        "give --mean 0 --std 0.00392157 --classes dog,ant,bee,cat",
    ]


def test_a_model_at_chance_level_is_said_to_be_so() -> None:
    diagnosis = Diagnosis(scores(50))
    _, *lines = text(diagnosis)
    assert lines == [
        "the accuracy is at chance level, and nothing that was tried helps: are the weights those of this "
        "architecture, trained, and are --classes and the labels of the photos right?"
    ]
    assert refusal(diagnosis) == "no checkpoint was written: give --anyway to write it as it is"
    *_, line = text(Diagnosis(scores(0, classes=150)))
    assert line == "an unusual order of the classes is found only with two photos or more of most classes"


def test_few_photos_are_said_to_be_few() -> None:
    *_, line = text(Diagnosis(scores(36, photos=40)))
    assert line == "with 40 photos only large mistakes are found: 100 or more are better"


def test_photos_of_one_class_are_said_to_show_little() -> None:
    logits, labels = torch.eye(4)[torch.zeros(40, dtype=torch.long)], torch.zeros(40, dtype=torch.long)
    *_, line = text(Diagnosis(Scores(logits, labels)))
    assert line == (
        "all photos are of one class: whether the model tells it from others was not measured, and mistakes were not "
        "looked for"
    )


class Colours(nn.Module):
    """A network of three classes: red, blue and green pictures, by the mean of each channel, in any units."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.head = nn.Linear(3, classes)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.weight[0, 0] = self.head.weight[1, 2] = self.head.weight[2, 1] = 20.0
            self.head.bias.fill_(-100.0)[:3] = 0.0

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(pixels.mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of reddish, bluish and greenish photos, 20 of each."""
    return write_gratings(tmp_path_factory.mktemp("data") / "photos", {"red": 20, "blue": 20, "green": 20})


def test_many_names_in_another_order_are_written_to_a_file(coloured: Path, tmp_path: Path) -> None:
    """The 63 names are in alphabetical order, and the network's outputs are not.

    The metrics are those of the names as they were given: no photo is classified correctly.
    """
    names = tuple(sorted(["red", "blue", "green", *(f"shade {number}" for number in range(60))]))
    spec = Spec("squeezenet1_1", names, input_size=32, resize=32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    options = ImportOptions(source="program.pt2", output=tmp_path / "mine.safetensors", check=coloured)
    checked = check_photos(options, spec, Console())
    assert checked.to_json() == {}
    diagnosis = checked.diagnose(Classifier(Colours(63), spec), Console())
    assert diagnosis.reordering is not None and diagnosis.reordering.is_fitted
    assert (diagnosis.asked.accuracy, diagnosis.reordering.accuracy) == (0, 1)
    written = (tmp_path / "mine.classes.txt").read_text(encoding="utf-8").splitlines()
    assert written[:3] == ["red", "blue", "green"] and sorted(written) == list(names)
    json = checked.to_json()
    assert (json["metrics"]["accuracy"], json["metrics"]["split"], json["checked_on"]) == (0, "all", "photos")
    (found,) = checked.findings
    assert found.startswith("likely mistake: with the classes in another order it would be 100.00% instead of 0.00%")
    checked.diagnose(Classifier(Colours(63), spec), Console())
    assert checked.names == tmp_path / "mine.classes.2.txt" and checked.names.is_file(), "none is overwritten"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported program of `Colours`."""
    file = tmp_path_factory.mktemp("program") / "program.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = torch.export.Dim("rows")
        exported = torch.export.export(Colours(), (torch.rand(2, 3, 32, 32),), dynamic_shapes=({0: rows},))
        torch.export.save(exported, file)
    return file


def run_import(program: Path, output: Path, *options: str) -> Result:
    fixed = ("--classes", "red,blue,green", "--input-size", "32", "--resize", "32", "--mean", "0", "--std", "1")
    arguments = ["import", str(program), "--output", str(output), *fixed, *options]
    return CliRunner(env={"COLUMNS": "400"}).invoke(app, arguments)


def test_nothing_is_imported_with_a_mistake_until_it_is_undone(program: Path, coloured: Path, tmp_path: Path) -> None:
    """A reddish picture with red and blue swapped is a bluish one; the greenish third is right in any case."""
    output = tmp_path / "mine.safetensors"
    cache = ("--cache", str(tmp_path / "cache"))
    blue_first = run_import(program, output, "--check", str(coloured), "--colours", "BGR", *cache)
    assert blue_first.exit_code == 2, blue_first.output
    assert "33.33% of 60 photos of photos are classified correctly" in blue_first.output
    assert "likely mistake: with channels in the order RGB it would be 100.00% instead of 33.33%" in blue_first.output
    assert "\ngive --colours RGB\n" in blue_first.output
    assert "error: no checkpoint was written: repeat the command with the options above" in blue_first.output
    assert not output.exists()
    followed = run_import(program, output, "--check", str(coloured), "--colours", "RGB", *cache)
    assert followed.exit_code == 0, followed.output
    assert "100.00% of 60 photos of photos are classified correctly" in followed.output
    contents = checkpoint.read(output)
    assert (contents.provenance["metrics"]["accuracy"], contents.spec.channel_names) == (1, "RGB")


def test_a_mistake_is_imported_where_it_is_wanted(program: Path, coloured: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.safetensors"
    options = ("--check", str(coloured), "--colours", "BGR", "--anyway", "--cache", str(tmp_path / "cache"))
    result = run_import(program, output, *options)
    assert result.exit_code == 0, result.output
    assert "likely mistake" in result.output
    assert checkpoint.read(output).spec.channel_names == "BGR"
