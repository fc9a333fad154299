"""The head of a network, which is the layer that gives the class scores, and the features before it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.architectures.errors import BadWeights

NO_HEAD = (
    "the class scores of this network are not the output of its last linear layer, so its head cannot be replaced: it "
    "can be imported and served, but not trained here"
)


def head_name(network: nn.Module) -> str:
    """The dotted name of the layer that gives the class scores: the last Linear or Conv2d of the network.

    Raises BadWeights if it has neither.
    """
    layers: list[str] = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    if not layers:
        raise BadWeights(NO_HEAD)
    return layers[-1]


def head(network: nn.Module) -> nn.Linear | nn.Conv2d:
    """The layer that gives the class scores."""
    layer = network.get_submodule(head_name(network))
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    return layer


def features(network: nn.Module, model_input: Float[Tensor, "n c s s"]) -> Float[Tensor, "n d"]:
    """The input of the head, averaged over height and width where the head is a convolution (SqueezeNet)."""
    head_inputs: list[Tensor] = []
    hook = head(network).register_forward_pre_hook(lambda _, inputs: head_inputs.append(inputs[0]))
    try:
        # Calling a compiled network would run code that may have been compiled without the hook.
        network.forward(model_input)
    finally:
        hook.remove()
    (before_head,) = head_inputs
    return before_head.mean(dim=(2, 3)) if before_head.ndim == 4 else before_head


def set_head(network: nn.Module, weight: Float[Tensor, "k d"], bias: Float[Tensor, " k"]) -> None:
    """Copy a linear classifier of the features into the head: logits = weight @ features + bias."""
    layer = head(network)
    assert layer.bias is not None
    with torch.no_grad():
        layer.weight.copy_(weight.reshape(layer.weight.shape))
        layer.bias.copy_(bias)


def check_head(network: nn.Module, pixels: Float[Tensor, "n c i j"]) -> None:
    """Raise BadWeights unless the class scores of these pixels are what the head outputs, whatever that is.

    Only then can a linear classifier of the features take the place of the head. Random numbers take the place of its
    output, since a ReLU behind the head, for example, does not change scores above 0.
    """
    outputs: list[Tensor] = []
    random = torch.Generator().manual_seed(0)

    def replace(_: nn.Module, __: object, output: Tensor) -> Tensor:
        outputs.append(torch.randn(output.shape, generator=random).to(output))
        return outputs[-1]

    hook = head(network).register_forward_hook(replace)
    try:
        with torch.no_grad():
            scores = network(pixels)
    finally:
        hook.remove()
    if len(outputs) != 1 or outputs[0].numel() != scores.numel() or not outputs[0].view_as(scores).equal(scores):
        raise BadWeights(NO_HEAD)
