"""MobileNetV2 (Sandler et al. 2018, arxiv.org/abs/1801.04381), with the layers, names and weights of torchvision's.

It is the network of the bundled checkpoints. It stands here as well because importing torchvision takes over a second
and 160 MB, which the service saves where no other network is served (docs/decisions/0042).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion of the channels, channels of the output, number of blocks and stride of the first one, for each stage."""
FIRST, LAST = 32, 1280
"""Channels after the first and the last convolution of the features."""


class Conv2dNormActivation(nn.Sequential):
    """A convolution that keeps the size (but for its stride), a batch norm and ReLU6."""

    def __init__(self, before: int, after: int, *, size: int = 3, stride: int = 1, groups: int = 1) -> None:
        convolution = nn.Conv2d(before, after, size, stride, (size - 1) // 2, groups=groups, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(after), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """More channels, a convolution of each alone, fewer channels; plus the input, where the shapes are equal."""

    def __init__(self, before: int, after: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = before * expansion
        self.use_res_connect = stride == 1 and before == after
        widened = [Conv2dNormActivation(before, hidden, size=1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *widened,
            Conv2dNormActivation(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, after, 1, bias=False),
            nn.BatchNorm2d(after),
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        narrowed: Tensor = self.conv(x)
        return x + narrowed if self.use_res_connect else narrowed


class MobileNetV2(nn.Module):
    """Pixels [n, 3, s, s] to logits [n, num_classes]; initialised as torchvision does it."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        features: list[nn.Module] = [Conv2dNormActivation(3, FIRST, stride=2)]
        channels = FIRST
        for expansion, after, blocks, first_stride in STAGES:
            for block in range(blocks):
                features.append(InvertedResidual(channels, after, 1 if block else first_stride, expansion))
                channels = after
        features.append(Conv2dNormActivation(channels, LAST, size=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(LAST, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Float[Tensor, "n c s s"]) -> Float[Tensor, "n k"]:
        features = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        logits: Tensor = self.classifier(torch.flatten(features, 1))
        return logits
