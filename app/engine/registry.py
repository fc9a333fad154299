"""The served models, which follow the folder of the checkpoints: loaded, replaced and unloaded beside the requests.

One thread at a time loads: at the start the one of `load_in_background`, and then the one that looks at the folder
again and again. It works on a new model until that is ready, and only then replaces the old one in the catalogue; a
request that has the old one keeps it (docs/decisions/0055).
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from app.engine.catalogue import Catalogue, Entry, NotServed
from app.engine.checkpoint_folder import FileVersion, look, version_of
from app.engine.model_memory import ModelMemory, NoRoom, TooLarge, memory_of
from app.engine.preparation import Preparation
from app.engine.threads import compute_alone, compute_in_parallel
from app.memory.allocator import return_freed_memory
from app.memory.batch import BatchMemory
from models import store
from models.checkpoint import StillBeingWritten

logger = logging.getLogger(__name__)
EXPECTED = (*store.EXPECTED, OSError, TooLarge)
"""Errors whose cause is outside this project; the traceback of any other is logged."""


class Registry(Catalogue):
    """The served models by name; the first is the default.

    `names` are fixed; if there are none, all checkpoints in `folder` are served, also those that come later.
    `max_rows` is the largest batch that is of use. `reload_s` is the number of seconds between two looks at the folder;
    with 0 it is looked at once. All models together take `model_bytes` at most (None: any number): if they do not fit,
    those that were not used for the longest time are unloaded. A model that was asked for within `idle_s` seconds
    counts as being used, and the default model is never unloaded.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        folder: Path,
        device: torch.device,
        max_rows: int = 32,
        reload_s: float = 0.0,
        model_bytes: int | None = None,
        idle_s: float = 120.0,
    ) -> None:
        if not (names or store.checkpoint_names(folder)):
            raise NotServed(
                f"there is no checkpoint in {folder}: train one (python -m training fit), or set MIRAGE_MODELS to "
                "imagenet/<architecture>"
            )
        super().__init__(tuple(names) or store.checkpoint_names(folder), fixed=bool(names))
        self.device = device
        self._folder = folder
        self._reload_s = reload_s
        self._prepare = Preparation(folder, device, max_rows)
        self._memory = ModelMemory(self, model_bytes, idle_s)
        self._needs: dict[str, tuple[FileVersion | None, int]] = {}  # bytes that the version loaded last takes
        self._seen: dict[str, FileVersion] = {}  # the folder when it was looked at last
        self._folder_fault = ""
        self._loaded = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def load_all(self, on_loaded: Callable[["Registry"], None] | None = None) -> None:
        """Load and warm up the models one after the other, and call `on_loaded` before they count as loaded.

        A file that cannot be loaded may be one that is still being written: if the folder is followed, that is decided
        by a second look after `reload_s` seconds.
        """
        self._look()
        for name in self.names:
            if self._stopped.is_set():
                return
            self._load(name, self._file(name), wait_for_writer=self._reload_s > 0)
        if "loading" in map(self.state, self.names) and not self._stopped.wait(self._reload_s):
            self.scan()
        try:
            if on_loaded is not None and not self._stopped.is_set():
                on_loaded(self)
        finally:
            self._loaded.set()

    def load_in_background(
        self, on_loaded: Callable[["Registry"], None] | None = None, *, threads: int | None = None
    ) -> None:
        """Load all models on a thread of its own, so that the service answers health probes; then follow the folder.

        Passes that measure the models run on `threads` CPU threads, as the engine's do; None leaves it to PyTorch.
        """

        def load() -> None:
            if threads is not None:
                compute_in_parallel(threads)
            self.load_all(on_loaded)
            if (self._reload_s or self._memory.limit is not None) and not self._stopped.is_set():
                # On a thread that computes alone: OpenMP threads of this one would slow down the engine's passes.
                self._thread = threading.Thread(target=self._follow, args=(threads,), name="reloader", daemon=True)
                self._thread.start()

        self._thread = threading.Thread(target=load, name="loader", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Load no further models, and wait `timeout_s` seconds at most for the one that is being loaded."""
        self._stopped.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until every model has been loaded or has failed; False if `timeout_s` seconds passed before."""
        return self._loaded.wait(timeout_s)

    @property
    def loaded(self) -> bool:
        """Whether the models of the start have been loaded or have failed. It stays so while others are loaded."""
        return self._loaded.is_set()

    @property
    def model_bytes(self) -> int:
        """Bytes of all models that are loaded, with old versions that requests still hold."""
        return self._memory.total()

    @property
    def batch_memory(self) -> BatchMemory:
        """What the rows of a batch take, by batches that were run when models were loaded."""
        return self._prepare.batch_memory

    def scan(self) -> None:
        """Look at the folder, and load what has appeared or changed and drop what has gone since it was loaded.

        Only what is as it was at the last look counts: a file that is being written is left alone until it is complete.
        """
        before = self._seen
        if not self._look():
            return
        names = self.names if self.fixed else dict.fromkeys([*self.names, *self._seen])
        settled = [name for name in names if store.is_checkpoint(name) and self._seen.get(name) == before.get(name)]
        for name in sorted(settled, key=lambda name: name in self._seen):  # first those that have gone
            if self._stopped.is_set():
                return
            if name in self._seen:
                self._follow_file(name, self._seen[name])
            else:
                self._drop(name)

    def load_wanted(self) -> None:
        """Load the unloaded models that were asked for."""
        self._wanted.clear()
        # One without a version is a file that is still being written, which `scan` waits for.
        wanted = [
            entry.name
            for entry in self.entries()
            if entry.state == "loading" and (entry.file is not None or not store.is_checkpoint(entry.name))
        ]
        for name in wanted:
            if not self._stopped.is_set():
                self._load(name, self._file(name), make_room=True)

    def has_card(self, name: str) -> bool:
        """Whether the model has a model card."""
        return store.card_file(name, folder=self._folder) is not None

    def read_card(self, name: str) -> bytes:
        """The model card of a model that is loaded; raises what `get` raises, and store.NoCard."""
        return store.read_card(self.get(name).name, folder=self._folder)

    def _follow(self, threads: int | None) -> None:
        compute_alone()
        self._prepare.threads = threads
        next_look = time.monotonic() + self._reload_s
        while not self._stopped.is_set():
            self._wanted.wait(max(0.0, next_look - time.monotonic()) if self._reload_s else None)
            try:
                self.load_wanted()
                if self._reload_s and time.monotonic() >= next_look and not self._stopped.is_set():
                    self.scan()
                    next_look = time.monotonic() + self._reload_s
            except Exception:  # a fault of our own: the models serve on, and the next look may succeed
                logger.exception("the folder of the checkpoints could not be followed; it will be tried again")
                next_look = time.monotonic() + self._reload_s

    def _look(self) -> bool:
        """Note what is in the folder; False if it cannot be listed, and then nothing is known of any file."""
        try:
            self._seen = look(self._folder)
        except OSError as error:
            if str(error) != self._folder_fault:
                logger.error("the folder of the checkpoints cannot be listed, so all models stay: %s", error)
            self._folder_fault = str(error)
            return False
        self._folder_fault = ""
        return True

    def _file(self, name: str) -> FileVersion | None:
        """The present version of the model's file; None if there is none."""
        return version_of(self._folder / f"{name}{store.SUFFIX}") if store.is_checkpoint(name) else None

    def _follow_file(self, name: str, file: FileVersion) -> None:
        known = name in self.names
        if known and self.entry(name).file == file:
            return
        state = self.state(name) if known else "loading"
        if state == "unloaded":
            self._change(name, lambda now: replace(now, file=file))  # that is what is loaded when it is asked for
        else:  # no variable holds the old version, whose memory is returned at the end of this
            self._load(name, file, make_room=state == "ready")

    def _drop(self, name: str) -> None:
        """Serve a model no longer whose file has gone. The default model and fixed names stay, as failed."""
        entry = self.entry(name)
        if not self.fixed and name != self.default:
            self._remove(name)
        elif entry.state == "failed" and entry.file is None:
            return
        else:
            problem = f"its file {name}{store.SUFFIX} has gone: put it back, or name another model in the request"
            self._change(name, lambda now: Entry(name, "failed", problem=problem))
        logger.warning("%s is no longer served: its file has gone", name)
        return_freed_memory()

    def _load(
        self, name: str, file: FileVersion | None, *, make_room: bool = False, wait_for_writer: bool = False
    ) -> None:
        """Load a version of a model and serve it; one that is bad is refused, and the old version serves on."""
        if name not in self.names:
            self._add(Entry(name))
        try:
            model = self._prepared(name, file, make_room)
        except NoRoom as error:
            self._postpone(name, file, str(error))
        except Exception as error:
            being_written = isinstance(error, StillBeingWritten) and self._reload_s > 0
            half_written = wait_for_writer and file is not None and isinstance(error, EXPECTED)
            if not (being_written or half_written):  # of these, the next look at the folder sees another version
                self._refuse(name, file, error)
        else:
            replaced = self.entry(name).model is not None
            self._add(Entry(name, "ready", model, file=file))
            verb = "now serving a new version of" if replaced else "serving"
            spec = model.spec
            logger.info("%s %s (%s, %d classes; %s)", verb, name, spec.architecture, len(spec.classes), model.version)
        return_freed_memory()  # what loading took, and the old version where no request has it

    def _prepared(self, name: str, file: FileVersion | None, make_room: bool) -> store.Model:
        """The model, ready to serve; raises the errors of `store.load`, TooLarge and NoRoom."""
        version, need = self._needs.get(name, (None, 0))
        if version != file and file is not None:
            need = file.size  # at least about that
        self._memory.find_room(name, need, unload_others=make_room)
        model = self._prepare(name)
        need = memory_of(model)
        self._needs[name] = file, need
        self._memory.find_room(name, need, unload_others=make_room)
        self._memory.add(model, need)
        return model

    def _postpone(self, name: str, file: FileVersion | None, problem: str) -> None:
        """Try again later what there is no memory for: a new version at the next look, another model on request."""
        entry = self.entry(name)
        if entry.problem != problem:
            logger.warning("not loaded for want of memory: %s", problem)
        if entry.model is not None:
            self._change(name, lambda now: replace(now, problem=f"a newer file is not loaded: {problem}"))
        else:
            self._change(name, lambda now: replace(now, state="unloaded", problem=problem, file=file))

    def _refuse(self, name: str, file: FileVersion | None, error: Exception) -> None:
        logger.error("cannot serve %s: %s", name, error, exc_info=not isinstance(error, EXPECTED))

        def refused(now: Entry) -> Entry:
            if now.model is not None:
                return replace(now, problem=f"a newer file was refused: {error}", file=file)
            return Entry(name, "failed", problem=str(error), file=file)

        self._change(name, refused)
