"""The names of classes in a file: a list, or a mapping in either direction."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.importing.weight_files import write
from training.importing.stored_names import names_in
from training.importing.weights_file import read_weights


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"classes": ["cat", "dog"]}, ("cat", "dog")),
        ({"class_names": ("cat", "dog")}, ("cat", "dog")),
        ({"class_to_idx": {"dog": 1, "cat": 0}}, ("cat", "dog")),
        ({"idx_to_class": {1: "dog", 0: "cat"}}, ("cat", "dog")),
        ({"id2label": {"1": "dog", "0": "cat"}}, ("cat", "dog")),
        ({"classes": 2}, None),
        ({"classes": []}, None),
        ({"classes": ["cat", 2]}, None),
        ({"classes": {0: "cat", 2: "dog"}}, None),
        ({"classes": {0: "cat", "0": "dog"}}, None),
        ({"classes": {"9" * 5000: "cat"}}, None),
        ({"classes": {"²": "cat"}}, None),
        ({"classes": 5, "labels": ["cat", "dog"]}, ("cat", "dog")),
        ({}, None),
    ],
)
def test_names_of_classes_are_read(tmp_path: Path, content: dict[str, Any], names: tuple[str, ...] | None) -> None:
    """A list, or a mapping in either direction with the indices 0, 1, 2 and so on; nothing else is a list of names."""
    stored = read_weights(write(tmp_path / "named.pth", {"state_dict": {"a": torch.zeros(1)}, **content}))
    assert stored.classes == names


def test_the_order_of_a_mapping_is_taken_where_names_contradict_each_other(tmp_path: Path) -> None:
    """A list may be sorted for display; a mapping has the indices."""
    content = {"classes": ["cat", "dog"], "class_to_idx": {"cat": 1, "dog": 0}}
    stored = read_weights(write(tmp_path / "named.pth", {"state_dict": {"a": torch.zeros(1)}, **content}))
    assert stored.classes == ("dog", "cat")
    assert stored.doubts == (
        "the names of the classes under classes in the file differ from those under class_to_idx, or are in another "
        "order: those under class_to_idx are taken",
    )
    content["classes"] = ["dog", "cat"]
    assert not read_weights(write(tmp_path / "same.pth", {"state_dict": {"a": torch.zeros(1)}, **content})).doubts


def test_names_in_json_that_is_no_list_of_names() -> None:
    assert [names_in(value) for value in (None, "cat,dog", 3, {}, [["cat"]], {"cat": "dog"})] == [None] * 6
