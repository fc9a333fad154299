"""What is sent for each operation."""

import numpy as np
import pytest
import torch

from mirage import calls
from mirage.errors import BadOption


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (0.5, "0.5"),
        ("8/255", "8/255"),
        ((1, 2, 30, 40), "1,2,30,40"),
        (["linf", "l2"], "linf,l2"),
        ([3], "3,"),
        ((np.int64(3),), "3,"),
        (np.array([1, 2, 30, 40]), "1,2,30,40"),
        (["jpeg:75"], "jpeg:75"),
        (16, "16"),
    ],
)
def test_options_are_written_as_the_service_reads_them(value: object, text: str) -> None:
    """A single index of a channel is `3,`, since a bare 3 would be a number of channels."""
    assert calls.explain(b"picture", {"any": value}).options == {"any": text}


def test_options_that_are_none_are_left_out() -> None:
    assert calls.classify(b"picture", {"top": None, "model": "tiny"}).options == {"model": "tiny"}


def test_the_mask_is_sent_as_a_file() -> None:
    call = calls.fool(b"picture", {"mask": b"mask", "target": 0})
    assert call.pictures == [("image", b"picture"), ("mask", b"mask")] and call.options == {"target": "0"}


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("cat", "/ideal/cat"),
        (3, "/ideal/3"),
        ("Siamese cat", "/ideal/Siamese%20cat"),
        ("a/b?c#d", "/ideal/a%2Fb%3Fc%23d"),
        ("..", "/ideal/%2E%2E"),
        ("猫", "/ideal/%E7%8C%AB"),
    ],
)
def test_any_class_is_one_segment_of_the_path(target: str | int, path: str) -> None:
    assert calls.ideal(target, None, None, {}).path == path


def test_a_slash_is_part_of_the_name_of_a_model() -> None:
    assert calls.model("imagenet/resnet50").path == "/models/imagenet/resnet50"
    assert calls.model_card("my model").path == "/models/my%20model/card"


def test_a_channel_is_drawn_by_its_layer_and_index() -> None:
    call = calls.ideal(None, "features.14", 3, {"seed": 1})
    assert (call.path, call.options) == ("/ideal", {"layer": "features.14", "channel": "3", "seed": "1"})


@pytest.mark.parametrize("given", [(None, None, None), ("cat", "features.14", 3), (None, "x", None), (None, None, 1)])
def test_what_to_draw_is_a_class_or_a_channel(given: tuple[str | None, str | None, int | None]) -> None:
    with pytest.raises(BadOption, match="either a class, or a channel"):
        calls.ideal(*given, {})


def test_only_what_costs_nothing_is_sent_twice() -> None:
    """An attack may have cost the service minutes; a classification milliseconds."""
    assert calls.classify(b"picture", {}).repeatable and calls.models().repeatable
    assert not calls.fool(b"picture", {}).repeatable and not calls.ideal("cat", None, None, {}).repeatable


def test_numbers_of_arrays_and_tensors_are_numbers() -> None:
    """A range that numpy made, a single number, and a tensor of PyTorch."""
    call = calls.fool(b"picture", {"channels": np.array([3, 17]), "epsilon": np.float64(0.5), "seed": torch.tensor(7)})
    assert call.options == {"channels": "3,17", "epsilon": "0.5", "seed": "7"}


@pytest.mark.parametrize("options", [{"deadline_s": "soon"}, {"norms": []}, {"target": ""}, {"target": " "}])
def test_options_that_say_nothing_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(BadOption):
        calls.fool(b"picture", options)


def test_texts_that_are_no_unicode_are_refused() -> None:
    """As arguments of a command are whose bytes are not UTF-8."""
    for call in (
        lambda: calls.fool(b"picture", {"target": "caf\udce9"}),
        lambda: calls.ideal("caf\udce9", None, None, {}),
        lambda: calls.model("caf\udce9"),
    ):
        with pytest.raises(BadOption, match="not valid Unicode"):
            call()
