"""A frozen network on a device, that answers queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.fold import fold_batch_norms
from models.layers import Layers, layers, watching
from models.preprocessing import preprocess, to_float
from models.query import Answer, Query
from models.spec import Spec


class Normalize(nn.Module):
    """(pixels - mean) / std per channel: the network's first layer, so that everybody else counts pixels in [0, 1].

    For a network of one channel colours become grey first, as Pillow's "L" has it (ITU-R 601).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(spec.mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(spec.std).reshape(1, -1, 1, 1))
        self.grey = spec.channels == 1

    def forward(self, pixels: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n c s s"]:
        if self.grey:
            red, green, blue = pixels.split(1, dim=1)
            pixels = 0.299 * red + 0.587 * green + 0.114 * blue
        return (pixels - self.mean) / self.std


class Classifier:
    """One model as it is served: weights frozen, evaluation mode, float32, normalisation and temperature inside.

    The law that makes shared batches sound: a row of an answer never depends on the other rows.
    """

    def __init__(self, network: nn.Module, spec: Spec, *, device: torch.device | str = "cpu") -> None:
        self.spec = spec
        self.device = torch.device(device)
        if self.device.type == "cuda":
            # TF32 keeps 10 bits of a product, and which ones depends on the batch: a verdict near the border would too.
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cuda.matmul.allow_tf32 = False
        self.network = nn.Sequential(Normalize(spec), network).eval().requires_grad_(False)
        # channels_last: passes take 0.79 to 0.88 of the time on two AVX-512 cores (docs/benchmarks.md)
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def fold(self) -> "Classifier":
        """A classifier that says the same in less time, for use alone: its weights are no longer the checkpoint's."""
        shape = (self.spec.channels, self.spec.input_size, self.spec.input_size)
        return Classifier(fold_batch_norms(self.network[1], shape), self.spec, device=self.device)

    def logits(self, pixels: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n k"]:
        """Class scores of pixels in [0, 1] at the model's input size, divided by the temperature."""
        on_device = pixels.to(self.device, memory_format=torch.channels_last)
        scores: Tensor = self.network(on_device)
        return scores / self.spec.temperature

    @cached_property
    def layers(self) -> Layers:
        """The layers that a query may name; takes one pass through the network, the first time."""
        side = self.spec.input_size
        noise = torch.randn(2, self.spec.channels, side, side, generator=torch.Generator().manual_seed(0))
        return layers(self.network[1], noise.to(self.device))

    def answer(self, queries: Sequence[Query]) -> list[Answer]:
        """Answer several queries in one pass through the network; one backward pass serves all that want gradients."""
        sizes = [len(query.pixels) for query in queries]
        pixels = torch.cat([query.pixels.detach() for query in queries])
        named = sorted({query.layer for query in queries if query.layer})
        wants_gradients = any(query.objective is not None for query in queries)
        with torch.set_grad_enabled(wants_gradients), watching(self.network[1], named) as seen:
            logits = self.logits(pixels.requires_grad_(wants_gradients)).split(sizes)
            inside = {name: seen[name].split(sizes) for name in named}
            asked = [
                _Asked(query, logits[number], inside[query.layer][number] if query.layer else None)
                for number, query in enumerate(queries)
            ]
            losses = [each.losses() for each in asked]
            if not wants_gradients:
                return [each.answer() for each in asked]
            toward = [pixels, *(seen[name] for name in named)]
            total = torch.cat([loss for loss in losses if loss is not None]).sum()
            # materialize: a layer that an objective within an earlier one does not read has a gradient of 0.
            slopes = torch.autograd.grad(total, toward, materialize_grads=True)
        toward_pixels, *toward_layers = (slope.split(sizes) for slope in slopes)
        by_name = dict(zip(named, toward_layers, strict=True))
        return [
            each.answer(loss, toward_pixels[number], by_name[each.query.layer][number] if each.query.layer else None)
            for number, (each, loss) in enumerate(zip(asked, losses, strict=True))
        ]

    def probabilities(self, pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        """Class probabilities of pictures in [0, 1] of any size, preprocessed: for notebooks and evaluation."""
        with torch.no_grad():
            return self.logits(preprocess(pixels.to(self.device), self.spec)).softmax(dim=1)

    def warm_up(self) -> None:
        """One forward and backward pass, so that the first request does not pay for lazy initialisation."""
        grey = to_float(torch.full((1, 3, self.spec.input_size, self.spec.input_size), 128, dtype=torch.uint8))
        self.answer([Query(grey.to(self.device), lambda logits: logits[:, 0])])
        _ = self.layers  # found once, and not while somebody waits


@dataclass(frozen=True)
class _Asked:
    """A query with its rows of what a pass said, still in the graph."""

    query: Query
    logits: Tensor
    activations: Tensor | None

    def losses(self) -> Tensor | None:
        if self.query.objective is None:
            return None
        read = self.activations if self.query.within else self.logits
        assert read is not None, "an objective within a layer names it"
        return self.query.objective(read)

    def answer(
        self, losses: Tensor | None = None, gradients: Tensor | None = None, slopes: Tensor | None = None
    ) -> Answer:
        activations = None if self.activations is None else self.activations.detach()
        if losses is None:
            return Answer(self.logits.detach(), activations=activations)
        return Answer(
            self.logits.detach(), losses.detach(), gradients, activations, None if self.query.within else slopes
        )


def choose_device(wanted: str = "auto") -> torch.device:
    """`auto` takes cuda, else mps, else the CPU; raises RuntimeError when the named device is not there."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(wanted)
    try:
        torch.empty(1, device=device)
    except AssertionError as error:  # what a build of PyTorch without CUDA says
        raise RuntimeError(str(error)) from error
    return device
