"""The task behind /ideal: gradient ascent from noise to the picture that a class or a channel responds to most."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.gather import gather
from models.ideal.ascent import Views, whole
from models.ideal.diagnosis import diagnose
from models.ideal.noise import Noise
from models.ideal.options import MOST_SIZE, BadIdeal, drawing, ideal_options
from models.ideal.patience import Patience
from models.ideal.score import ROWS, Score, score
from models.ideal.sheet import tile
from models.ideal.subject import ChannelSubject, ClassSubject, Subject
from models.layers import Layer
from models.preprocessing import to_levels
from models.query import Passes, Progress, Task
from models.spec import Spec, check_gradients

ALONE = 1 / 8
"""Share of the steps at the beginning that have a pass of their own each, whatever `batch` is: the picture changes so
much there that gradients of an earlier one would mislead (docs/decisions/0040)."""


@dataclass(frozen=True)
class IdealPicture:
    """One picture with its score, after `steps` steps from the noise of `seed`.

    `reason` says why the picture came out poorly, and is None where it did not. `on_noise` is the mean activation of a
    channel on pictures of uniform noise, None for a class.
    """

    picture: UInt8[Tensor, "3 s s"]
    seed: int
    steps: int
    score: Score
    reason: str | None
    on_noise: float | None = None


@dataclass(frozen=True)
class Ideal:
    """The pictures in the order of their seeds, the subject, and every option with its value."""

    subject: Subject
    pictures: tuple[IdealPicture, ...]
    method: str
    options: Mapping[str, Any]
    passes: Passes

    @property
    def sheet(self) -> UInt8[Tensor, "3 h w"]:
        """All pictures tiled into one; a single picture unchanged."""
        return tile([picture.picture for picture in self.pictures])


def check_ideal(spec: Spec) -> None:
    """Raise BadIdeal if nothing can be drawn, since the network gives no gradients."""
    check_gradients(spec, "gradient ascent needs them", BadIdeal)


def ideal(
    subject: int | tuple[Layer, int],
    spec: Spec,
    *,
    method: str = "fourier",
    effort: str = "standard",
    seed: int = 0,
    count: int = 1,
    size: int | None = None,
    device: torch.device | str = "cpu",
    **options: Any,
) -> Task[Ideal]:
    """Draw the picture that a class (by index) or a channel of a layer responds to most.

    `count` pictures of `size` x `size` pixels (by default the network's input size) are drawn in shared batches, from
    the seeds `seed`, `seed` + 1, ... Each of at most `steps` steps raises the mean of the `objective` over `crops`
    random crops (0: the whole picture) under noise of up to `noise`, minus `tv` times the total variation. After the
    first eighth, the gradients of several steps are computed at once as far as their crops fit into `batch`. The ascent
    ends early when the subject was not recognised better for `patience` steps (0 turns this off), or when the mean
    probability of a class reaches `sure`. `options` are the method's options, which models/ideal/options.py describes.
    On a CPU the same seed gives the same bytes with the same number of threads. Costs `crops` rows with gradients per
    step, 43 without per picture, and 4 more for a channel. Raises BadIdeal.
    """
    check_ideal(spec)
    size = default_size(spec) if size is None else size
    options = ideal_options(method, size, options, effort=effort, count=count, of_class=isinstance(subject, int))
    device, passes, on_noise = torch.device(device), Passes(), None
    chosen: Subject
    if isinstance(subject, int):
        chosen = ClassSubject(subject, spec, options["objective"])
    else:
        chosen, on_noise = yield from ChannelSubject(*subject).measured_on_noise(spec, device, passes)
    tasks = [
        _draw(chosen, spec, method, size, options, seed=own_seed, device=device, passes=passes, on_noise=on_noise)
        for own_seed in range(seed, seed + count)
    ]
    pictures = yield from gather(tasks, partial(_merge_progress, steps=options["steps"]))
    every_option = {"method": method, "effort": effort, **options, "seed": seed, "count": count, "size": size}
    return Ideal(chosen, tuple(pictures), method, every_option, passes)


def held_pixels(spec: Spec, options: Mapping[str, Any], *, size: int, count: int) -> int:
    """How many pixels `ideal` holds in memory at once: its pictures, or as many gradients of each as a pass is for, and
    the views of each in a pass or in the score.

    A view in the score has no autograd graph, and takes a quarter of the memory.
    """
    steps = _most_steps_of_pass(options, size)
    rows = max(steps * options["crops"], ROWS // 4)
    held: int = count * (steps * size**2 + rows * math.prod(spec.size))
    return held


def default_size(spec: Spec) -> int:
    """The longer side of the network's input, or MOST_SIZE where that is smaller."""
    return min(max(spec.size), MOST_SIZE)


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
) -> Task[IdealPicture]:
    canvas = drawing(method, size, 1 if spec.channel_names.startswith("L") else 3, options, seed=seed, device=device)
    random = torch.Generator().manual_seed(seed)
    noise = Noise(spec.size, options["noise"], random, device)
    sure = options.get("sure", 1.0)
    patience = Patience(options["patience"], sure if sure < 1 else math.inf)
    steps = 0
    while steps < options["steps"] and not patience.exhausted:
        picture = canvas.picture()
        together = _steps_of_pass(steps, options, size)
        views = Views(picture, spec, random, steps=together, crops=options["crops"])
        share = _share_of_noise(steps, options)
        answer = yield from passes.ask(subject.query(noise.added_to(views.pixels, share), gradients=True))
        assert answer.gradients is not None, "the query has an objective"
        gradients = views.gradients(answer.gradients, canvas.variable, tv=options["tv"])
        for gradient, strengths in zip(gradients, subject.strength(answer).chunk(together), strict=True):
            canvas.step(gradient, _rate(steps, options))
            steps += 1
            strength = strengths.mean()
            if share == 1:  # while the noise rises, the strength may fall although the picture gets better
                patience.update(strength)
            if patience.exhausted:
                break
        yield Progress(steps, options["steps"], strength.item, partial(_preview, picture))
    with torch.no_grad():
        last = canvas.picture()
    levels = to_levels(last[0])
    trained_on = frozenset(["crops", "shifts"] if options["crops"] else []) | ({"noise"} if options["noise"] else set())
    picture_score = yield from score(levels, whole(last, spec), subject, spec, passes, trained_on=trained_on)
    diagnosis = diagnose(levels, picture_score, options, on_noise, multi_label=spec.multi_label)
    return IdealPicture(levels, seed, steps, picture_score, diagnosis, on_noise)


def _steps_of_pass(step: int, options: Mapping[str, Any], size: int) -> int:
    """How many steps the pass is for that begins with this step, counted from 0."""
    if step < ALONE * options["steps"]:
        return 1
    left: int = options["steps"] - step
    return min(_most_steps_of_pass(options, size), left)


def _most_steps_of_pass(options: Mapping[str, Any], size: int) -> int:
    """How many steps a pass is for where enough are left: few for a large picture, each of whose steps takes long."""
    if not options["crops"]:
        return 1
    fitting: int = options["batch"] // options["crops"]
    return max(1, min(fitting, (MOST_SIZE // size) ** 2))


def _share_of_noise(step: int, options: Mapping[str, Any]) -> float:
    """The share of the noise at this step, counted from 0: it rises linearly to 1 within `noise_rise` of the steps."""
    rise: float = options["noise_rise"] * options["steps"] if options["noise"] else 0.0
    return min(1.0, step / rise) if rise else 1.0


def _rate(step: int, options: Mapping[str, Any]) -> float:
    """The share of the learning rate at this step, counted from 0: it falls linearly from 1 to `final_rate`."""
    fall: float = (1 - options["final_rate"]) / max(1, options["steps"] - 1)
    return 1 - fall * step


def _preview(picture: Float[Tensor, "1 3 s s"]) -> Float[Tensor, "3 s s"]:
    return picture.detach()[0].clamp(0, 1)


def _merge_progress(reports: Sequence[Progress | None], *, steps: int) -> Progress:
    """One report for several pictures: the latest step of any, the mean of their scores, and all previews in one."""
    known = [report for report in reports if report is not None]
    # `mean_score` holds no reports: where a preview is dropped, its pictures should not stay in memory.
    score_functions = [report.compute_score for report in known if report.compute_score is not None]

    def mean_score() -> float:
        return sum(compute() for compute in score_functions) / len(score_functions)

    def preview() -> Tensor:
        return tile([picture for report in known if (picture := report.render()) is not None])

    return Progress(max(report.step for report in known), steps, mean_score, preview)
