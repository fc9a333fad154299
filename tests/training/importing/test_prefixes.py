"""The prefixes that wrappers add to the names of weights, and what is beside the network in the same module."""

import pytest
import torch

from tests.training.importing.weight_files import prefixed
from training.importing.prefixes import unwrapped

WEIGHTS = {"conv.weight": torch.arange(6.0).reshape(1, 2, 1, 3), "fc.bias": torch.tensor([1.0, -1.0])}


def test_each_form_without_a_prefix_is_tried() -> None:
    """A network whose own names begin with a prefix, such as `backbone.`, is found in the form that has it."""
    forms = list(unwrapped(prefixed(WEIGHTS, "module.model.backbone.")))
    assert [set(form) for form, _ in forms] == [
        set(prefixed(WEIGHTS, prefix)) for prefix in ("module.model.backbone.", "model.backbone.", "backbone.", "")
    ]
    assert not any(warnings for _, warnings in forms)
    assert list(unwrapped({})) == [({}, ())]


def test_a_loss_and_metrics_beside_the_network_are_left_out_with_a_warning() -> None:
    """In the last forms, after those with all weights; as Lightning and DeepSpeed store them."""
    metrics = {"loss.weight": torch.ones(2), "accuracy.tp": torch.zeros(1), "accuracy.fp": torch.zeros(1)}
    content = {**prefixed(WEIGHTS, "model.module."), **metrics, "accuracy.tn": torch.zeros(1)}
    forms = list(unwrapped(prefixed(content, "_forward_module.")))
    assert [set(form) for form, _ in forms] == [
        set(prefixed(content, "_forward_module.")), set(content), set(prefixed(WEIGHTS, "module.")), set(WEIGHTS)
    ]  # fmt: skip
    names = "4: loss.weight, accuracy.tp, accuracy.fp, ..."
    warning = f"weights that do not begin with 'model.' are left out ({names}), as those of a loss or a metric"
    assert [warnings for _, warnings in forms] == [(), (), (warning,), (warning,)]


def test_what_wrappers_add_inside_of_names_is_taken_off() -> None:
    """Around the whole network, or around layers of it. A network that has such names itself is found before."""
    wrapped = ["_orig_mod.conv.weight", "conv._fsdp_wrapped_module._checkpoint_wrapped_module.bias", "my_orig_mod.bias"]
    forms = [list(form) for form, _ in unwrapped({name: torch.ones(1) for name in wrapped})]
    assert forms == [wrapped, ["conv.weight", "conv.bias", "my_orig_mod.bias"]]


def test_names_that_would_become_the_same_stay() -> None:
    names = ["_orig_mod.weight", "weight"]
    assert [list(form) for form, _ in unwrapped({name: torch.ones(1) for name in names})] == [names]


def test_a_name_of_a_thousand_prefixes_is_not_tried_a_thousand_times() -> None:
    assert len(list(unwrapped({"model." * 1000 + "weight": torch.ones(1)}))) < 12


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("fc.weight", (10, 1000)),
        ("teacher.conv.weight", (10, 1000)),
        ("norm.bias", (3,)),
        ("head.0.running_mean", (10,)),
        ("bias", (10,)),
    ],
)
def test_what_may_be_a_layer_is_never_left_out(name: str, sizes: tuple[int, ...]) -> None:
    """A head behind the network would be missing: the network would have other classes than it was trained for."""
    content = {**prefixed(WEIGHTS, "model."), name: torch.zeros(sizes)}
    assert [set(form) for form, _ in unwrapped(content)] == [set(content)]


def test_tables_of_whole_numbers_are_no_layers() -> None:
    """Such as the confusion matrix of a metric."""
    content = {**prefixed(WEIGHTS, "model."), "metric.confusion": torch.zeros(10, 10, dtype=torch.int64)}
    assert [set(form) for form, _ in unwrapped(content)] == [set(content), set(WEIGHTS)]


def test_the_counter_of_averaged_weights_is_no_weight() -> None:
    assert [set(form) for form, _ in unwrapped({"n_averaged": torch.tensor(3), **WEIGHTS})] == [set(WEIGHTS)]
