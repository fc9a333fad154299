"""Tests the subjects of ideal pictures: classes and channels, their losses and their strengths."""

import pytest
import torch

from models.classifier import Classifier
from models.ideal.subject import ChannelSubject, ClassSubject
from models.layers import maps
from models.query import Answer, Passes, Query
from models.run import run
from tests.networks import TwoChannelNetwork, unnormalised

LOGITS = torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]])


def of_class(objective: str) -> ClassSubject:
    return ClassSubject(1, unnormalised(3, 16), objective)


@pytest.mark.parametrize(
    ("objective", "losses"),
    [
        ("logit", [-2.0, 0.0]),
        ("margin", [4.0 - 2.0, 0.0]),
        ("cross_entropy", [2.16984602, 1.09861229]),  # log(e^-1 + 1 + e^2), log 3
    ],
)
def test_losses_of_every_objective(objective: str, losses: list[float]) -> None:
    query = of_class(objective).query(torch.rand(2, 3, 16, 16), gradients=True)
    assert query.objective is not None and query.layer is None and query.apart
    assert (2 * query.objective(LOGITS)).tolist() == pytest.approx(losses), "the mean of two rows counts half of each"


@pytest.mark.parametrize(
    ("objective", "losses"),
    [
        ("logit", [-2.0, 0.0]),
        ("margin", [-2.0, 0.0]),  # from 0, where a label becomes more probable than not
        ("cross_entropy", [0.12692801, 0.69314718]),  # log(1 + e^-2), log 2
    ],
)
def test_losses_of_a_label(objective: str, losses: list[float]) -> None:
    """The other labels do not matter; the strength is the sigmoid of 2 and of 0, also of a label alone."""
    for spec, index, logits in (
        (unnormalised(3, 16, multi_label=True), 1, LOGITS),
        (unnormalised(1, 16, multi_label=True), 0, LOGITS[:, 1:2]),
    ):
        subject = ClassSubject(index, spec, objective)
        query = subject.query(torch.rand(2, 3, 16, 16), gradients=True)
        assert query.objective is not None
        assert (2 * query.objective(logits)).tolist() == pytest.approx(losses)
        assert subject.strength(Answer(logits)).tolist() == pytest.approx([0.88079708, 0.5])


def test_the_margin_of_the_most_probable_class_is_negative() -> None:
    """Class 2 leads by 4 - 2 = 2, so its loss is -2, of which the mean of two rows counts half."""
    subject = ClassSubject(2, unnormalised(3, 16), "margin")
    query = subject.query(torch.rand(2, 3, 16, 16), gradients=True)
    assert query.objective is not None and query.objective(LOGITS).tolist() == [-1.0, 0.0]


def test_the_strength_of_a_class_is_its_probability() -> None:
    strengths = of_class("logit").strength(Answer(LOGITS))
    assert strengths.tolist() == pytest.approx([0.1141952, 1 / 3])
    assert of_class("logit").label == "class 1"
    assert of_class("logit").query(torch.rand(1, 3, 16, 16), gradients=False).objective is None


@pytest.fixture
def pool() -> Classifier:
    return Classifier(TwoChannelNetwork(), unnormalised(2, 16))


def test_the_strength_of_a_channel_is_its_mean(pool: Classifier) -> None:
    """Red of 0.75 - 0.5 is 0.25; the loss is half of -0.25 / unit, and only red has a gradient."""
    subject = ChannelSubject(pool.layers.find("convolution"), 1, unit=0.5)
    pixels = torch.zeros(2, 3, 16, 16)
    pixels[:, 0] = 0.75
    (answer,) = pool.answer([subject.query(pixels, gradients=True)])
    torch.testing.assert_close(subject.strength(answer), torch.tensor([0.25, 0.25]))
    assert answer.losses is not None and answer.gradients is not None
    torch.testing.assert_close(answer.losses, torch.tensor([-0.25, -0.25]))
    torch.testing.assert_close(answer.gradients[:, 0], torch.full((2, 16, 16), -1 / 256))
    assert not answer.gradients[:, 1:].any()
    assert subject.label == "convolution:1"


def test_the_unit_of_a_channel_is_its_mean_magnitude_on_noise(pool: Classifier) -> None:
    """On uniform noise, red - 0.5 has mean 0 and mean magnitude 1/4; after the ReLU both are 1/8."""
    for layer, unit, mean in (("convolution", 0.25, 0.0), ("relu", 0.125, 0.125)):
        passes = Passes()
        task = ChannelSubject(pool.layers.find(layer), 1).measured_on_noise(pool.spec, torch.device("cpu"), passes)
        subject, on_noise = run(task, pool)
        assert subject.unit == pytest.approx(unit, abs=0.01) and on_noise == pytest.approx(mean, abs=0.02)
        assert (passes.forward, passes.backward) == (4, 0)


def test_the_unit_of_a_channel_that_is_never_active_is_1(pool: Classifier) -> None:
    pool.network[1].convolution.bias.data[:] = -10.0
    task = ChannelSubject(pool.layers.find("relu"), 0).measured_on_noise(pool.spec, torch.device("cpu"), Passes())
    subject, on_noise = run(task, pool)
    assert (subject.unit, on_noise) == (1.0, 0.0)


def test_a_channel_of_a_layer_without_spatial_extent(tiny: Classifier) -> None:
    """For a layer of any shape, the strength is the mean of the map of the channel."""
    layer = tiny.layers.find("7")
    subject = ChannelSubject(layer, 2)
    (answer,) = tiny.answer([Query(torch.rand(3, 3, 32, 32), layer="7")])
    assert answer.activations is not None
    torch.testing.assert_close(subject.strength(answer), maps(answer.activations)[:, 2, 0, 0])
