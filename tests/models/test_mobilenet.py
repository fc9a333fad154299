"""Compares MobileNetV2 with torchvision's."""

import torch
from torchvision.models import mobilenet_v2

from models.mobilenet import MobileNetV2


def test_has_torchvisions_weights_layers_and_logits() -> None:
    """The same seed gives the same weights, so what was trained from scratch can be trained again."""
    torch.manual_seed(0)
    theirs = mobilenet_v2(num_classes=7).eval()
    torch.manual_seed(0)
    ours = MobileNetV2(7).eval()
    state = ours.state_dict()
    assert list(state) == list(theirs.state_dict())
    assert all(torch.equal(state[name], value) for name, value in theirs.state_dict().items())
    kinds = [[(name, type(module).__name__) for name, module in network.named_modules()] for network in (ours, theirs)]
    assert kinds[0] == kinds[1]
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(ours(pixels), theirs(pixels))
