"""Which models are served now: each name with its state, its model, and what is wrong with it."""

import difflib
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.engine.checkpoint_folder import FileVersion
from models.store import Model

logger = logging.getLogger(__name__)
State = Literal["loading", "ready", "unloaded", "failed"]


class NotServed(LookupError):
    """No model of this name is served."""


class StillLoading(RuntimeError):
    """The model is being loaded; try again after `retry_after_s` seconds."""

    retry_after_s = 2


class LoadingFailed(RuntimeError):
    """The model is to be served, but could not be loaded, or fails."""


@dataclass(frozen=True)
class Entry:
    """One name that is served.

    `model` is there if the state is `ready`. `problem` says why there is none, or why a newer file was not taken.
    `file` is the newest version of the model's file that was loaded or refused; None if the model is not from a file.
    """

    name: str
    state: State = "loading"
    model: Model | None = None
    problem: str | None = None
    file: FileVersion | None = None


class Catalogue:
    """The served models by name. Any thread may ask; what it gets does not change under it.

    The first name is the default model, for as long as the process runs. `fixed` says that the names never change:
    otherwise names come and go, and after the default they are in alphabetical order.
    """

    def __init__(self, names: Sequence[str], *, fixed: bool) -> None:
        self.default = names[0]
        self.fixed = fixed
        self._entries = {name: Entry(name) for name in names}  # never changed, only replaced: other threads read it
        self._changing = threading.Lock()
        self._used: dict[str, float] = {}  # when each was asked for, on the clock of time.monotonic()
        self._wanted = threading.Event()  # an unloaded model was asked for

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all models, the default one first."""
        return tuple(self._entries)

    def entries(self) -> tuple[Entry, ...]:
        """All models, the default one first."""
        return tuple(self._entries.values())

    def entry(self, name: str) -> Entry:
        """The model of this name, in whatever state; raises NotServed."""
        entries = self._entries
        if name in entries:
            return entries[name]
        near = difflib.get_close_matches(name[:100], entries, n=3, cutoff=0.4) or list(entries)[:5]
        raise NotServed(
            f"no model {name[:100]!r} is served here; similar names: {', '.join(near)} (GET /models lists all)"
        )

    def state(self, name: str) -> State:
        """Whether a model is loading, ready, unloaded or failed; raises NotServed."""
        return self.entry(name).state

    def ready(self) -> list[Model]:
        """The models that can be asked now, the default one first. Those that are unloaded stay so."""
        return [entry.model for entry in self.entries() if entry.model is not None]

    def get(self, name: str | None = None) -> Model:
        """The model of this name, or the default one; raises NotServed, StillLoading, LoadingFailed.

        A request asks once and keeps the model, which may be replaced or unloaded meanwhile. An unloaded model that is
        asked for is loaded again.
        """
        entry = self.entry(name or self.default)
        if entry.model is not None:
            self._used[entry.name] = time.monotonic()
            return entry.model
        if entry.state == "failed":
            raise LoadingFailed(f"{entry.name} cannot be used: {entry.problem}")
        if entry.state == "unloaded":
            self._change(entry.name, lambda now: replace(now, state="loading") if now.state == "unloaded" else now)
            self._wanted.set()
        raise StillLoading(f"{entry.name} is being loaded: try again in a moment")

    def mark_failed(self, model: Model, reason: str) -> None:
        """Answer requests for the model with LoadingFailed and the reason, until its file changes.

        Without effect if the model has been replaced meanwhile.
        """
        for entry in self.entries():
            if entry.model is model:
                self._change(
                    entry.name,
                    lambda now: replace(now, state="failed", model=None, problem=reason) if now.model is model else now,
                )
                logger.error("%s (version %s) is no longer served: %s", entry.name, model.version, reason)

    def longest_idle(self, idle_s: float, *, other_than: str) -> str | None:
        """The ready model that nobody has asked for for the longest time, `idle_s` seconds at least; None without one.

        It is neither the default model nor `other_than`.
        """
        staying = (self.default, other_than)
        names = [entry.name for entry in self.entries() if entry.model is not None and entry.name not in staying]
        used = {name: self._used.get(name, -math.inf) for name in names}
        idle = min(used, key=used.__getitem__, default=None)
        return idle if idle is not None and time.monotonic() - used[idle] >= idle_s else None

    def unload(self, name: str) -> None:
        """Keep the name, but not the model: it is loaded again when it is asked for."""
        self._change(name, lambda now: Entry(name, "unloaded", file=now.file))

    def _change(self, name: str, change: Callable[[Entry], Entry]) -> None:
        """Replace the entry of this name by what the function makes of it; without effect if there is none any more."""
        with self._changing:
            if name in self._entries:
                self._entries = {**self._entries, name: change(self._entries[name])}

    def _add(self, entry: Entry) -> None:
        """Add a name, or replace its entry."""
        with self._changing:
            entries = {**self._entries, entry.name: entry}
            order = list(entries) if self.fixed else sorted(entries, key=lambda name: (name != self.default, name))
            self._entries = {name: entries[name] for name in order}

    def _remove(self, name: str) -> None:
        with self._changing:
            self._entries = {key: entry for key, entry in self._entries.items() if key != name}
        self._used.pop(name, None)
