"""Reads the weights in a file that anybody may have made: no code in it is run, and nothing is larger than the file."""

import argparse
import hashlib
import pathlib
import pickle
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from models.printable import printable
from training.importing.contents import BadWeightsFile, check_contents
from training.importing.pickles import weights_in
from training.importing.sketch import Outline
from training.importing.stored_names import stored_names

HOLDERS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params")
"""Keys under which training scripts store the weights, beside the state of the optimiser and the like."""
AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "params_ema")
"""Keys of averaged weights, which are taken where a file has both: they are what scripts that store them evaluate."""
LONGEST_NAME = 1000
"""Largest number of characters in the name of a weight."""
COUNTERS = ("num_batches_tracked", "n_averaged")
"""Ends of the names of numbers that count training steps: nothing is computed with them."""
MOST_WEIGHTS = 50_000
"""Largest number of weights, each of which has a name; the networks of torchvision have at most 1,500."""
HARMLESS: list[Any] = [
    argparse.Namespace,
    # Paths of another system, and of Python 3.13, cannot be made on this one: pure ones can.
    *(
        (kind, f"{module}.{prefix}{name}")
        for kind, name in ((pathlib.PurePosixPath, "PosixPath"), (pathlib.PureWindowsPath, "WindowsPath"))
        for module in ("pathlib", "pathlib._local")
        for prefix in ("", "Pure")
    ),
    np.dtype,
    *(type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"),
    (np._core.multiarray.scalar, "numpy._core.multiarray.scalar"),  # type: ignore[attr-defined]  # of NumPy 2
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # type: ignore[attr-defined]  # of NumPy 1
]
"""Kinds of objects, beside PyTorch's own list, that training scripts store with the weights and that run no code. Which
numbers of NumPy there may be is checked before (training/importing/pickles.py)."""
SAFE = (
    "saved = torch.load({name!r}, weights_only=False)  # runs the code in the file: only if you trust its author\n"
    'torch.save({weights}, "weights.pth")'
)
"""The two lines that turn a pickled model, or a training script's dictionary with one, into a file of weights."""
MOST_SHARED = 20
"""Largest number of times that the weights together may be larger than what the file has: some networks share weights
under several names, and each name becomes a copy in the checkpoint."""

TOO_MANY = "{} has {:,} weights, more than any network: this is no file of weights"


@dataclass(frozen=True)
class WeightsFile:
    """The weights in a file by their names, and what the file says about them.

    `classes` are the names of the classes if the file has them, and `metadata` the header of a safetensors file.
    `holder` is the key under which the weights were, empty for the file itself. `warnings` say which were chosen, and
    `doubts` where the file has other names of classes, too.
    """

    weights: Mapping[str, Tensor]
    classes: tuple[str, ...] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    holder: str = ""
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def read_weights(file: Path) -> WeightsFile:
    """Read a .safetensors file, or one that torch.save wrote; raises BadWeightsFile."""
    if not file.is_file():
        raise BadWeightsFile(f"there is no file {file}: give the path of a .pth, .pt or .safetensors file")
    if file.suffix.lower() == ".safetensors":
        weights, metadata = _read_safetensors(file)
        _check_sizes(weights, file)
        return WeightsFile(weights, metadata=metadata)
    loaded = _load(file)
    holder, weights, chosen = _state_dict(loaded, file)
    _check_sizes(weights, file)
    classes, doubts = stored_names(loaded) if isinstance(loaded, Mapping) else (None, ())
    return WeightsFile(weights, classes, holder=holder, warnings=chosen, doubts=doubts)


def file_digest(file: Path) -> str:
    """SHA-256 of the file, as `sha256sum` prints it."""
    with file.open("rb") as opened_file:
        return hashlib.file_digest(opened_file, "sha256").hexdigest()


def common_dtype(weights: Mapping[str, Tensor]) -> str:
    """The type of all floating-point weights, float32 where they differ: `float16`, for example."""
    found = {str(tensor.dtype).removeprefix("torch.") for tensor in weights.values() if tensor.is_floating_point()}
    return found.pop() if len(found) == 1 else "float32"


def full_precision(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with all floating-point numbers in float32."""
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in weights.items()}


def _read_safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(file, framework="pt") as opened_file:
            keys = opened_file.keys()
            if len(keys) > MOST_WEIGHTS:
                raise BadWeightsFile(TOO_MANY.format(file.name, len(keys)))
            return {key: opened_file.get_tensor(key) for key in keys}, opened_file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise BadWeightsFile(f"{file.name} is not a safetensors file, or is damaged ({error})") from error


def _load(file: Path) -> Any:
    outline = check_contents(file)
    if outline.unusual:
        raise _more_than_weights(file, "text or records of NumPy", outline)
    try:
        with torch.serialization.safe_globals(HARMLESS), warnings.catch_warnings():
            # PyTorch warns that it looks at sparse and quantised weights, which are refused afterwards.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        unwanted = re.search(r"(?:GLOBAL|Unsupported class) ([A-Za-z_][\w.]{1,200})", str(error))
        if "Unsupported operand" in str(error):
            reason = f"{file.name} was saved with a pickle protocol that PyTorch loads only where it may run code"
            raise _with_the_two_lines(file, reason, outline) from error
        if unwanted is None:  # no Python object that PyTorch could name
            raise BadWeightsFile(f"{file.name} is no file of weights, or is damaged: copy or save it again") from error
        raise _more_than_weights(file, unwanted[1], outline) from error
    # A file that is no pickle, or a damaged one: torch.load raises nearly anything.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0]
        raise BadWeightsFile(f"{file.name} cannot be read as weights ({reason}): copy it again") from error


def _more_than_weights(file: Path, what: str, outline: Outline) -> BadWeightsFile:
    """The error for a file that holds Python objects."""
    reason = f"{file.name} holds more than weights ({what}), and loading that can run code"
    return _with_the_two_lines(file, reason, outline)


def _with_the_two_lines(file: Path, reason: str, outline: Outline) -> BadWeightsFile:
    """An error with the two lines of Python that turn the file into one of weights, where its weights are found."""
    weights = weights_in(outline.content, (*AVERAGED, *HOLDERS))
    if weights is None:
        return BadWeightsFile(f"{reason}: save the network's state_dict() alone, where you trust the file")
    lines = SAFE.format(name=file.name, weights=weights)
    return BadWeightsFile(
        f"{reason}. Turn it into a file of weights where you trust it, with these two lines of Python:\n{lines}"
    )


def _state_dict(loaded: Any, file: Path) -> tuple[str, dict[str, Tensor], tuple[str, ...]]:
    """The state_dict in what torch.load returned, the key under which it was, and warnings about the choice."""
    averaged, others = (list(_state_dicts(loaded, keys)) for keys in (AVERAGED, ("", *HOLDERS)))
    # Some scripts average the parameters alone, without the statistics of batch norms, or have settings in this place.
    whole = [entry for entry in averaged if not others or _count(entry[1]) >= _count(others[0][1])]
    if found := [*whole, *others]:
        holder, weights = found[0]
        warnings: tuple[str, ...] = ()
        if whole:
            warnings = (f"the file has averaged weights ({holder}), and these are taken",)
        elif averaged:
            warnings = (f"the file has averaged weights ({averaged[0][0]}), but not of the whole network: not taken",)
        elif unclear := [key for key in AVERAGED if _has_tensors(_entry(loaded, key))]:
            warnings = (f"what the file has in {unclear[0]} may be averaged weights, and is not taken",)
        return holder, {_name(key): _plain(tensor) for key, tensor in weights.items()}, warnings
    if isinstance(loaded, Mapping):
        names = [printable(key[:100]) if isinstance(key, str) else type(key).__name__ for key in list(loaded)[:10]]
        content = f"it has: {', '.join(names)}" if loaded else "it is empty"
    else:
        content = f"it has a {type(loaded).__name__}"
    raise BadWeightsFile(
        f"{file.name} has no state_dict in it ({content}): save the network's with "
        "torch.save(model.state_dict(), 'weights.pth')"
    )


def _state_dicts(loaded: Any, keys: Sequence[str]) -> Iterator[tuple[str, Mapping[Any, Tensor]]]:
    """The state_dicts under these keys, the empty one for `loaded` itself, or one level below them."""
    for key in keys:
        held = _entry(loaded, key) if key else loaded
        for name, candidate in ((key, held), (f"{key}.state_dict", _entry(held, "state_dict") if key else None)):
            if isinstance(candidate, Mapping) and candidate and all(map(_is_tensor, candidate.values())):
                yield name, candidate


def _has_tensors(value: Any) -> bool:
    """Whether tensors are among the entries, or among those of an entry."""
    inner = list(value.values()) if isinstance(value, Mapping) else []
    inner += [other for each in inner if isinstance(each, Mapping) for other in each.values()]
    return any(map(_is_tensor, inner))


def _count(weights: Mapping[Any, Tensor]) -> int:
    return sum(not str(key).endswith(COUNTERS) for key in weights)


def _entry(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _name(key: Any) -> str:
    return key if isinstance(key, str) else str(key) if isinstance(key, int | float) else type(key).__name__


def _plain(tensor: Tensor) -> Tensor:
    """The tensor without attributes, which a file may give it: they would take the place of its methods."""
    return torch.Tensor.detach(tensor)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _check_sizes(weights: Mapping[str, Tensor], file: Path) -> None:
    """Raise BadWeightsFile for weights that claim to have more numbers than the file has, or that are not plain."""
    if len(weights) > MOST_WEIGHTS:
        raise BadWeightsFile(TOO_MANY.format(file.name, len(weights)))
    storages: dict[int, int] = {}
    for name, tensor in weights.items():
        if len(name) > LONGEST_NAME:
            raise BadWeightsFile(f"{file.name} has a name of {len(name):,} characters: this is no file of weights")
        if tensor.is_sparse or tensor.is_quantized or tensor.layout != torch.strided or tensor.is_complex():
            raise BadWeightsFile(f"{name[:200]} in {file.name} is sparse, quantised or complex: save plain weights")
        if tensor.device.type == "meta":
            raise BadWeightsFile(f"{name[:200]} in {file.name} has no values: save the network after it was loaded")
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise BadWeightsFile(
                f"{name[:200]} in {file.name} claims to have more numbers than the file: this is no file of weights"
            )
    if sum(tensor.nbytes for tensor in weights.values()) > MOST_SHARED * sum(storages.values()):
        raise BadWeightsFile(
            f"the weights in {file.name} would become more than {MOST_SHARED} times as large as the file, since they "
            "share their numbers: this is no file of weights"
        )
