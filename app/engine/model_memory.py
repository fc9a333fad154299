"""How much memory the models take, and which are unloaded so that another one fits."""

import gc
import logging
import threading
import weakref

from app.engine.catalogue import Catalogue
from app.memory.allocator import return_freed_memory
from models.classifier import Classifier
from models.store import Model

logger = logging.getLogger(__name__)


class TooLarge(RuntimeError):
    """The model can never be loaded beside those that always stay: the memory for models is too small."""


class NoRoom(RuntimeError):
    """There is no memory for the model as long as the others are in use."""


def memory_of(model: Model) -> int:
    """Bytes of the parameters and buffers of a model, with the copies of them that make passes faster.

    Memory that several tensors share counts once. What a pass takes in addition is not part of it.
    """
    sizes = {}
    for tensor in model.classifier.tensors():
        if tensor.is_mkldnn:  # in a layout of oneDNN's, to which PyTorch gives no access
            sizes[id(tensor)] = tensor.numel() * tensor.element_size()
        else:
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
    return sum(sizes.values())


class ModelMemory:
    """The memory of all models together, which may be `limit` bytes (None: any number).

    Models count as long as anybody holds them: a request keeps one that has been replaced or unloaded. The default
    model is never unloaded, nor is one that was asked for within `idle_s` seconds.
    """

    def __init__(self, catalogue: Catalogue, limit: int | None, idle_s: float) -> None:
        self.limit = limit
        self._catalogue = catalogue
        self._idle_s = idle_s
        self._bytes: weakref.WeakKeyDictionary[Classifier, int] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def add(self, model: Model, size: int) -> None:
        """Count the model until nobody holds it any more."""
        with self._lock:
            self._bytes[model.classifier] = size

    def total(self) -> int:
        """Bytes of all models that were added and are still held."""
        with self._lock:
            return sum(self._bytes.values())

    def find_room(self, name: str, need: int, *, unload_others: bool) -> None:
        """Make sure that a model of `need` bytes fits, where `unload_others` allows it by unloading others.

        Those that were not used for the longest time come first. Raises NoRoom if it does not fit now, and TooLarge if
        it would not even if no model were in use: the default model stays in any case, and so does the version of this
        model that is served until the new one is ready.
        """
        if self.limit is None:
            return
        staying = sum(map(self._served_bytes, {name, self._catalogue.default}))
        advice = "serve smaller models, or allow more memory"
        if staying + need > self.limit:
            raise TooLarge(
                f"{name} needs {_megabytes(need)} of memory beside {_megabytes(staying)} of models that always stay, "
                f"and all models together may take {_megabytes(self.limit)}: {advice}"
            )
        while self.total() + need > self.limit:
            idle = self._catalogue.longest_idle(self._idle_s, other_than=name) if unload_others else None
            if idle is None:
                raise NoRoom(
                    f"{name} needs {_megabytes(need)} of memory, and the models that are loaded already take "
                    f"{_megabytes(self.total())} of {_megabytes(self.limit)}: {advice}"
                )
            self._catalogue.unload(idle)
            logger.info("%s was unloaded to make room for %s", idle, name)
            gc.collect()  # it may be part of a cycle of references, which keep it in memory although nobody uses it
            return_freed_memory()

    def _served_bytes(self, name: str) -> int:
        """Bytes of the version of a model that is served now; 0 if there is none."""
        model = self._catalogue.entry(name).model
        return 0 if model is None else self._bytes.get(model.classifier, 0)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
