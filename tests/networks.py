"""Networks whose outputs are known in closed form, and classifiers that count or record their queries."""

import torch
from torch import Tensor, nn

from models.classifier import Classifier
from models.query import Answer, Query
from models.spec import Spec


class LinearNetwork(nn.Module):
    """logits = weight . pixels + bias, so that gradients and attacks have closed forms."""

    def __init__(self, classes: int, side: int, seed: int = 0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        self.layer = nn.Linear(3 * side * side, classes)
        with torch.no_grad():
            self.layer.weight.copy_(torch.randn(self.layer.weight.shape, generator=random) / side)
            self.layer.bias.copy_(torch.randn(classes, generator=random) / 10)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layer(pixels.flatten(1))


class TwoChannelNetwork(nn.Module):
    """A 1 x 1 convolution to two channels (the mean of the colours, and red - 0.5), a ReLU in place, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.relu, self.head = nn.Conv2d(3, 2, 1), nn.ReLU(inplace=True), nn.Linear(2, 2)
        self.convolution.weight.data = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [1.0, 0, 0]]).reshape(2, 3, 1, 1)
        self.convolution.bias.data = torch.tensor([0.0, -0.5])
        self.head.weight.data, self.head.bias.data = torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.zeros(2)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(self.relu(self.convolution(pixels)).mean(dim=(2, 3)))


def unnormalised(classes: int, side: int, **fields: object) -> Spec:
    """Return a spec without normalisation, whose preprocessing does not change pictures of `side` x `side`."""
    names = tuple(f"class {index}" for index in range(classes))
    sizes = {"input_size": side, "resize": side}
    return Spec("squeezenet1_1", names, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), **{**sizes, **fields})


def normalise_by(network: nn.Module, pictures: Tensor) -> nn.Module:
    """Put a network into eval mode with the statistics of these pictures in its batch norms.

    A channel that hardly varies would be divided by almost zero, which would enlarge the rounding of float32: logits of
    thousands, and gradients that differ by percents between machines. So a tenth of the mean variance of the layer is
    added to every variance.
    """
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = None  # a plain mean over batches, here of one
    with torch.no_grad():
        network.train()(pictures)
        for layer in norms:
            assert layer.running_var is not None
            layer.running_var += 0.1 * layer.running_var.mean()
    return network.eval()


class Counting:
    """A classifier that counts forward passes (rows) and backward passes (rows with gradients)."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.forward = self.backward = 0

    def answer(self, queries: list[Query]) -> list[Answer]:
        self.forward += sum(len(query.pixels) for query in queries)
        self.backward += sum(len(query.pixels) for query in queries if query.objective)
        return self.classifier.answer(queries)


class Recording(Counting):
    """A counting classifier that also records the pixels and logits of the first query of every batch."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__(classifier)
        self.pixels: list[Tensor] = []
        self.logits: list[Tensor] = []

    def answer(self, queries: list[Query]) -> list[Answer]:
        answers = super().answer(queries)
        self.pixels.append(queries[0].pixels.clone())
        self.logits.append(answers[0].logits)
        return answers
