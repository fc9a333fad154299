"""The digest of weights of types that NumPy does not have."""

import hashlib

import torch
from torch import nn

from models.store import weights_digest


def test_weights_in_bfloat16_have_a_digest() -> None:
    """NumPy has no such numbers; the bytes are those of the weights in memory."""
    network = nn.Linear(2, 1, bias=False, dtype=torch.bfloat16)
    data = network.weight.detach().view(torch.int16).numpy().tobytes()
    assert weights_digest(network, "spec") == hashlib.sha256(b"spec" + b"weight" + data).hexdigest()
