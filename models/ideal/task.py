"""The task behind /ideal: gradient ascent from noise to the picture that a model holds ideal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torchvision.transforms.v2 import functional

from models.ideal.crops import random_crops
from models.ideal.noise import Noise
from models.ideal.options import MOST_SIZE, drawing, ideal_options
from models.ideal.patience import Patience
from models.ideal.reason import reason
from models.ideal.score import Score, score, variation_gradient
from models.ideal.sheet import tile
from models.ideal.subject import OfChannel, OfClass, Subject
from models.ideal.views import MOST_VIEWS
from models.layers import Layer
from models.preprocessing import to_levels
from models.query import Passes, Progress, Task
from models.spec import Spec
from models.gather import gather


@dataclass(frozen=True)
class Drawn:
    """One picture with its verdict; `steps` is how many it took, `reason` why it came out poorly, where it did.

    `on_noise` is the mean activation of a channel on pictures of uniform noise, None for a class.
    """

    picture: UInt8[Tensor, "3 s s"]
    seed: int
    steps: int
    score: Score
    reason: str | None
    on_noise: float | None = None


@dataclass(frozen=True)
class Ideal:
    """The pictures that were asked for, in the order of their seeds."""

    subject: Subject
    drawn: tuple[Drawn, ...]
    method: str
    options: Mapping[str, Any]
    passes: Passes

    @property
    def sheet(self) -> UInt8[Tensor, "3 h w"]:
        """All pictures in one, a lone one as it is."""
        return tile([each.picture for each in self.drawn])


def ideal(
    subject: int | tuple[Layer, int],
    spec: Spec,
    *,
    method: str = "fourier",
    seed: int = 0,
    count: int = 1,
    size: int | None = None,
    device: torch.device | str = "cpu",
    **given: Any,
) -> Task[Ideal]:
    """Draw what the model holds ideal for a class (by index), or for a channel of a layer.

    `count` pictures from seeds `seed`, `seed` + 1, ... are drawn side by side, `size` pixels square (the network's
    input size by default). Each of at most `steps` steps raises the mean of the `objective` over `crops` random crops
    (0: the whole picture) under noise of up to `noise`, less `tv` times the total variation. It ends early when what
    the network recognises in them has not risen for `patience` steps (0: never). `given` are the method's options,
    which models/ideal/options.py lists with their defaults. On a CPU the same seed gives the same bytes with the same
    number of threads. Costs crops passes with gradients a step, 43 without per picture, and 4 more for a channel.
    Raises BadIdeal.
    """
    size = default_size(spec) if size is None else size
    options = ideal_options(method, size, given, count=count, of_class=isinstance(subject, int))
    device, passes, on_noise = torch.device(device), Passes(), None
    whole: Subject
    if isinstance(subject, int):
        whole = OfClass(subject, spec, options["objective"])
    else:
        whole, on_noise = yield from OfChannel(*subject).beside_noise(spec, device, passes)
    tasks = [
        _draw(whole, spec, method, size, options, seed=each, device=device, passes=passes, on_noise=on_noise)
        for each in range(seed, seed + count)
    ]
    drawn = yield from gather(tasks, partial(_retold, steps=options["steps"]))
    told = {"method": method, **options, "seed": seed, "count": count, "size": size}
    return Ideal(whole, tuple(drawn), method, told, passes)


def held_pixels(spec: Spec, options: Mapping[str, Any], *, size: int, count: int) -> int:
    """How many pixels `ideal` holds at once: its pictures, and the views of each in a step or in the verdict.

    A view in the verdict has no graph, and takes a quarter of the memory.
    """
    rows: int = max(options["crops"], MOST_VIEWS // 4)
    return count * (size**2 + rows * spec.input_size**2)


def default_size(spec: Spec) -> int:
    """The network's input size, or the most that is drawn."""
    return min(spec.input_size, MOST_SIZE)


def _draw(
    subject: Subject,
    spec: Spec,
    method: str,
    size: int,
    options: Mapping[str, Any],
    *,
    seed: int,
    device: torch.device,
    passes: Passes,
    on_noise: float | None,
) -> Task[Drawn]:
    drawn = drawing(method, size, spec.channels, options, seed=seed, device=device)
    random = torch.Generator().manual_seed(seed)
    noise = Noise(spec.input_size, options["noise"], random, device)
    patience = Patience(options["patience"])
    steps = 0
    while steps < options["steps"] and not patience.spent:
        picture = drawn.picture()
        seen = _views(picture, options["crops"], spec, random)
        answer = yield from passes.ask(subject.ask(noise.on(seen), gradients=True))
        # The answer's gradient is pulled back through the task's own graph, past the noise and its clamp, which would
        # cost a tenth of a step; the variation never meets the network.
        slopes = [answer.gradients, options["tv"] * variation_gradient(picture)]
        torch.autograd.backward([seen, picture], slopes)
        drawn.step()
        steps += 1
        recognised = subject.seen(answer).mean()
        patience.hear(recognised)
        yield Progress(steps, options["steps"], recognised.item, partial(_shown, picture))
    with torch.no_grad():
        last = drawn.picture()
    levels = to_levels(last[0])
    trained_on = frozenset(["crops", "shifts"] if options["crops"] else []) | ({"noise"} if options["noise"] else set())
    verdict = yield from score(levels, _whole(last, spec), subject, spec, passes, trained_on=trained_on)
    return Drawn(levels, seed, steps, verdict, reason(levels, verdict, options, on_noise), on_noise)


def _views(
    picture: Float[Tensor, "1 3 h w"], crops: int, spec: Spec, random: torch.Generator
) -> Float[Tensor, "n 3 s s"]:
    """What the network is shown: random crops, or the whole picture at the network's size."""
    return random_crops(picture, crops, spec.input_size, random) if crops else _whole(picture, spec)


def _whole(picture: Float[Tensor, "1 3 h w"], spec: Spec) -> Float[Tensor, "1 3 s s"]:
    if picture.shape[-1] == spec.input_size:
        return picture
    resized: Tensor = functional.resize(picture, [spec.input_size] * 2, antialias=True)
    return resized


def _shown(picture: Float[Tensor, "1 3 s s"]) -> Float[Tensor, "3 s s"]:
    return picture.detach()[0].clamp(0, 1)


def _retold(told: Sequence[Progress | None], *, steps: int) -> Progress:
    """One report of several pictures: the step of the last among them, the mean of what is seen, all in one sheet."""
    known = [each for each in told if each is not None]
    # Without the pictures: these may be dropped.
    scored = [each.compute_score for each in known if each.compute_score is not None]

    def seen() -> float:
        return sum(score() for score in scored) / len(scored)

    def shown() -> Tensor:
        return tile([preview for each in known if (preview := each.render()) is not None])

    return Progress(max(each.step for each in known), steps, seen, shown)
