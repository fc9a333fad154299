"""Networks whose answers are known in closed form, and classifiers that record the queries they get."""

import torch
from torch import Tensor, nn

from models.classifier import Classifier
from models.query import Answer, Query
from models.spec import Spec


class LinearNetwork(nn.Module):
    """logits = weight . pixels + bias: its gradients and its attacks have closed forms."""

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
    """A spec without normalisation whose pictures of `side` x `side` pass the preprocessing as they are."""
    names = tuple(f"class {index}" for index in range(classes))
    sizes = {"input_size": side, "resize": side}
    return Spec("squeezenet1_1", names, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), **{**sizes, **fields})


def normalise_by(network: nn.Module, pictures: Tensor) -> nn.Module:
    """A network of random weights in eval mode, whose batch norms have the statistics of these pictures.

    A channel that hardly varies over them would be divided by almost nothing, and float32's rounding be enlarged with
    it: logits of thousands, and gradients that depend on the machine's instructions by percents. So no variance is
    below a tenth of its layer's mean.
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
    """A classifier that counts the rows it is asked about, with and without gradients."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.forward = self.backward = 0

    def answer(self, queries: list[Query]) -> list[Answer]:
        self.forward += sum(len(query.pixels) for query in queries)
        self.backward += sum(len(query.pixels) for query in queries if query.objective)
        return self.classifier.answer(queries)


class Recording(Counting):
    """A counting classifier that also keeps the pixels and logits of the first query of each batch."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__(classifier)
        self.pixels: list[Tensor] = []
        self.logits: list[Tensor] = []

    def answer(self, queries: list[Query]) -> list[Answer]:
        answers = super().answer(queries)
        self.pixels.append(queries[0].pixels.clone())
        self.logits.append(answers[0].logits)
        return answers
