"""Tests what stands before and after a network: the channels of its input, and logits made of its output."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.classifier import Classifier
from models.network_ends import LEAST, NEAR_ONE, Logits, Normalize, logits_layer
from models.probabilities import probabilities
from models.query import Query
from models.spec import Spec

RED, GREEN, BLUE = 0.2, 0.4, 0.8
GREY = 0.299 * RED + 0.587 * GREEN + 0.114 * BLUE
"""Grey by ITU-R 601, as in Pillow's mode L."""


def spec_of(classes: int = 3, **fields: Any) -> Spec:
    names = tuple(f"class {index}" for index in range(classes))
    return Spec("squeezenet1_1", names, **{"input_size": 16, "resize": 16, **fields})


@pytest.mark.parametrize(
    ("colours", "expected"),
    [
        ("RGB", (RED, GREEN, BLUE)),
        ("BGR", (BLUE, GREEN, RED)),
        ("RGBA", (RED, GREEN, BLUE, 1.0)),
        ("BGRA", (BLUE, GREEN, RED, 1.0)),
        ("L", (GREY,)),
        ("LA", (GREY, 1.0)),
    ],
)
def test_the_channels_of_the_input(colours: str, expected: tuple[float, ...]) -> None:
    """A mean of 0.1, 0.2, ... is subtracted, and divided by 0.5, 1, ..., by hand for each channel in order."""
    count = len(expected)
    mean, std = tuple(0.1 * (k + 1) for k in range(count)), tuple(0.5 * (k + 1) for k in range(count))
    spec = spec_of(colours=colours, mean=mean, std=std)
    assert spec.channels == count and spec.channel_names == colours
    pixels = torch.tensor([RED, GREEN, BLUE]).reshape(1, 3, 1, 1).expand(2, 3, 4, 5)
    values = torch.tensor([(value - m) / s for value, m, s in zip(expected, mean, std, strict=True)])
    torch.testing.assert_close(Normalize(spec)(pixels), values.reshape(1, count, 1, 1).expand(2, count, 4, 5))


def test_without_colours_one_mean_is_grey_and_three_are_red_green_and_blue() -> None:
    assert spec_of(mean=(0.5,), std=(0.5,)).channel_names == "L"
    assert spec_of().channel_names == "RGB"


@pytest.mark.parametrize("colours", ["BGRA", "LA"])
def test_opacity_has_no_gradient(colours: str) -> None:
    """The gradient of the sum of all channels is that of the colours alone: 1, or the weight of each colour in grey."""
    count = len(colours)
    pixels = torch.rand(1, 3, 2, 2, requires_grad=True)
    output = Normalize(spec_of(colours=colours, mean=(0.0,) * count, std=(1.0,) * count))(pixels)
    (gradient,) = torch.autograd.grad(output.sum(), pixels)
    weights = (1.0, 1.0, 1.0) if colours == "BGRA" else (0.299, 0.587, 0.114)
    torch.testing.assert_close(gradient[0, :, 0, 0], torch.tensor(weights))


def test_logits_of_the_classes_need_no_layer() -> None:
    assert logits_layer(spec_of()) is None and logits_layer(spec_of(multi_label=True)) is None
    for fields in ({"background": True}, {"outputs": "probabilities"}, {"binary": True}):
        assert isinstance(logits_layer(spec_of(2, **fields)), Logits)


@given(logits=st.lists(st.floats(-15, 15), min_size=2, max_size=5))
def test_the_softmax_of_the_logits_are_the_probabilities(logits: list[float]) -> None:
    spec = spec_of(len(logits), outputs="probabilities")
    given = torch.tensor([logits]).softmax(dim=1)
    torch.testing.assert_close(probabilities(Logits(spec)(given), spec), given)


@given(logits=st.lists(st.floats(-15, 15), min_size=1, max_size=5))
def test_the_sigmoid_of_the_logits_are_the_probabilities_of_labels(logits: list[float]) -> None:
    spec = spec_of(len(logits), outputs="probabilities", multi_label=True)
    given = torch.tensor([logits]).sigmoid()
    torch.testing.assert_close(probabilities(Logits(spec)(given), spec), given)


@pytest.mark.parametrize("multi_label", [False, True])
def test_probabilities_of_0_and_1_have_finite_logits_and_a_gradient_of_0(multi_label: bool) -> None:
    """A probability of 0 becomes 1e-30, and a label's of 1 the number below it: 2^-24, so a logit of 24 log 2."""
    spec = spec_of(2, outputs="probabilities", multi_label=multi_label)
    given = torch.tensor([[0.0, 1.0]], requires_grad=True)
    logits = Logits(spec)(given)
    assert logits.isfinite().all()
    torch.testing.assert_close(probabilities(logits, spec), given, rtol=0, atol=1e-7)
    (gradient,) = torch.autograd.grad(logits.sum(), given)
    assert gradient[0, 0] == 0 and (gradient[0, 1] == 0 if multi_label else gradient[0, 1] == 1)
    if multi_label:
        torch.testing.assert_close(logits[0, 1], torch.tensor(24.0).mul(torch.tensor(2.0).log()), rtol=1e-3, atol=0)
    assert torch.tensor(LEAST) > 0 and torch.tensor(NEAR_ONE) < 1, "both are different from 0 and 1 in float32"


def test_the_background_is_left_out() -> None:
    """Of logits nothing else changes; the other probabilities are as large as before relative to each other."""
    outputs = torch.tensor([[5.0, 1.0, 2.0]])
    assert Logits(spec_of(2, background=True))(outputs).tolist() == [[1.0, 2.0]]
    spec = spec_of(2, background=True, outputs="probabilities")
    without_background = probabilities(Logits(spec)(torch.tensor([[0.6, 0.1, 0.3]])), spec)
    torch.testing.assert_close(without_background, torch.tensor([[0.25, 0.75]]))
    labels = spec_of(2, background=True, outputs="probabilities", multi_label=True)
    torch.testing.assert_close(
        probabilities(Logits(labels)(torch.tensor([[0.6, 0.1, 0.3]])), labels), torch.tensor([[0.1, 0.3]])
    )


@given(logit=st.floats(-15, 15))
def test_the_output_of_a_binary_network_is_of_its_second_class(logit: float) -> None:
    """The softmax of the logits -z/2 and z/2 is 1 - sigmoid(z) and sigmoid(z)."""
    spec, output = spec_of(2, binary=True), torch.tensor([[logit]])
    assert spec.network_outputs == 1
    torch.testing.assert_close(Logits(spec)(output), torch.tensor([[-logit / 2, logit / 2]]))
    expected = torch.cat([1 - output.sigmoid(), output.sigmoid()], dim=1)
    torch.testing.assert_close(probabilities(Logits(spec)(output), spec), expected, rtol=0, atol=1e-6)
    of_probabilities = spec_of(2, binary=True, outputs="probabilities")
    torch.testing.assert_close(
        probabilities(Logits(of_probabilities)(output.sigmoid()), spec), expected, rtol=0, atol=1e-6
    )


class Mean(nn.Module):
    """Outputs of a known function of the mean of each channel, which is what the network gets to see."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.last = last

    def forward(self, pixels: Tensor) -> Tensor:
        return self.last(pixels.mean(dim=(2, 3)))


def test_a_classifier_has_both_ends() -> None:
    """The network gets blue, green, red and outputs a softmax over them, of which blue is the background.

    So the logits differ by (red - green) / 0.5, divided by the temperature of 2.
    """
    spec = spec_of(
        2, colours="BGR", mean=(0.0,) * 3, std=(0.5,) * 3, background=True, outputs="probabilities", temperature=2.0
    )
    classifier = Classifier(Mean(nn.Softmax(dim=1)), spec)
    pixels = torch.tensor([RED, GREEN, BLUE]).reshape(1, 3, 1, 1).expand(1, 3, 16, 16)
    for each in (classifier, classifier.fold()):
        (answer,) = each.answer([Query(pixels, lambda logits: logits[:, 0] - logits[:, 1])])
        (without_gradients,) = each.answer([Query(pixels)])
        assert answer.losses is not None and answer.gradients is not None
        torch.testing.assert_close(answer.losses, torch.tensor([(GREEN - RED) / 0.5 / 2]))
        torch.testing.assert_close(without_gradients.logits, answer.logits)
        per_pixel = torch.tensor([-1.0, 1.0, 0.0]) / 0.5 / 2 / 256
        torch.testing.assert_close(answer.gradients, per_pixel.reshape(1, 3, 1, 1).expand(1, 3, 16, 16))
    expected = torch.tensor([[GREEN, RED]]).div(0.5 * 2).softmax(dim=1)
    torch.testing.assert_close(classifier.probabilities(pixels), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("multi_label", [False, True])
def test_logits_of_probabilities_in_half_precision_are_finite(dtype: torch.dtype, multi_label: bool) -> None:
    """Neither LEAST nor NEAR_ONE is a number of these types."""
    layer = Logits(spec_of(2, outputs="probabilities", multi_label=multi_label))
    logits = layer(torch.tensor([[0.0, 1.0]], dtype=dtype))
    assert logits.isfinite().all() and logits[0, 0] < -60 and logits[0, 1] >= 0
