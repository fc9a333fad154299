"""LitServe around the network: python -m benchmarks.peers.litserve_server PORT WORKERS BATCH TIMEOUT_S.

It runs in an environment that has LitServe; the project's own packages are on its path.
"""

import sys
from typing import Any

import litserve
import torch
from fastapi import Request
from torch import Tensor

from benchmarks.peers.network import answers, load, preprocess


class Classify(litserve.LitAPI):  # type: ignore[misc]
    """Decodes in the worker, stacks what waits, and answers it in one pass."""

    def setup(self, device: str) -> None:
        """Load the network. Several workers share the cores: each has its part of the threads."""
        if WORKERS > 1:
            torch.set_num_threads(max(1, torch.get_num_threads() // WORKERS))
        self.classifier = load()

    def decode_request(self, request: Request) -> Tensor:
        """The picture of the form field `image` as the network sees it.

        LitServe reads the annotation: for `Request` it passes the form's fields, for anything else a parsed query.
        """
        return preprocess(request["image"].file.read(), self.classifier)

    def batch(self, inputs: list[Tensor]) -> Tensor:
        """One tensor of all pictures."""
        return torch.stack(inputs)

    def predict(self, pixels: Tensor) -> list[dict[str, Any]]:
        """One answer per picture."""
        return answers(pixels, self.classifier)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers one by one."""
        return output

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """JSON."""
        return output


PORT, WORKERS, BATCH = (int(value) for value in sys.argv[1:4])
TIMEOUT_S = float(sys.argv[4])

if __name__ == "__main__":
    api = Classify(max_batch_size=BATCH, batch_timeout=TIMEOUT_S, api_path="/classify")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=WORKERS, timeout=False)
    server.run(host="127.0.0.1", port=PORT, generate_client_file=False, log_level="error")
