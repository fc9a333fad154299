from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import checkpoint, pictures
from models.classify import classify
from models.ideal import imagine
from models.run import run
from models.store import load
from tests.training.drawn import encoded, grating, write_gratings
from tests.training.runs import RECIPE, fit_options, quiet, stop_after, weights
from training.fit import fit
from training.options import FitOptions
from training.run_state import BadRun


@pytest.fixture(scope="module")
def in_grey(tmp_path_factory: pytest.TempPathFactory, pretrained: Path) -> FitOptions:
    """A run on gratings without colours, from pretrained weights for pictures with colours."""
    place = tmp_path_factory.mktemp("grey")
    data = write_gratings(place / "grey", {"Upright": 20, "Level": 20}, mode="L")
    options = fit_options(place, data, pretrained, recipe=replace(RECIPE, grey=True))
    fit(options, quiet())
    return options


def test_a_network_of_one_channel_classifies_correctly(in_grey: FitOptions) -> None:
    """The gratings are new, as grey files and as files with colours, which are converted to grey."""
    model = load("stripes", folder=in_grey.output.parent)
    assert model.spec.channels == 1 and model.spec.classes == ("Level", "Upright")
    assert weights(in_grey.output)["conv1.0.weight"].shape[1] == 1
    for label, name in enumerate(("Upright", "Level")):
        for mode in ("L", "RGB"):
            picture = pictures.decode(encoded(grating(label, 1000).convert(mode)))
            assert run(classify(picture, model.spec), model.classifier)[0].label == name
    assert model.provenance["metrics"]["accuracy"] == 1


def test_a_network_of_one_channel_draws_in_grey(in_grey: FitOptions) -> None:
    """The probability of its class is the same when the drawn picture is classified.

    On some processors passes of one row and of several use different kernels, and this network, trained for a few
    steps, enlarges their rounding: the second probability is 0.2483 or 0.2470 there, and 0.2484 in double precision.
    """
    model = load("stripes", folder=in_grey.output.parent)
    for name in ("Upright", "Level"):
        drawn = imagine(model, name, steps=4).pictures[0]
        red, green, blue = drawn.picture
        assert torch.equal(red, green) and torch.equal(green, blue)
        probabilities = {
            row.label: row.probability for row in run(classify(drawn.picture, model.spec), model.classifier)
        }
        assert probabilities[name] == pytest.approx(drawn.score.strength, abs=5e-3)


def test_the_stored_command_has_the_option_grey(in_grey: FitOptions) -> None:
    provenance = checkpoint.read(in_grey.output).provenance
    assert " --grey " in provenance["command"] and provenance["recipe"]["grey"] is True


def test_a_run_in_colours_is_not_resumed_in_grey(
    tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(0, monkeypatch, fit_options(tmp_path, data, pretrained))
    with pytest.raises(BadRun, match="had grey False, not True"):
        fit(fit_options(tmp_path, data, pretrained, recipe=replace(RECIPE, grey=True), resume=True), quiet())
