"""The probabilities that a classifier's logits stand for."""

from jaxtyping import Float
from torch import Tensor

from models.spec import Spec


def probabilities(logits: Float[Tensor, "*n k"], spec: Spec) -> Float[Tensor, "*n k"]:
    """The probability of each class, in [0, 1].

    They add up to 1, except for a network of several labels per picture: then each is the sigmoid of its own logit.
    """
    return logits.sigmoid() if spec.multi_label else logits.softmax(dim=-1)
