"""Loads a pickle without what it names: every class and function in it is replaced by one that does nothing.

What would take long or much memory, here or in PyTorch's loader, is refused.
"""

import pickle
import re
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar

REBUILDING = "torch._utils._rebuild_"
"""How the names of the functions begin that make tensors of storages."""
LARGEST_KEY = sys.hash_info.modulus
"""From here on whole numbers have the hashes of smaller ones. A dictionary of a million keys that share one takes
hours."""
MAKERS = re.compile(r"(__builtin__|builtins)\.bytearray|torch\.(\w+\.)*(\w*Tensor|\w*Storage|Parameter|Buffer)")
"""What makes a buffer or tensor of a size that the pickle names, if it is called."""
MOST_ARGUMENTS = 5_000_000
"""Largest number of values that the pickle's calls have as arguments, each counted wherever it occurs. Those of a
weight are a dozen. A tuple that has another one twice, which has another one twice, and so on would take forever."""
MOST_NAMES = 1000
"""Largest number of classes and functions that a pickle names."""
MOST_UNUSUAL_KEYS = 1000
"""Largest number of keys that are neither text nor a number. Many of them with the same hash are easily made, and a
dictionary of a hundred thousand such keys takes hours."""
HASHING = re.compile(r"(__builtin__|builtins)\.(set|frozenset)|collections\.Counter")
"""What has the elements of a list as its keys or elements, if it is called with one."""
ATTRIBUTES = {"_metadata"}
"""The attributes of a state_dict. Others could take the place of methods."""
NUMBER = re.compile("[<>=|]?[biuf][1248]")
"""Types of NumPy's numbers, as NumPy writes them. Numbers of others may be of any size."""
NUMBER_STATE = (None, None, None, -1, -1, 0)
"""What follows the version and the byte order in the state of such a type."""
PLAIN = (str, int, float, bool, bytes, type(None))
"""Types of keys of dictionaries and of elements of sets, beside tuples of them and what the pickle names. The hash of a
nested tuple may take forever."""
BYTES = {
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage"), 4),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    "ComplexDoubleStorage": 16,
}
"""Bytes of a number in each type of storage with more than one."""


class BadPickle(ValueError):
    """A pickle that would make something larger than the file, or a damaged one."""


@dataclass
class Outline:
    """What is in a pickle: its dictionaries and lists, with placeholders for all objects.

    `storages` are the bytes of each storage. `unusual` says that it has types of NumPy that are not loaded, since they
    can be of any size: text and records. `arguments` counts the values in the arguments of calls, and `unusual_keys`
    the keys that are neither text nor a number.
    """

    content: object = None
    storages: dict[str, int] = field(default_factory=dict)
    unusual: bool = False
    arguments: int = 0
    unusual_keys: int = 0


class Named:
    """Stands for what the pickle names: each class or function is a subclass with its full name."""

    full = ""
    outline: ClassVar[Outline] = Outline()

    def __new__(cls, *arguments: Any, **_: Any) -> "Named":
        if MAKERS.fullmatch(cls.full):
            raise BadPickle(f"it makes a {cls.full}")
        _check_arguments(arguments, cls.outline)
        if HASHING.fullmatch(cls.full):
            for argument in arguments:
                _check_keys(argument if isinstance(argument, list | tuple) else [], cls.outline)
        if cls.full == "torch._tensor._rebuild_from_type_v2" and not _is_rebuilding(arguments):
            raise BadPickle("it makes a tensor of something else")
        if cls.full == "_codecs.encode" and arguments[1:] != ("latin1",):  # others may take forever
            raise BadPickle("it has text in an unusual encoding")
        if cls.full == "numpy.dtype" and not (arguments and _is_number(arguments[0])):
            cls.outline.unusual = True
        return super().__new__(cls)

    def __call__(self, *_: Any, **__: Any) -> "Named":
        return self

    def __setstate__(self, state: Any) -> None:
        """Nothing is done with the state, which may change what a type of NumPy is."""
        if self.full == "argparse.Namespace" and not isinstance(state, Mapping):
            raise BadPickle("it has settings without names")
        if self.full == "collections.Counter":
            raise BadPickle("one of its dictionaries has attributes")
        if self.full == "numpy.dtype" and not (type(state) is tuple and _is_plain_state(state[2:])):
            self.outline.unusual = True

    def __setitem__(self, *_: Any) -> None:
        """A dictionary of another kind is filled."""

    def append(self, _: Any) -> None:
        """A list of another kind is filled."""

    def add(self, _: Any) -> None:
        """A set of another kind is filled."""


def _is_number(name: object) -> bool:
    # The type comes first: to write out a nested tuple may take forever.
    return type(name) is str and NUMBER.fullmatch(name) is not None


def _is_plain_state(state: tuple[object, ...]) -> bool:
    return len(state) == len(NUMBER_STATE) and all(
        value is None if plain is None else type(value) is int and value == plain
        for value, plain in zip(state, NUMBER_STATE, strict=True)
    )


_InPython: Any = pickle._Unpickler


class Sketch(_InPython):  # type: ignore[misc]  # in Python, where a large memo takes no memory
    """Loads a pickle in which everything that it names is a subclass of `Named`."""

    def __init__(self, stream: IO[bytes], outline: Outline) -> None:
        super().__init__(stream, encoding="utf-8")
        self.outline = outline
        self.named: dict[str, type[Named]] = {}

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full == "collections.OrderedDict":
            return self._ordered
        if full not in self.named:
            if len(self.named) == MOST_NAMES:
                raise BadPickle(f"it names more than {MOST_NAMES:,} classes")
            self.named[full] = type("_Other", (Named,), {"full": full, "outline": self.outline})
        return self.named[full]

    def _ordered(self, *arguments: Any) -> OrderedDict[Any, Any]:
        """An OrderedDict, which Python 2 made of a list of pairs."""
        _check_arguments(arguments, self.outline)
        made: OrderedDict[Any, Any] = OrderedDict()
        for argument in arguments:
            _check_keys([key for key, _ in argument], self.outline)
            made.update(argument)
        return made

    def persistent_load(self, identifier: Any) -> Any:
        """Count the bytes of a storage: ("storage", type, key, device, number of elements, ...).

        Before PyTorch 1.6 there was ("module", class, file, code) for the class of a pickled model, too.
        """
        word, kind, *others = identifier
        if type(word) is str and word == "module":
            return kind
        key, _, count, *view = others
        _check_arguments(view, self.outline)
        if type(word) is not str or word != "storage" or not issubclass(kind, Named):
            raise BadPickle("it has something else in the place of a storage")
        if type(count) is not int or count < 0 or not isinstance(key, str | int):
            raise BadPickle("it has a storage without a size")
        size = count * BYTES.get(kind.full.removeprefix("torch."), 1)
        if self.outline.storages.setdefault(str(key), size) != size:
            raise BadPickle("it has a storage of two sizes")
        return Named()

    dispatch: ClassVar[dict[int, Any]] = dict(_InPython.dispatch)

    def load_put(self) -> None:
        """Refuse places in the memo that PyTorch never uses; they are keys of a dictionary here."""
        raise BadPickle("it was not written by PyTorch")

    def load_build(self) -> None:
        """Refuse attributes of dictionaries."""
        state, instance = self.stack[-1], self.stack[-2]
        if isinstance(instance, OrderedDict) and not (isinstance(state, dict) and set(state) <= ATTRIBUTES):
            raise BadPickle("one of its dictionaries has attributes")
        super().load_build()

    def load_setitem(self) -> None:
        """Refuse keys that are not plain."""
        _check_keys(self.stack[-2:-1], self.outline)
        super().load_setitem()

    def load_setitems(self) -> None:
        """Refuse keys that are not plain."""
        _check_keys(self.stack[::2], self.outline)
        super().load_setitems()

    def load_dict(self) -> None:
        """Refuse keys that are not plain."""
        _check_keys(self.stack[::2], self.outline)
        super().load_dict()

    def load_additems(self) -> None:
        """Refuse elements that are not plain."""
        _check_keys(self.stack, self.outline)
        super().load_additems()

    def load_frozenset(self) -> None:
        """Refuse elements that are not plain."""
        _check_keys(self.stack, self.outline)
        super().load_frozenset()

    dispatch[pickle.PUT[0]] = load_put
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.ADDITEMS[0]] = load_additems
    dispatch[pickle.FROZENSET[0]] = load_frozenset


def _check_keys(values: Sequence[object], outline: Outline) -> None:
    """Raise BadPickle unless the values can be keys of a dictionary, and only a few of them are unusual."""
    if not all(map(_is_plain, values)):
        raise BadPickle("a key of one of its dictionaries is no text, no usual number, and no tuple of these")
    outline.unusual_keys += sum(not isinstance(value, PLAIN) for value in values)
    if outline.unusual_keys > MOST_UNUSUAL_KEYS:
        raise BadPickle(f"its dictionaries have more than {MOST_UNUSUAL_KEYS:,} keys that are no text and no number")


def _is_plain(value: object) -> bool:
    if type(value) is tuple:
        return all(type(element) is not tuple and _is_plain(element) for element in value)
    return _is_usual(value) and isinstance(value, (*PLAIN, Named, type))


def _is_usual(value: object) -> bool:
    return not isinstance(value, int) or abs(value) < LARGEST_KEY


def _check_arguments(arguments: Sequence[object], outline: Outline) -> None:
    """Raise BadPickle for arguments that may be keys of one hash, or that are too many to be looked at."""
    pending = [*arguments]
    while pending:
        value = pending.pop()
        outline.arguments += 1
        if outline.arguments > MOST_ARGUMENTS or not _is_usual(value):
            raise BadPickle("it has more values, or larger numbers, than a file of weights")
        if isinstance(value, Mapping):
            pending += [*value, *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            pending += value


def _is_rebuilding(arguments: Sequence[object]) -> bool:
    """Whether the first one is PyTorch's function that makes a tensor of a storage."""
    function = arguments[0] if arguments else None
    return isinstance(function, type) and issubclass(function, Named) and function.full.startswith(REBUILDING)
