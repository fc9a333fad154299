"""A network that learns: one step forward, backward and onward, with its running average beside it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision.transforms import v2

from models import architectures
from models.classifier import Normalize
from models.preprocessing import to_float
from models.spec import Spec
from training.data.loading.seeds import stable_seed
from training.optim import freeze, optimiser, schedule, set_rates
from training.process_group import ProcessGroup, SingleProcess
from training.rare import training_loss
from training.recipe import Recipe
from training.robust import attacked

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Diverged(RuntimeError):
    """The loss is no number any more."""


class Learner:
    """A network, its running average and its optimiser, `step` of `steps` steps into the recipe.

    Its learning rates rise and fall once over each of the `spans`, (first step, end) in steps; by default over all
    steps. `rate` gives the fraction of the highest learning rates at a step in place of that. With `class_weights` the
    loss of each photo is multiplied by the weight of its class.

    The network takes normalised pixels; `scores`, `features` and `attack` take pixels in [0, 1].
    """

    def __init__(
        self,
        network: nn.Module,
        spec: Spec,
        recipe: Recipe,
        *,
        steps: int,
        precision: str,
        group: ProcessGroup | None = None,
        rate: Callable[[int], float] | None = None,
        spans: Sequence[tuple[int, int]] = (),
        class_weights: Float[Tensor, " k"] | None = None,
    ) -> None:
        self.recipe, self.precision, self.steps, self.step = recipe, PRECISIONS[precision], steps, 0
        self.spans = tuple(spans) or ((0, steps),)
        self.group = group or SingleProcess(torch.device("cpu"))
        self.rate = rate or self._scheduled
        self.device = self.group.device
        self.class_weights = None if class_weights is None else class_weights.float().to(self.device)
        # channels_last: 1.6x faster steps (1.3 to 2.2 in eight rounds; MobileNetV2, 160 pixels, two AVX-512 cores)
        self.memory_format = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.network = network.to(self.device, memory_format=self.memory_format)  # type: ignore[call-overload]
        self.normalize = Normalize(spec).to(self.device)
        if recipe.dropout is not None:
            set_dropout(network, recipe.dropout)
        freeze(network, recipe.frozen_blocks)
        self.mix = mixing(recipe, len(spec.classes))
        self.average = average(network, recipe, steps)  # its memory is that of the span, which each step sets
        self.optimiser = optimiser(network, recipe)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self.joined, self.compiled = self.group.join(network), False

    def learn(self, pixels: Tensor, labels: Int64[Tensor, " n"]) -> float:
        """One step on uint8 pictures [n, 3, s, s]; returns the loss. Raises Diverged, with all as it was before."""
        if self.recipe.compile and not self.compiled:
            self.joined.compile(dynamic=False)  # in place: its weights keep their names
            self.compiled = True
        self._seed()
        set_rates(self.optimiser, self.rate(self.step))
        shown, wanted = to_float(pixels.to(self.device)), labels.to(self.device)
        if self.recipe.attack_steps:
            if not self.recipe.frozen_statistics:
                self.group.align(self.network)  # as DDP does before the step itself: all attack the same network
            shown = self.attack(self.network, shown, wanted, epsilon=self.epsilon())
        if self.mix is not None:
            shown, wanted = self.mix(shown, wanted)
        train_mode(self.network, frozen_statistics=self.recipe.frozen_statistics)
        self.optimiser.zero_grad()
        statistics = [buffer.clone() for buffer in self.network.buffers()] if not self.recipe.frozen_statistics else []
        loss = training_loss(
            self._forward(self.joined, shown),
            wanted,
            smoothing=self.recipe.label_smoothing,
            weights=self.class_weights,
        )
        self.group.backward(self.scaler.scale(loss))
        self.scaler.unscale_(self.optimiser)
        size = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip or torch.inf)
        loss = self.group.mean(loss.detach())
        # A scaler passes over a step whose gradients float16 could not hold; without one they are the end.
        if not torch.isfinite(loss if self.scaler.is_enabled() else loss + size):
            for buffer, before in zip(self.network.buffers(), statistics, strict=False):
                buffer.copy_(before)
            found = f"the loss became {loss.item()}, the gradient's norm {size.item()}"
            raise Diverged(f"{found} at step {self.step}: start anew at lower learning rates, or keep the best so far")
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average is not None:
            first, end = self._span(self.step)
            self.average.multi_avg_fn = averaging(self.recipe, end - first)
            self.average.update_parameters(self.network)
        self.step += 1
        return loss.item()

    def _seed(self) -> None:
        # By step and process, so that a resumed run drops what an undisturbed one does.
        torch.manual_seed(stable_seed(f"{self.recipe.seed}:{self.step}:{self.group.rank}:step"))

    def _span(self, step: int) -> tuple[int, int]:
        """The span that a step is in: the last one that has begun."""
        return next(span for span in reversed(self.spans) if span[0] <= step)

    def _scheduled(self, step: int) -> float:
        first, end = self._span(step)
        return schedule(step - first, end - first, self.recipe)

    def epsilon(self) -> float:
        """Largest change of the attack at this step: it rises once, over the first span, and stays then."""
        risen = self.step / max(1.0, self.recipe.epsilon_warm_up * self.spans[0][1])
        return self.recipe.epsilon * min(1.0, risen)

    def attack(
        self, network: nn.Module, pixels: Tensor, labels: Tensor, *, epsilon: float, steps: int | None = None
    ) -> Float[Tensor, "n 3 s s"]:
        """Pictures that the network, as it would be served, does worst on; on a random generator of their own."""
        network.eval()
        random = torch.Generator(self.device).manual_seed(stable_seed(f"{self.recipe.seed}:{self.step}:attack"))
        chosen = steps or self.recipe.attack_steps
        return attacked(
            lambda seen: self._forward(network, seen), pixels, labels, epsilon=epsilon, steps=chosen, random=random
        )

    def _forward(self, network: nn.Module, pixels: Tensor) -> Tensor:
        model_input = self.normalize(pixels).contiguous(memory_format=self.memory_format)
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            scores: Tensor = network(model_input)
        return scores.float()

    def candidates(self) -> dict[str, nn.Module]:
        """The networks that may be kept: as it is, and averaged."""
        averaged = {} if self.average is None else {"ema": self.average.module}
        return {"raw": self.network, **averaged}

    def scores(self, network: nn.Module, pixels: Tensor) -> Float[Tensor, "n k"]:
        """Logits of a candidate for pixels in [0, 1]."""
        return self._forward(network.eval(), pixels)

    def features(self, pixels: Tensor) -> Float[Tensor, "n d"]:
        """What the head is given for pixels in [0, 1]."""
        model_input = self.normalize(pixels).contiguous(memory_format=self.memory_format)
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            return architectures.features(self.network.eval(), model_input).float()

    def state(self) -> dict[str, Any]:
        """All that another process needs to go on as if nothing had happened."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])


def average(network: nn.Module, recipe: Recipe, steps: int) -> AveragedModel | None:
    """The exponential moving average of weights and statistics, whose memory is scaled to the run's length."""
    if not recipe.average_window:
        return None
    return AveragedModel(network, multi_avg_fn=averaging(recipe, steps), use_buffers=not recipe.frozen_statistics)


def averaging(recipe: Recipe, steps: int) -> Callable[..., None]:
    """How the average takes a step in, in a span of so many: it forgets at a rate of one per window of these."""
    average: Callable[..., None] = get_ema_multi_avg_fn(1 - 1 / max(1.0, recipe.average_window * steps))
    return average


def mixing(recipe: Recipe, classes: int) -> v2.Transform | None:
    """Mixup and CutMix as the recipe has them, of two that each batch takes one; None for neither."""
    kinds = ((v2.MixUp, recipe.mixup), (v2.CutMix, recipe.cutmix))
    chosen = [kind(alpha=alpha, num_classes=classes) for kind, alpha in kinds if alpha]
    return v2.RandomChoice(chosen) if chosen else None


def train_mode(network: nn.Module, *, frozen_statistics: bool) -> None:
    """Dropout on; batch norm takes a batch's statistics and updates its own, or keeps to these, as frozen blocks do."""
    network.train()
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.train(not frozen_statistics and all(each.requires_grad for each in layer.parameters()))


def set_dropout(network: nn.Module, probability: float) -> None:
    """Let all dropout layers drop with this probability."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.p = probability
