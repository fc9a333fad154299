"""A network that learns: training steps, the running average of its weights, and the state to resume from."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models import architectures
from models.network_ends import Normalize
from models.preprocessing import to_float
from models.spec import Spec
from training.data.loading.seeds import stable_seed
from training.optim import freeze, optimiser, schedule, set_rates
from training.process_group import ProcessGroup, SingleProcess
from training.rare import training_loss
from training.recipe import Recipe
from training.robust import attacked

if TYPE_CHECKING:
    from torchvision.transforms import v2

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Diverged(RuntimeError):
    """The loss or the gradient is not a finite number any more."""


class Learner:
    """A network, the running average of its weights and its optimiser, after `step` of `steps` steps.

    Its learning rates rise and fall once over each of the `spans`, which are (first step, end); by default over all
    steps. With `rate`, this function of the step gives the fraction of the peak learning rates instead. With
    `class_weights` the loss of each photo is multiplied by the weight of its class.

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
        self.average = average(network, recipe, steps)  # each step adapts its length to the span
        self.optimiser = optimiser(network, recipe)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self.joined, self.compiled = self.group.join(network), False

    def learn(self, pixels: Tensor, labels: Int64[Tensor, " n"]) -> float:
        """One step on uint8 pictures [n, 3, s, s]; returns the loss. Raises Diverged and then changes nothing."""
        if self.recipe.compile and not self.compiled:
            self.joined.compile(dynamic=False)  # in place: its weights keep their names
            self.compiled = True
        self._seed()
        set_rates(self.optimiser, self.rate(self.step))
        pictures, targets = to_float(pixels.to(self.device)), labels.to(self.device)
        if self.recipe.attack_steps:
            if not self.recipe.frozen_statistics:
                self.group.align(self.network)  # as DDP does before the step itself: all attack the same network
            pictures = self.attack(self.network, pictures, targets, epsilon=self.epsilon())
        if self.mix is not None:
            pictures, targets = self.mix(pictures, targets)
        train_mode(self.network, frozen_statistics=self.recipe.frozen_statistics)
        self.optimiser.zero_grad()
        statistics = [buffer.clone() for buffer in self.network.buffers()] if not self.recipe.frozen_statistics else []
        loss = training_loss(
            self._forward(self.joined, pictures),
            targets,
            smoothing=self.recipe.label_smoothing,
            weights=self.class_weights,
        )
        self.group.backward(self.scaler.scale(loss))
        self.scaler.unscale_(self.optimiser)
        gradient_norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip or torch.inf)
        loss = self.group.mean(loss.detach())
        # A scaler skips a step whose gradients overflow float16; without one, such gradients end the run.
        if not torch.isfinite(loss if self.scaler.is_enabled() else loss + gradient_norm):
            for buffer, before in zip(self.network.buffers(), statistics, strict=False):
                buffer.copy_(before)
            values = f"the loss became {loss.item()} and the norm of the gradient {gradient_norm.item()}"
            raise Diverged(
                f"{values} at step {self.step}: give --resume --finish to take the best weights so far, or start a new "
                "run with lower learning rates and --overwrite"
            )
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average is not None:
            first, end = self._span(self.step)
            self.average.multi_avg_fn = averaging(self.recipe, end - first)
            self.average.update_parameters(self.network)
        self.step += 1
        return loss.item()

    def _seed(self) -> None:
        # From step and process, so that dropout of a resumed run is that of an uninterrupted one.
        torch.manual_seed(stable_seed(f"{self.recipe.seed}:{self.step}:{self.group.rank}:step"))

    def _span(self, step: int) -> tuple[int, int]:
        """The span of a step: the last one that has begun."""
        return next(span for span in reversed(self.spans) if span[0] <= step)

    def _scheduled(self, step: int) -> float:
        first, end = self._span(step)
        return schedule(step - first, end - first, self.recipe)

    def epsilon(self) -> float:
        """Budget of the attack at this step: it rises over the first span, and stays the same afterwards."""
        fraction = self.step / max(1.0, self.recipe.epsilon_warm_up * self.spans[0][1])
        return self.recipe.epsilon * min(1.0, fraction)

    def attack(
        self, network: nn.Module, pixels: Tensor, labels: Tensor, *, epsilon: float, steps: int | None = None
    ) -> Float[Tensor, "n 3 s s"]:
        """The pictures, perturbed so that the network in evaluation mode misclassifies them.

        They have a random generator of their own, so that they do not change what training draws.
        """
        network.eval()
        random = torch.Generator(self.device).manual_seed(stable_seed(f"{self.recipe.seed}:{self.step}:attack"))
        return attacked(
            lambda pictures: self._forward(network, pictures),
            pixels,
            labels,
            epsilon=epsilon,
            steps=steps or self.recipe.attack_steps,
            random=random,
        )

    def _forward(self, network: nn.Module, pixels: Tensor) -> Tensor:
        model_input = self.normalize(pixels).contiguous(memory_format=self.memory_format)
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            scores: Tensor = network(model_input)
        return scores.float()

    def candidates(self) -> dict[str, nn.Module]:
        """The networks to choose from: with the current weights, and with the averaged ones."""
        averaged = {} if self.average is None else {"ema": self.average.module}
        return {"raw": self.network, **averaged}

    def scores(self, network: nn.Module, pixels: Tensor) -> Float[Tensor, "n k"]:
        """Logits of a candidate for pixels in [0, 1]."""
        return self._forward(network.eval(), pixels)

    def features(self, pixels: Tensor) -> Float[Tensor, "n d"]:
        """Features, the input of the head, for pixels in [0, 1]."""
        model_input = self.normalize(pixels).contiguous(memory_format=self.memory_format)
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            return architectures.features(self.network.eval(), model_input).float()

    def state(self) -> dict[str, Any]:
        """Everything that another process needs to continue exactly as this one would."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state` of a Learner with the same options."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])


def average(network: nn.Module, recipe: Recipe, steps: int) -> AveragedModel | None:
    """The exponential moving average of weights and statistics, whose length is proportional to that of the run."""
    if not recipe.average_window:
        return None
    return AveragedModel(network, multi_avg_fn=averaging(recipe, steps), use_buffers=not recipe.frozen_statistics)


def averaging(recipe: Recipe, steps: int) -> Callable[..., None]:
    """How the average is updated in a span of `steps` steps: with weight 1 / window for the newest weights."""
    average: Callable[..., None] = get_ema_multi_avg_fn(1 - 1 / max(1.0, recipe.average_window * steps))
    return average


def mixing(recipe: Recipe, classes: int) -> "v2.Transform | None":
    """Mixup or CutMix, or one of both at random for each batch, as the recipe says; None for neither."""
    if not (recipe.mixup or recipe.cutmix):
        return None
    from torchvision.transforms import v2

    kinds = ((v2.MixUp, recipe.mixup), (v2.CutMix, recipe.cutmix))
    return v2.RandomChoice([kind(alpha=alpha, num_classes=classes) for kind, alpha in kinds if alpha])


def train_mode(network: nn.Module, *, frozen_statistics: bool) -> None:
    """Switch to training mode. Batch norm uses its running statistics where these, or its parameters, are frozen."""
    network.train()
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.train(not frozen_statistics and all(parameter.requires_grad for parameter in layer.parameters()))


def set_dropout(network: nn.Module, probability: float) -> None:
    """Set the probability of all dropout layers."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.p = probability
