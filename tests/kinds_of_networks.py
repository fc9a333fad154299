"""Small classifiers of other kinds than most: of several labels per picture, rectangular, and without gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.classifier import Classifier
from models.preprocessing import preprocess, to_float
from models.spec import Spec
from tests.networks import normalise_by

LABELS = ("person", "bicycle", "traffic light", "dog")


class Linear(nn.Module):
    """logits = weight . pixels + bias for pictures of any height and width; `weight` is [classes, 3, h, w]."""

    def __init__(self, classes: int, size: tuple[int, int], seed: int = 0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        # Weights of neighbouring pixels are alike, so that a change survives where several pixels are averaged.
        coarse = torch.randn(classes, 3, 4, 4, generator=random)
        smooth = nn.functional.interpolate(coarse, size, mode="bilinear", align_corners=False)
        self.weight = nn.Parameter(smooth / (size[0] * size[1]) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.flatten(1) @ self.weight.flatten(1).T + self.bias


class Steps(nn.Module):
    """The logits of a linear network, rounded down to tenths: constant nearly everywhere, like those of trees.

    A detached copy of the pixels goes in, so that there is no gradient at all.
    """

    def __init__(self, linear: Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, pixels: Tensor) -> Tensor:
        return (10 * self.linear(pixels.detach())).floor() / 10


def with_logits(network: Linear, spec: Spec, picture: Tensor, logits: Sequence[float]) -> Classifier:
    """The classifier whose biases are such that it gives these logits for the picture, uint8 [3, h, w]."""
    classifier = Classifier(network, spec)
    pixels = preprocess(to_float(picture).unsqueeze(0), spec)
    with torch.no_grad():
        network.bias += torch.tensor(logits) - classifier.logits(pixels)[0]
    return classifier


def labelling(picture: Tensor, logits: Sequence[float], size: tuple[int, int] = (16, 16)) -> Classifier:
    """A linear classifier of LABELS, as many as there are logits, with these logits for the picture."""
    spec = rectangular_spec(size, classes=LABELS[: len(logits)], multi_label=True)
    return with_logits(Linear(len(logits), size), spec, picture, logits)


def stepping(picture: Tensor, logits: Sequence[float], size: tuple[int, int], **fields: object) -> Classifier:
    """A classifier whose logits are those for the picture, and others for other pictures, all rounded to tenths."""
    spec = rectangular_spec(size, **{"classes": LABELS[: len(logits)], "differentiable": False, **fields})
    linear = Linear(len(logits), size)
    with_logits(linear, spec, picture, logits)
    return Classifier(Steps(linear), spec)


def rectangular_spec(size: tuple[int, int], **fields: object) -> Spec:
    """A spec without normalisation for an input of this height and width."""
    plain = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    return Spec("linear", **{"classes": ("a", "b", "c"), "input_size": size, "resize": size, **plain, **fields})


def convolutional(spec: Spec) -> Classifier:
    """A small convolutional network with batch norms for any spec, which gives different pictures different classes."""
    outputs = spec.network_outputs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(spec.channels, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.SiLU(),
            nn.Conv2d(8, 12, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d((2, 3)),
            nn.Flatten(),
            nn.Linear(72, outputs),
        )
        normalise_by(network, torch.randn(8, spec.channels, *spec.size))
        network[-1].weight.data.mul_(10)
    if spec.outputs == "probabilities":
        network.append(nn.Sigmoid() if spec.multi_label or spec.binary else nn.Softmax(dim=1))
    return Classifier(network, spec)
