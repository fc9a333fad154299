"""Looks through the pickle in a file of weights before PyTorch loads it: no code is run, and no memory is taken.

PyTorch's loader of weights runs no code of the file either, but the file may have it make tensors and buffers of any
size, and storages that are larger than the file.
"""

import pickle
import pickletools
import re
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The first of the pickles in a file that torch.save wrote before PyTorch 1.6."""
LEGACY_PICKLES = 5
"""Magic number, version, sizes of numbers, the object, and the keys of the storages, whose bytes follow."""
REBUILDING = "torch._utils._rebuild_"
"""How the names of the functions begin that make tensors of storages."""
LARGEST_PICKLE = 10_000_000
"""Largest number of bytes of the pickle alone, without the numbers of the weights. Each of its bytes may become an
object of 150 bytes, and the names of 50,000 weights take 5 MB."""
LARGEST_KEY = sys.hash_info.modulus
"""From here on whole numbers have the hashes of smaller ones. A dictionary of a million keys that share one takes
hours."""
MAKERS = re.compile(r"(__builtin__|builtins)\.bytearray|torch\.(\w+\.)*(\w*Tensor|\w*Storage|Parameter|Buffer)")
"""What makes a buffer or tensor of a size that the pickle names, if it is called."""
MOST_ARGUMENTS = 5_000_000
"""Largest number of values that the pickle's calls have as arguments, each counted wherever it occurs. Those of a
weight are a dozen. A tuple that has another one twice, which has another one twice, and so on would take forever."""
FILLED = ("argparse.Namespace", "collections.Counter")
"""Kinds of objects that PyTorch's loader fills from a dictionary of their attributes."""
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
    can be of any size: text and records. `arguments` counts the values in the arguments of calls.
    """

    content: object = None
    storages: dict[str, int] = field(default_factory=dict)
    unusual: bool = False
    arguments: int = 0


def check_pickle(stream: IO[bytes], size: int) -> Outline:
    """The outline of what is in the pickle.

    Raises BadPickle unless its storages fit into `size` bytes, those of the file, and nothing is made. What else the
    pickle names is left to PyTorch's loader, which refuses all that is no weight.
    """
    outline = Outline()
    outline.content = _load(stream, outline)
    if outline.content == LEGACY_MAGIC:
        _, _, outline.content, _ = [_load(stream, outline) for _ in range(LEGACY_PICKLES - 1)]
    if sum(outline.storages.values()) > size:
        raise BadPickle("its weights claim to have more numbers than the file")
    return outline


def weights_in(content: object, keys: Sequence[str]) -> str | None:
    """The Python expression for the weights in `saved`, a model or a dictionary with one; None for anything else.

    Under which key of the dictionary they are is looked up in the order of `keys`.
    """
    if isinstance(content, _Named):
        return "saved.state_dict()"
    if not isinstance(content, Mapping):
        return None
    for key in keys:
        value = content.get(key)
        if isinstance(value, Mapping) and value and all(map(_is_tensor, value.values())):
            return f'saved["{key}"]'
        if isinstance(value, _Named) and not _is_tensor(value):
            return f'saved["{key}"].state_dict()'
    is_state_dict = any(map(_is_tensor, content.values()))
    return "{name: value for name, value in saved.items() if torch.is_tensor(value)}" if is_state_dict else None


def _is_tensor(value: object) -> bool:
    return isinstance(value, _Named) and value.full.startswith((REBUILDING, "torch._tensor."))


def _load(stream: IO[bytes], outline: Outline) -> object:
    begin = stream.tell()
    try:
        for _ in pickletools.genops(stream):  # a buffer that the file does not have is noticed before it is made
            if stream.tell() - begin > LARGEST_PICKLE:
                raise BadPickle(f"it has more than {LARGEST_PICKLE / 1e6:.0f} MB beside the numbers of its weights")
        stream.seek(begin)
        return _Sketch(stream, outline).load()
    except BadPickle:
        raise
    except Exception as error:  # a damaged pickle: pickle raises nearly anything
        raise BadPickle(f"it is damaged, or no file of PyTorch ({type(error).__name__})") from error


class _Named:
    """Stands for what the pickle names: each class or function is a subclass with its full name."""

    full = ""
    outline: ClassVar[Outline] = Outline()

    def __new__(cls, *arguments: Any, **_: Any) -> "_Named":
        if MAKERS.fullmatch(cls.full):
            raise BadPickle(f"it makes a {cls.full}")
        _check_arguments(arguments, cls.outline)
        if cls.full == "torch._tensor._rebuild_from_type_v2" and not _is_rebuilding(arguments):
            raise BadPickle("it makes a tensor of something else")
        if cls.full == "_codecs.encode" and arguments[1:] != ("latin1",):  # others may take forever
            raise BadPickle("it has text in an unusual encoding")
        if cls.full == "numpy.dtype" and not (arguments and _is_number(arguments[0])):
            cls.outline.unusual = True
        return super().__new__(cls)

    def __call__(self, *_: Any, **__: Any) -> "_Named":
        return self

    def __setstate__(self, state: Any) -> None:
        """Nothing is done with the state, which may change what a type of NumPy is."""
        if self.full in FILLED and not isinstance(state, Mapping):
            raise BadPickle(f"it has a {self.full} without names")
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


class _Sketch(_InPython):  # type: ignore[misc]  # in Python, where a large memo takes no memory
    """Loads a pickle in which everything that it names is a subclass of `_Named`."""

    def __init__(self, stream: IO[bytes], outline: Outline) -> None:
        super().__init__(stream, encoding="utf-8")
        self.outline = outline

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full == "collections.OrderedDict":
            return self._ordered
        return type("_Other", (_Named,), {"full": full, "outline": self.outline})

    def _ordered(self, *arguments: Any) -> OrderedDict[Any, Any]:
        """An OrderedDict, which Python 2 made of a list of pairs."""
        _check_arguments(arguments, self.outline)
        return OrderedDict(*arguments)

    def persistent_load(self, identifier: Any) -> Any:
        """Count the bytes of a storage: ("storage", type, key, device, number of elements, ...).

        Before PyTorch 1.6 there was ("module", class, file, code) for the class of a pickled model, too.
        """
        word, kind, *others = identifier
        if type(word) is str and word == "module":
            return kind
        key, _, count, *view = others
        _check_arguments(view, self.outline)
        if type(word) is not str or word != "storage" or not issubclass(kind, _Named):
            raise BadPickle("it has something else in the place of a storage")
        if type(count) is not int or count < 0 or not isinstance(key, str | int):
            raise BadPickle("it has a storage without a size")
        size = count * BYTES.get(kind.full.removeprefix("torch."), 1)
        if self.outline.storages.setdefault(str(key), size) != size:
            raise BadPickle("it has a storage of two sizes")
        return _Named()

    dispatch: ClassVar[dict[int, Any]] = dict(_InPython.dispatch)

    def load_put(self) -> None:
        """Refuse places in the memo that PyTorch never uses; they are keys of a dictionary here."""
        raise BadPickle("it was not written by PyTorch")

    def load_setitem(self) -> None:
        """Refuse keys that are not plain."""
        _check_plain(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        """Refuse keys that are not plain."""
        _check_plain(self.stack[::2])
        super().load_setitems()

    def load_dict(self) -> None:
        """Refuse keys that are not plain."""
        _check_plain(self.stack[::2])
        super().load_dict()

    def load_additems(self) -> None:
        """Refuse elements that are not plain."""
        _check_plain(self.stack)
        super().load_additems()

    def load_frozenset(self) -> None:
        """Refuse elements that are not plain."""
        _check_plain(self.stack)
        super().load_frozenset()

    dispatch[pickle.PUT[0]] = load_put
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.ADDITEMS[0]] = load_additems
    dispatch[pickle.FROZENSET[0]] = load_frozenset


def _check_plain(values: Sequence[object]) -> None:
    if not all(map(_is_plain, values)):
        raise BadPickle("a key of one of its dictionaries is no text, no usual number, and no tuple of these")


def _is_plain(value: object) -> bool:
    if type(value) is tuple:
        return all(type(element) is not tuple and _is_plain(element) for element in value)
    # What the pickle names, such as a class, is hashed by its identity.
    return _is_usual(value) and isinstance(value, (*PLAIN, _Named, type))


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
    return isinstance(function, type) and issubclass(function, _Named) and function.full.startswith(REBUILDING)
