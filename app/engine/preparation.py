"""What is done with a model before it serves: loading, checking, the first passes, and measuring their time."""

import hashlib
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch

from app.engine.threads import compute_in_parallel
from app.memory.batch import BatchMemory
from models import store
from models.pass_times import PassTimes
from models.spec import Spec

PROBE_ROWS = 2
"""Rows of the batch by which the memory of a row is measured."""


class Preparation:
    """Loads models from a folder for a device, whose largest batch has `max_rows` pictures."""

    def __init__(self, folder: Path, device: torch.device, max_rows: int) -> None:
        self.threads: int | None = None
        """CPU threads that measurements run on, on a thread of their own; None leaves them to the calling thread."""
        self.batch_memory = BatchMemory()
        self._folder = folder
        self._device = device
        self._max_rows = max_rows
        self._pass_times: dict[Hashable, PassTimes] = {}

    def __call__(self, name: str) -> store.Model:
        """The model, loaded, checked by its golden logits and warmed up; raises what `store.load` raises."""
        model = store.load(name, folder=self._folder, device=self._device)
        model.classifier.warm_up()
        self._time(model)
        _ = model.digest  # computed here, and not while a request waits
        return model

    def _time(self, model: store.Model) -> None:
        """Give the model the times of its passes: those of another model of the same shape, or else measured ones.

        A measurement beside requests would be wrong, and would slow them down. What is known of the same network with
        other weights is right.
        """
        key = _shape(model.spec)
        if key in self._pass_times:
            model.classifier.pass_times = self._pass_times[key]
            return
        if self.threads is None:
            self._measure(model)
        else:
            # On a thread that ends with its OpenMP threads, for no longer than a measurement takes (half a second).
            with ThreadPoolExecutor(1, "measuring", compute_in_parallel, (self.threads,)) as pool:
                pool.submit(self._measure, model).result()
        self._pass_times[key] = model.classifier.pass_times

    def _measure(self, model: store.Model) -> None:
        network, spec = model.classifier, model.spec
        times, gradients = network.pass_times, spec.differentiable
        times.measure(network, size=spec.size, most=self._max_rows, gradients=gradients)
        run = partial(times.run_grey, network, PROBE_ROWS, size=spec.size, gradients=gradients)
        self.batch_memory.note(PROBE_ROWS, run)


def _shape(spec: Spec) -> Hashable:
    """What the time of a pass depends on, apart from the machine; not on the values of the weights."""
    configuration = hashlib.sha256(repr(spec.configuration).encode()).digest()  # that of a program may have megabytes
    return spec.architecture, configuration, spec.channels, spec.size, spec.network_outputs, spec.differentiable
