"""The served models by name, loaded in the background when the service starts."""

import difflib
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch

from app.engine.allocator import return_freed_memory
from app.engine.threads import compute_in_parallel
from models import store

logger = logging.getLogger(__name__)
State = Literal["loading", "ready", "failed"]


class NotServed(LookupError):
    """No model of this name is served."""


class StillLoading(RuntimeError):
    """The model is being loaded; try again after `retry_after_s` seconds."""

    retry_after_s = 2


class LoadingFailed(RuntimeError):
    """The model is to be served, but could not be loaded."""


class Registry:
    """The served models by name; the first is the default. `max_rows` is the largest batch that is of use."""

    def __init__(self, names: Sequence[str], *, folder: Path, device: torch.device, max_rows: int = 32) -> None:
        self.names = tuple(names) or tuple(store.checkpoint_names(folder))
        if not self.names:
            raise NotServed(
                f"there is no checkpoint in {folder}: train one (python -m training fit), or set MIRAGE_MODELS to "
                "imagenet/<architecture>"
            )
        self.device = device
        self._folder = folder
        self._max_rows = max_rows
        self._models: dict[str, store.Model] = {}
        self._failures: dict[str, Exception] = {}
        self._loaded = threading.Event()
        self._stopped = threading.Event()
        self._loader: threading.Thread | None = None

    def load_all(self, on_loaded: Callable[["Registry"], None] | None = None) -> None:
        """Load and warm up the models one after the other, then call `on_loaded`; failures are kept for `failure`."""
        for name in self.names:
            if self._stopped.is_set():
                return
            try:
                model = store.load(name, folder=self._folder, device=self.device)
                model.classifier.warm_up()
                model.classifier.pass_times.measure(
                    model.classifier,
                    size=model.spec.size,
                    most=self._max_rows,
                    gradients=model.spec.differentiable,
                )
                return_freed_memory()  # these passes take more memory than most requests
                self._models[name] = model
                logger.info("serving %s (%s, %d classes)", name, model.spec.architecture, len(model.spec.classes))
            except Exception as error:
                logger.error("cannot serve %s: %s", name, error, exc_info=not isinstance(error, store.EXPECTED))
                self._failures[name] = error
        self._loaded.set()
        if self._stopped.is_set():
            return
        if on_loaded is not None:
            on_loaded(self)

    def load_in_background(
        self, on_loaded: Callable[["Registry"], None] | None = None, *, threads: int | None = None
    ) -> None:
        """Run `load_all` on a thread of its own, so that the service answers health probes meanwhile.

        Passes that measure the models run on `threads` CPU threads, as the engine's do; None leaves it to PyTorch.
        """

        def load() -> None:
            if threads is not None:
                compute_in_parallel(threads)
            self.load_all(on_loaded)

        self._loader = threading.Thread(target=load, name="loader", daemon=True)
        self._loader.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Load no further models, and wait `timeout_s` seconds at most for the one that is being loaded."""
        self._stopped.set()
        if self._loader is not None:
            self._loader.join(timeout_s)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until every model is loaded or has failed; False if `timeout_s` seconds passed before."""
        return self._loaded.wait(timeout_s)

    def state(self, name: str) -> State:
        """Whether a served model is loading, ready or failed."""
        return "ready" if name in self._models else "failed" if name in self._failures else "loading"

    def failure(self, name: str) -> str | None:
        """Why a model could not be loaded; None if it was not tried or did not fail."""
        return str(self._failures[name]) if name in self._failures else None

    def has_card(self, name: str) -> bool:
        """Whether the model has a model card."""
        return store.card_file(name, folder=self._folder) is not None

    def read_card(self, name: str) -> bytes:
        """The model card of a model that is loaded; raises what `get` raises, and store.NoCard."""
        return store.read_card(self.get(name).name, folder=self._folder)

    def get(self, name: str | None = None) -> store.Model:
        """The model of this name, or the default one; raises NotServed, StillLoading, LoadingFailed."""
        name = name or self.names[0]
        if name in self._models:
            return self._models[name]
        if name in self._failures:
            raise LoadingFailed(f"{name} could not be loaded: {self._failures[name]}") from self._failures[name]
        if name in self.names:
            raise StillLoading(f"{name} is being loaded: try again in a moment")
        near = difflib.get_close_matches(name, self.names, n=3, cutoff=0.4) or self.names[:5]
        raise NotServed(
            f"no model {name[:100]!r} is served here; similar names: {', '.join(near)} (GET /models lists all)"
        )
