"""Looks through the pickle in a file of weights before PyTorch loads it: no code is run, and no memory is taken.

PyTorch's loader of weights runs no code of the file either, but the file may have it make tensors and buffers of any
size, and storages that are larger than the file.
"""

import pickletools
from collections.abc import Mapping, Sequence
from typing import IO

from training.importing.sketch import REBUILDING, BadPickle, Named, Outline, Sketch

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The first of the pickles in a file that torch.save wrote before PyTorch 1.6."""
LEGACY_PICKLES, OF_OBJECT = 5, 3
"""Magic number, version, sizes of numbers, the object, and the keys of the storages, whose bytes follow."""
LARGEST_PICKLE = 10_000_000
"""Largest number of bytes of the pickle alone, without the numbers of the weights. Each of its bytes may become an
object of 150 bytes, and the names of 50,000 weights take 5 MB."""
TOO_LONG = f"it has more than {LARGEST_PICKLE / 1e6:.0f} MB beside the numbers of its weights"


def check_pickle(stream: IO[bytes], size: int) -> Outline:
    """The outline of what is in the pickle.

    Raises BadPickle unless its storages fit into `size` bytes, those of the file, and nothing is made. What else the
    pickle names is left to PyTorch's loader, which refuses all that is no weight.
    """
    outline = Outline()
    outline.content = _load(stream, outline)
    if outline.content == LEGACY_MAGIC:
        for number in range(1, LEGACY_PICKLES):
            content = _load(stream, outline)
            if number == OF_OBJECT:
                outline.content = content
            del content  # it may be large
    if sum(outline.storages.values()) > size:
        raise BadPickle("its weights claim to have more numbers than the file")
    return outline


def weights_in(content: object, keys: Sequence[str]) -> str | None:
    """The Python expression for the weights in `saved`, a model or a dictionary with one; None for anything else.

    Under which key of the dictionary they are is looked up in the order of `keys`.
    """
    if isinstance(content, Named):
        return "saved.state_dict()"
    if not isinstance(content, Mapping):
        return None
    for key in keys:
        value = content.get(key)
        if isinstance(value, Mapping) and value and all(map(_is_tensor, value.values())):
            return f'saved["{key}"]'
        if isinstance(value, Named) and not _is_tensor(value):
            return f'saved["{key}"].state_dict()'
    is_state_dict = any(map(_is_tensor, content.values()))
    return "{name: value for name, value in saved.items() if torch.is_tensor(value)}" if is_state_dict else None


def _is_tensor(value: object) -> bool:
    return isinstance(value, Named) and value.full.startswith((REBUILDING, "torch._tensor."))


def _load(stream: IO[bytes], outline: Outline) -> object:
    begin = stream.tell()
    try:
        for _ in pickletools.genops(stream):  # a buffer that the file does not have is noticed before it is made
            if stream.tell() > LARGEST_PICKLE:
                raise BadPickle(TOO_LONG)
        stream.seek(begin)
        return Sketch(stream, outline).load()
    except BadPickle:
        raise
    except Exception as error:  # a damaged pickle: pickle raises nearly anything
        raise BadPickle(f"it is damaged, or no file of PyTorch ({type(error).__name__})") from error
