"""A class and a channel as what a picture is to be seen as."""

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
def test_losses_by_hand(objective: str, losses: list[float]) -> None:
    query = of_class(objective).query(torch.rand(2, 3, 16, 16), gradients=True)
    assert query.objective is not None and query.layer is None and query.apart
    assert (2 * query.objective(LOGITS)).tolist() == pytest.approx(losses), "each row has its half of the mean"


def test_the_last_class_has_others_too() -> None:
    """The margin of the largest logit is negative: it leads."""
    subject = ClassSubject(2, unnormalised(3, 16), "margin")
    query = subject.query(torch.rand(2, 3, 16, 16), gradients=True)
    assert query.objective is not None and query.objective(LOGITS).tolist() == [-1.0, 0.0]


def test_a_class_is_seen_by_its_probability() -> None:
    seen = of_class("logit").strength(Answer(LOGITS))
    assert seen.tolist() == pytest.approx([0.1141952, 1 / 3])
    assert of_class("logit").label == "class 1"
    assert of_class("logit").query(torch.rand(1, 3, 16, 16), gradients=False).objective is None


@pytest.fixture
def pool() -> Classifier:
    return Classifier(TwoChannelNetwork(), unnormalised(2, 16))


def test_a_channel_is_seen_by_its_mean(pool: Classifier) -> None:
    """Red minus a half, of red 0.75; and its loss is minus that, by its unit, with the gradient of one channel."""
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


def test_its_unit_is_what_noise_calls_forth(pool: Classifier) -> None:
    """Of uniform noise red minus a half has mean 0 and mean magnitude 1/4; after the ReLU both are 1/8."""
    for layer, unit, mean in (("convolution", 0.25, 0.0), ("relu", 0.125, 0.125)):
        passes = Passes()
        task = ChannelSubject(pool.layers.find(layer), 1).measured_on_noise(pool.spec, torch.device("cpu"), passes)
        subject, on_noise = run(task, pool)
        assert subject.unit == pytest.approx(unit, abs=0.01) and on_noise == pytest.approx(mean, abs=0.02)
        assert (passes.forward, passes.backward) == (4, 0)


def test_a_silent_channel_has_a_unit_all_the_same(pool: Classifier) -> None:
    pool.network[1].convolution.bias.data[:] = -10.0
    task = ChannelSubject(pool.layers.find("relu"), 0).measured_on_noise(pool.spec, torch.device("cpu"), Passes())
    subject, on_noise = run(task, pool)
    assert (subject.unit, on_noise) == (1.0, 0.0)


def test_a_channel_of_tokens(tiny: Classifier) -> None:
    """Whatever the layer's shape, the mean is that of its map."""
    layer = tiny.layers.find("7")
    subject = ChannelSubject(layer, 2)
    (answer,) = tiny.answer([Query(torch.rand(3, 3, 32, 32), layer="7")])
    assert answer.activations is not None
    torch.testing.assert_close(subject.strength(answer), maps(answer.activations)[:, 2, 0, 0])
