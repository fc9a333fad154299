"""Tests the task that POST /ideal runs: sizes, seeds, passes, options and scores of the drawn pictures."""

from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from models.classifier import Classifier
from models.classify import classify
from models.effort import Effort
from models.ideal import task
from models.ideal.options import METHODS, BadIdeal, drawing
from models.ideal.task import held_pixels, ideal
from models.pictures import decode, encode
from models.query import DeadlineExceeded, Query
from models.run import run
from tests.models.ideal.draw import draw_ideal, draw_one
from tests.networks import Counting


def test_the_score_is_that_of_the_returned_file(tiny: Classifier) -> None:
    """/classify gives the same rank and probability for the PNG, at the network's input size and at others."""
    for size in (None, 50, 20):
        result = draw_one(tiny, 2, steps=5, size=size)
        ranked = run(classify(decode(encode(result.picture)), tiny.spec, top=4), tiny)
        assert result.score.rank is not None
        assert [prediction.index for prediction in ranked][result.score.rank - 1] == 2
        assert ranked[result.score.rank - 1].probability == pytest.approx(result.score.strength, abs=1e-6)


def test_the_size_is_the_input_size_or_the_given_one(tiny: Classifier) -> None:
    """By default a picture has the network's input size, 32 pixels."""
    assert draw_one(tiny, 0, steps=1).picture.shape == (3, 32, 32)
    assert draw_one(tiny, 0, steps=1, size=77).picture.shape == (3, 77, 77)
    assert draw_one(tiny, 0, steps=1, size=77, crops=0).picture.shape == (3, 77, 77)


def test_the_same_seed_gives_the_same_bytes(tiny: Classifier) -> None:
    """The global generator of torch is not used."""
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one, again, other = (encode(draw_one(tiny, 1, steps=6, seed=seed).picture) for seed in (5, 5, 6))
    assert one == again
    assert one != other
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "options", [{"crops": 2, "noise": 0.0}, {"crops": 0, "noise": 0.3, "noise_rise": 0.0}], ids=["crops", "noise"]
)
def test_crops_and_noise_depend_only_on_the_seed(
    tiny: Classifier, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same start, the pixels of the first query depend on the seed and not on torch's global generator."""
    monkeypatch.setattr(task, "drawing", lambda *args, seed, device: drawing(*args, seed=0, device=device))

    def first_pixels(seed: int, *, state: int) -> Tensor:
        torch.manual_seed(state)
        query = next(ideal(1, tiny.spec, seed=seed, **options))
        assert isinstance(query, Query)
        return query.pixels

    one, again, other = first_pixels(5, state=1), first_pixels(5, state=2), first_pixels(6, state=1)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_several_pictures_equal_those_drawn_alone(tiny: Classifier) -> None:
    """Three pictures of seeds 4 to 6 stop at different steps; many steps enlarge float differences a little."""
    options = {"steps": 60, "crops": 2, "patience": 6}
    result = draw_ideal(tiny, 1, seed=4, count=3, **options)
    assert [picture.seed for picture in result.pictures] == [4, 5, 6]
    for picture in result.pictures:
        alone = draw_one(tiny, 1, seed=picture.seed, **options)
        assert alone.steps == picture.steps
        assert (alone.picture.int() - picture.picture.int()).abs().float().mean() < 2
        assert alone.score.strength == pytest.approx(picture.score.strength, abs=0.02)
    assert result.sheet.shape == (3, 68, 68)


def test_a_channel_has_no_objective(tiny: Classifier) -> None:
    """A channel neither reports nor takes the options `objective` and `sure`, which are about classes."""
    subject = (tiny.layers.find("0"), 1)
    result = draw_ideal(tiny, subject, steps=1, crops=1)
    assert not {"objective", "sure"} & set(result.options) and result.options["steps"] == 1
    for options in ({"objective": "logit"}, {"sure": 0.9}):
        with pytest.raises(BadIdeal, match=f"{next(iter(options))} is only for classes"):
            draw_ideal(tiny, subject, **options)


def test_the_number_of_pixels_in_memory(tiny: Classifier) -> None:
    """Every picture counts itself and 2 views (a quarter of 8) of 32 x 32 pixels, or its crops if they are more."""
    assert held_pixels(tiny.spec, {"crops": 1, "batch": 1}, size=100, count=1) == 10_000 + 2 * 1024
    assert held_pixels(tiny.spec, {"crops": 1, "batch": 4}, size=100, count=1) == 4 * 10_000 + 4 * 1024
    assert held_pixels(tiny.spec, {"crops": 1, "batch": 4}, size=1024, count=1) == 1024**2 + 2 * 1024
    assert held_pixels(tiny.spec, {"crops": 0, "batch": 4}, size=100, count=1) == 10_000 + 2 * 1024
    assert held_pixels(tiny.spec, {"crops": 32, "batch": 4}, size=16, count=3) == 3 * (256 + 32 * 1024)


def test_a_large_picture_without_crops_is_resized_with_antialiasing(linear: Classifier) -> None:
    """Preprocessing antialiases too, so the strength of the file is that of the drawn tensor of 64 pixels of noise."""
    result = draw_one(linear, 1, method="pixel", size=64, crops=0, steps=3, learning_rate=0.5)
    assert result.score.strength == pytest.approx(result.score.promised, abs=2e-3)


def test_reported_passes_are_those_that_the_network_counted(tiny: Classifier) -> None:
    """Seven steps of three crops are 21 passes with gradients, plus 43 for the score; without crops a step is one."""
    for options, subject, forward, backward in (
        ({"steps": 7, "crops": 3}, 0, 64, 21),
        ({"steps": 7, "crops": 0}, 0, 50, 7),
        ({"steps": 2, "crops": 3, "count": 2}, 0, 98, 12),
        ({"steps": 7, "crops": 3}, (tiny.layers.find("0"), 1), 68, 21),
        ({"steps": 2, "crops": 3, "count": 2}, (tiny.layers.find("0"), 1), 102, 12),
    ):
        network = Counting(tiny)
        result = run(ideal(subject, tiny.spec, **options), network)
        assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)
        assert (network.forward, network.backward) == (forward, backward)


def test_an_effort_is_a_set_of_defaults(tiny: Classifier) -> None:
    """A picture at an effort has the pixels of one for which every option is given, and takes steps x crops passes."""
    rows = []
    for effort in get_args(Effort):
        defaults = {**METHODS["fourier"].defaults(effort), "patience": 0, "sure": 1.0}
        network = Counting(tiny)
        result = run(ideal(1, tiny.spec, effort=effort, patience=0, sure=1.0), network)
        assert result.options["effort"] == effort
        assert torch.equal(result.sheet, draw_ideal(tiny, 1, **defaults).sheet)
        assert network.backward == defaults["steps"] * defaults["crops"]
        rows.append(network.backward)
    quick, standard, thorough = rows
    assert 1.5 * quick <= standard and 3 * standard <= thorough == 384


def test_the_result_reports_the_resolved_options(tiny: Classifier) -> None:
    result = draw_ideal(tiny, 0, steps=2, crops=3, tv=1.5, seed=9, size=40, count=2)
    assert result.options == {
        **METHODS["fourier"].defaults(), "method": "fourier", "effort": "standard", "steps": 2, "crops": 3, "tv": 1.5,
        "seed": 9, "size": 40, "count": 2,
    }  # fmt: skip
    assert result.subject.label == "red fox"


def test_families_that_were_trained_on_are_not_held_out(tiny: Classifier) -> None:
    for options, held_out in (
        ({}, {"blur", "jpeg", "half"}),
        ({"noise": 0.0}, {"blur", "jpeg", "half", "noise"}),
        ({"crops": 0, "noise": 0.0}, {"crops", "shifts", "blur", "jpeg", "half", "noise"}),
    ):
        score = draw_one(tiny, 0, steps=2, **options).score
        assert score.held_out == pytest.approx(sum(score.families[name] for name in held_out) / len(held_out))


def test_a_deadline_ends_the_task(tiny: Classifier) -> None:
    for count in (1, 3):
        task = ideal(0, tiny.spec, count=count)
        next(task)
        with pytest.raises(DeadlineExceeded):
            task.throw(DeadlineExceeded())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, "choose one of fourier"),
        ({"steps": 0}, "1 to 2000"),
        ({"count": 0}, "1 to 16"),
        ({"count": 17}, "1 to 16"),
        ({"count": 5, "size": 1024}, "5 pictures of 1024 x 1024 pixels are too many at once: ask for 4"),
        ({"size": 5}, "16 to 1024"),
        ({"size": 0}, "16 to 1024"),
    ],
)
def test_options_out_of_range_are_refused(tiny: Classifier, options: dict[str, object], message: str) -> None:
    with pytest.raises(BadIdeal, match=message):
        draw_one(tiny, 0, **options)
