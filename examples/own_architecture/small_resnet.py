"""A residual network for pictures of about 64 x 64 pixels (He et al. 2015, arxiv.org/abs/1512.03385)."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn


class Block(nn.Module):
    """Two convolutions, to which the input is added; the first one halves height and width."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, out_channels, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Conv2d(channels, out_channels, 1, stride=2)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.relu(self.first_norm(self.first(x)))
        return self.relu(self.second_norm(self.second(inner)) + self.shortcut(x))


class SmallResNet(nn.Module):
    """Pixels [n, 3, h, w] to class scores [n, classes]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.blocks = nn.Sequential(Block(16, 32), Block(32, 64), Block(64, 128))
        self.head = nn.Linear(128, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(pixels)).mean(dim=(2, 3)))


def architectures() -> Mapping[str, Callable[[int], nn.Module]]:
    """What Mirage asks for: each network by its name, as a function of the number of classes."""
    return {"small_resnet": SmallResNet}
