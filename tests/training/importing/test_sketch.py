"""What would take long or much memory in PyTorch's loader is refused while the pickle is looked through."""

import io
import pickle
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.importing.malicious import Calls, legacy
from training.importing import sketch
from training.importing.contents import BadWeightsFile
from training.importing.pickles import check_pickle
from training.importing.sketch import BadPickle
from training.importing.weights_file import read_weights

NESTED: Any = ()
"""A tuple that has another one twice, and so on 60 times: its hash, or its text, takes longer than anybody waits."""
for _ in range(60):
    NESTED = (NESTED, NESTED)


@pytest.mark.parametrize(
    "call",
    [
        Calls(OrderedDict, [[NESTED, 1]]),
        Calls(Counter, [NESTED]),
        Calls(set, [NESTED]),
        Calls(torch._tensor._rebuild_from_type_v2, Counter, Counter, ([NESTED],), None),
        Calls(torch.serialization._get_layout, NESTED),
        Calls(torch._utils._rebuild_parameter_with_state, torch.Size([1]), False, None, (1, 2, NESTED)),
    ],
    ids=["dictionary", "counter", "set", "call in a call", "layout", "text of an error"],
)
def test_calls_with_nested_tuples_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: object) -> None:
    monkeypatch.setattr(sketch, "MOST_ARGUMENTS", 10_000)  # the number for everybody takes a second
    with pytest.raises(BadWeightsFile, match="more values, or larger numbers"):
        read_weights(legacy(tmp_path / "weights.pth", {"a": call}))


def test_a_tensor_is_made_of_a_storage_alone(tmp_path: Path) -> None:
    """PyTorch's loader calls the first argument, which may be what is never called otherwise."""
    call = Calls(torch._tensor._rebuild_from_type_v2, bytearray, bytearray, (2 * 10**9,), None)
    with pytest.raises(BadWeightsFile, match="makes a tensor of something else"):
        read_weights(legacy(tmp_path / "weights.pth", {"a": call}))


def test_objects_are_filled_from_names(tmp_path: Path) -> None:
    """A list of pairs would do for PyTorch's loader, too, and its first elements would be hashed."""
    filled = b"\x80\x02cargparse\nNamespace\n)\x81" + pickle.dumps([(NESTED, 1)], 2)[2:-1] + b"b."
    with pytest.raises(BadPickle, match="settings without names"):
        check_pickle(io.BytesIO(filled), 1000)


@pytest.mark.parametrize("identifier", [(NESTED, torch.FloatStorage, "0", "cpu", 1), ("storage", 1, "0", "cpu", 1)])
def test_the_identifier_of_a_storage_is_one(identifier: tuple[object, ...]) -> None:
    class Identifier(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            return identifier if value == "weights" else None

    stream = io.BytesIO()
    Identifier(stream, 2).dump("weights")
    with pytest.raises(BadPickle, match=r"in the place of a storage|is damaged"):
        check_pickle(io.BytesIO(stream.getvalue()), 1000)


def test_numbers_that_share_a_hash_are_refused() -> None:
    """A dictionary looks at all of them for each new one. The number that the hashes are taken modulo is the first."""
    modulus = 2**61 - 1
    check_pickle(io.BytesIO(pickle.dumps({modulus - 1: 0, 1 - modulus: 1}, 2)), 1000)
    for content in ({modulus: 0}, {-modulus: 0}, {(1, 2 * modulus): 0}, OrderedDict({3 * modulus: 0})):
        with pytest.raises(BadPickle, match="no usual number"):
            check_pickle(io.BytesIO(pickle.dumps(content, 2)), 1000)
    with pytest.raises(BadPickle, match="not written by PyTorch"):
        check_pickle(io.BytesIO(b"\x80\x02K\x01p" + str(modulus).encode() + b"\n."), 1000)


@pytest.mark.parametrize("kind", [dict.fromkeys, set, Counter, lambda keys: OrderedDict((key, 0) for key in keys)])
def test_few_keys_are_tuples(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    """Tuples of one hash are easily made, and each takes a look at all others."""
    monkeypatch.setattr(sketch, "MOST_UNUSUAL_KEYS", 50)
    keys = [(number, 1) for number in range(51)]
    check_pickle(io.BytesIO(pickle.dumps(kind(keys[:50]), 2)), 1000)
    with pytest.raises(BadPickle, match="more than 50 keys that are no text and no number"):
        check_pickle(io.BytesIO(pickle.dumps(kind(keys), 2)), 1000)


def test_few_pairs_have_tuples_as_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """An OrderedDict of Python 2 is a call with a list of pairs."""
    monkeypatch.setattr(sketch, "MOST_UNUSUAL_KEYS", 50)
    pairs = [[(number, 1), 0] for number in range(51)]
    check_pickle(io.BytesIO(pickle.dumps(Calls(OrderedDict, pairs[:50]), 2)), 1000)
    with pytest.raises(BadPickle, match="more than 50 keys"):
        check_pickle(io.BytesIO(pickle.dumps(Calls(OrderedDict, pairs), 2)), 1000)


def test_few_keys_are_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Complex numbers are objects here, with hashes of their own, and all have one hash where they are loaded."""
    monkeypatch.setattr(sketch, "MOST_UNUSUAL_KEYS", 50)
    content = {Calls(complex, -1000003.0 * number, float(number)): 0 for number in range(51)}
    with pytest.raises(BadPickle, match="more than 50 keys"):
        check_pickle(io.BytesIO(pickle.dumps(content, 2)), 1000)


def test_few_classes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a class here, of 2 kB; one that is named again is the same."""
    monkeypatch.setattr(sketch, "MOST_NAMES", 50)
    named = b"".join(b"cm\nname%d\n" % number for number in range(50))
    check_pickle(io.BytesIO(b"\x80\x02(" + 10 * named + b"t."), 1000)
    with pytest.raises(BadPickle, match="names more than 50 classes"):
        check_pickle(io.BytesIO(b"\x80\x02(" + named + b"cm\nanother\nt."), 1000)


@pytest.mark.parametrize("name", ["get", "values", "keys"])
@pytest.mark.parametrize("zipped", [True, False])
def test_attributes_of_dictionaries_take_the_place_of_nothing(tmp_path: Path, name: str, zipped: bool) -> None:
    """Those of state_dicts have their versions, and nothing else."""
    content = torch.nn.Linear(2, 3).state_dict()
    assert "_metadata" in vars(content)
    torch.save(content, tmp_path / "weights.pth", _use_new_zipfile_serialization=zipped)
    assert set(read_weights(tmp_path / "weights.pth").weights) == {"weight", "bias"}
    vars(content)[name] = 1
    torch.save(content, tmp_path / "weights.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(BadWeightsFile, match="one of its dictionaries has attributes"):
        read_weights(tmp_path / "weights.pth")


def test_attributes_of_counters_are_refused(tmp_path: Path) -> None:
    filled = b"\x80\x02ccollections\nCounter\n)R" + pickle.dumps({"get": 1}, 2)[2:-1] + b"b."
    with pytest.raises(BadPickle, match="one of its dictionaries has attributes"):
        check_pickle(io.BytesIO(filled), 1000)
