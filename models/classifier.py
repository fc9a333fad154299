"""The classifier: a frozen network on a device, which answers queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.activations import without_copies
from models.fold import fold_batch_norms
from models.layers import Layers, layers, watching
from models.network_ends import Normalize, logits_layer
from models.pass_times import PassTimes
from models.preprocessing import preprocess, to_float
from models.probabilities import probabilities
from models.query import Answer, Query, joint_losses
from models.spec import Spec
from models.unroll import Function, Unrolled, unroll


class Classifier:
    """A network in eval mode with frozen float32 weights; normalisation and temperature are inside.

    A row of an answer never depends on the other rows of its batch, so requests can share batches.
    """

    def __init__(self, network: nn.Module, spec: Spec, *, device: torch.device | str = "cpu") -> None:
        self.spec = spec
        self.device = torch.device(device)
        self.pass_times = PassTimes(self.device)
        if self.device.type == "cuda":
            # TF32 keeps 10 bits of a product, and which ones depends on the size of the batch. Predictions near a
            # decision boundary would depend on it too.
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cuda.matmul.allow_tf32 = False
        ends = [layer for layer in (logits_layer(spec),) if layer is not None]
        self.network = nn.Sequential(Normalize(spec), network, *ends).eval().requires_grad_(False)
        # channels_last: passes take 0.79 to 0.88 of the time on two AVX-512 cores (docs/benchmarks.md)
        self.network.to(self.device)._apply(_channels_last)
        self.unrolled: Function = self.network  # for answers of which no layer is read

    def fold(self) -> "Classifier":
        """A classifier that gives the same logits in less time; its weights are no longer those of the checkpoint.

        They must not be replaced later on.
        """
        folded = Classifier(
            without_copies(fold_batch_norms(self.network[1], (self.spec.channels, *self.spec.size))),
            self.spec,
            device=self.device,
        )
        pixels = torch.rand(2, 3, *self.spec.size, generator=torch.Generator().manual_seed(0))
        on_device = pixels.to(self.device, memory_format=torch.channels_last)
        folded.unrolled = unroll(folded.network, on_device) or folded.network
        return folded

    def tensors(self) -> list[Tensor]:
        """All weights in memory: those of the network, and the copies of them for faster passes."""
        copies = self.unrolled.copies() if isinstance(self.unrolled, Unrolled) else []
        return [*self.network.parameters(), *self.network.buffers(), *copies]

    def logits(self, pixels: Float[Tensor, "n 3 i j"]) -> Float[Tensor, "n k"]:
        """Logits, divided by the temperature, of pixels in [0, 1] at the model's input size."""
        return self._logits(pixels, self.network)

    def _logits(self, pixels: Float[Tensor, "n 3 i j"], network: Function) -> Float[Tensor, "n k"]:
        on_device = pixels.to(self.device, memory_format=torch.channels_last)
        return network(on_device) / self.spec.temperature

    @cached_property
    def layers(self) -> Layers:
        """The layers that a query may name; the first access takes a pass or two through the network."""
        noise = torch.randn(2, self.spec.channels, *self.spec.size, generator=torch.Generator().manual_seed(0))
        return layers(self.network[1], noise.to(self.device), differentiable=self.spec.differentiable)

    def answer(self, queries: Sequence[Query]) -> list[Answer]:
        """Answer queries with one pass through the network, and one backward pass if any of them has an objective.

        Returns one answer per query, in order.
        """
        sizes = [len(query.pixels) for query in queries]
        # A single query's own pixels are not copied; `detach` makes a tensor of which only this pass wants gradients.
        pixels = (queries[0].pixels if len(queries) == 1 else torch.cat([query.pixels for query in queries])).detach()
        named = sorted({query.layer for query in queries if query.layer})
        wants_gradients = any(query.objective is not None for query in queries)
        if not wants_gradients and not named:
            with torch.no_grad():
                return [Answer(logits) for logits in self._logits(pixels, self.unrolled).split(sizes)]
        with torch.set_grad_enabled(wants_gradients), watching(self.network[1], named) as outputs:
            network = self.network if named else self.unrolled
            logits = self._logits(pixels.requires_grad_(wants_gradients), network).split(sizes)
            activations = {name: outputs[name].split(sizes) for name in named}
            rows = [
                _Rows(query, logits[number], activations[query.layer][number] if query.layer else None)
                for number, query in enumerate(queries)
            ]
            losses = joint_losses([query.objective for query in queries], [part.values for part in rows])
            if not wants_gradients:
                return [part.answer() for part in rows]
            variables = [pixels, *(outputs[name] for name in named)]
            total = torch.cat([loss for loss in losses if loss is not None]).sum()
            # materialize_grads: an objective of an earlier layer does not read a later one, whose gradient is 0 then.
            gradients = torch.autograd.grad(total, variables, materialize_grads=True)
        pixel_gradients, *layer_gradients = (gradient.split(sizes) for gradient in gradients)
        by_name = dict(zip(named, layer_gradients, strict=True))
        return [
            part.answer(loss, pixel_gradients[number], by_name[part.query.layer][number] if part.query.layer else None)
            for number, (part, loss) in enumerate(zip(rows, losses, strict=True))
        ]

    def probabilities(self, pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        """Class probabilities of pictures in [0, 1] of any size, which are preprocessed here; without gradients."""
        with torch.no_grad():
            return probabilities(self.logits(preprocess(pixels.to(self.device), self.spec)), self.spec)

    def warm_up(self) -> None:
        """Run one forward and backward pass, so that the first request does not wait for lazy initialisation."""
        grey = to_float(torch.full((1, 3, *self.spec.size), 128, dtype=torch.uint8)).to(self.device)
        self.answer([Query(grey, (lambda logits: logits[:, 0]) if self.spec.differentiable else None)])
        _ = self.layers  # computed once, and not while a request waits


@dataclass(frozen=True)
class _Rows:
    """A query with its rows of the outputs of a pass, still in the autograd graph."""

    query: Query
    logits: Tensor
    activations: Tensor | None

    @property
    def values(self) -> Tensor:
        """What the objective reads."""
        values = self.activations if self.query.within else self.logits
        assert values is not None, "a query whose objective reads a layer names it"
        return values

    def answer(
        self, losses: Tensor | None = None, gradients: Tensor | None = None, activation_gradients: Tensor | None = None
    ) -> Answer:
        activations = None if self.activations is None else self.activations.detach()
        if losses is None:
            return Answer(self.logits.detach(), activations=activations)
        return Answer(
            self.logits.detach(),
            losses.detach(),
            gradients,
            activations,
            None if self.query.within else activation_gradients,
        )


def choose_device(name: str = "auto") -> torch.device:
    """The device with this name; `auto` takes cuda, else mps, else cpu. Raises RuntimeError if it is not available."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    try:
        torch.empty(1, device=device)
    except AssertionError as error:  # raised by a PyTorch that was built without CUDA
        raise RuntimeError(str(error)) from error
    return device


def _channels_last(weight: Tensor) -> Tensor:
    """The weight of a convolution of pictures with its channels last in memory; others as they are."""
    return weight.to(memory_format=torch.channels_last) if weight.ndim == 4 else weight
