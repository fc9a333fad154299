"""How long a network takes for a batch, as a function of the batch's rows, measured on the machine that it runs on."""

import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from models.query import Answer, Network, Query

GAIN = 1.015
"""A larger batch pays off where it brings this many times the rows per second; it also lets other requests wait
(docs/decisions/0037)."""
RATE = 0.15
"""Part of the difference between an observed and an expected time (of their logarithms) that an estimate takes over."""
MOST_SURPRISE = math.log(1.5)
"""Largest difference of logarithms that one observation counts as: a batch that something else held up moves the
estimates by 6 % only, and a lasting change by a factor of 2 is followed within 20 batches."""
SHARED = 0.9
"""Part of a change that batches of other sizes are taken to share: a busy or slower machine slows all sizes down."""
TRIALS = 5
"""Number of batches of a size beside the knee until it is judged, by their median."""
REVISIT = 16
"""Of this many batches one may have twice the rows of the knee and another one half of them, so that a size that was
misjudged is tried again."""
MEASURE_S = 0.25
"""Seconds that the first measurement of one kind of pass may take."""
ROUNDS = 5
"""Number of times that the first measurement runs each size, if the time suffices."""
USED_ROWS = 4
"""Rows of a batch that is run before the first measurement and not counted: memory that is used first is slow."""
QUERY_ROWS = 4
"""Rows of one query that are taken to pay off where nothing was measured."""
SAMPLED = 16
"""On an accelerator, one of this many batches is timed."""
APART_ROWS = 4
"""Rows at once of a query that is marked `apart`, on a CPU. It is no measured number, which another start of the
service might measure differently: the number decides how sums are rounded (docs/decisions/0037)."""


class BatchTimes:
    """Seconds of a batch by its rows, for one kind of pass; unknown (None) until something was measured.

    The estimates are kept for powers of two and interpolated. One thread may observe while others read.
    """

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}  # never changed, only replaced: other threads read it
        self._most = 1
        self._trials: dict[int, list[float]] = {}
        self._observed = 0

    @property
    def by_rows(self) -> dict[int, float]:
        """The seconds of a batch of 1, 2, 4, ... rows, as far as they are known."""
        return self._seconds

    @property
    def knee(self) -> int | None:
        """The smallest power of two of rows beyond which a batch brings no more rows per second worth mentioning.

        Where the largest known size is the best one, it is twice that size, which is tried next.
        """
        known = self._seconds
        if not known:
            return None
        best = max(rows / seconds for rows, seconds in known.items())
        knee = min(rows for rows, seconds in known.items() if GAIN * rows / seconds >= best)
        return min(2 * knee, self._most) if knee == max(known) else knee

    @property
    def fill(self) -> int | None:
        """How many rows the next batch shall have at most: those of the knee, and now and then twice or half as many.

        Half as many, because a smaller size that was taken for slow would otherwise never be run again.
        """
        knee = self.knee
        turn = self._observed % REVISIT
        if knee is not None and turn == REVISIT - 1:
            return min(2 * knee, 2 * max(self._seconds), self._most)
        if knee is not None and turn == REVISIT // 2 - 1:
            return max(1, knee // 2)
        return knee

    @property
    def row_seconds(self) -> float | None:
        """The least seconds that a row costs, in a batch of the most suitable size."""
        return min((seconds / rows for rows, seconds in self._seconds.items()), default=None)

    def seconds(self, rows: int) -> float | None:
        """The seconds that a batch of this many rows is expected to take."""
        known = self._seconds
        if not known:
            return None
        most = max(known)
        if rows >= most:
            return known[most] * rows / most
        below = _power_below(rows)
        share = (rows - below) / below
        return known[below] * (1 - share) + known[2 * below] * share

    def measure(self, run: Callable[[int], float], most: int) -> None:
        """Call `run`, which takes a number of rows and returns the seconds that they took, and keep its results.

        Batches of 1, 2, 4, ... rows, of at most `most`, are run until twice the rows no longer bring more rows per
        second. This is repeated up to ROUNDS times, and the least time of each size counts. Memory that is used first
        is slow: where rows are fast, USED_ROWS of them are run before, and a larger size is run twice at first. A round
        ends before runs that would take the sum of all seconds above MEASURE_S; a single row is measured in any case.
        Larger sizes are tried later, by `observe`.
        """
        most = _power_below(most)
        least = {1: run(1)}
        spent, used = least[1], 1
        if 2 * USED_ROWS * spent <= MEASURE_S:
            used = min(USED_ROWS, most)
            spent += run(used)
        for number in range(ROUNDS):
            for rows in (1 << power for power in range(0 if number else 1, most.bit_length())):
                runs = 1 if rows in least or rows <= used else 2
                if spent + runs * least.get(rows, 2 * least.get(rows // 2, 0.0)) > MEASURE_S:
                    break
                seconds = [run(rows) for _ in range(runs)]
                spent += sum(seconds)
                least[rows] = min(*seconds, least.get(rows, math.inf))
                if rows > 1 and not _gains(least, rows):
                    break
        self._seconds, self._most = least, most

    def observe(self, rows: int, seconds: float) -> None:
        """Learn from a batch that was run; without effect before `measure`.

        A batch moves the estimates of the sizes around its own fully, and those of all others by SHARED of that. One of
        more than twice the largest known size says nothing about those that are known. Batches that try a size beside
        the knee move no estimate until that size is judged.
        """
        expected = self.seconds(rows)
        if expected is None or seconds <= 0:
            return
        most, tried = max(self._seconds), self.fill
        self._observed += 1
        if rows > 2 * most:
            return
        if rows == 2 * most or (rows == tried and rows != self.knee):
            self._try(rows, seconds / expected)
            return
        change = RATE * max(-MOST_SURPRISE, min(MOST_SURPRISE, math.log(seconds / expected)))
        below = min(_power_below(rows), most)
        near = (below, below if rows == below else 2 * below)
        self._seconds = {
            size: value * math.exp(change if size in near else SHARED * change) for size, value in self._seconds.items()
        }

    def _try(self, rows: int, ratio: float) -> None:
        """Note a trial by the ratio of its seconds to those expected at the time, so that a busier machine cancels."""
        trials = self._trials.setdefault(rows, [])
        trials.append(ratio)
        expected = self.seconds(rows)
        if len(trials) == TRIALS and expected is not None:
            self._seconds = {**self._seconds, rows: statistics.median(trials) * expected}
            del self._trials[rows]


class PassTimes:
    """The times of both kinds of pass through one network on one device."""

    def __init__(self, device: torch.device) -> None:
        self.forward = BatchTimes()
        self.gradients = BatchTimes()
        self._device = device
        self._batches = 0

    @property
    def repeatable(self) -> bool:
        """Whether the same batch gives the same bytes; on a GPU it does not: backward passes add in no fixed order."""
        return self._device.type == "cpu"

    def of(self, *, gradients: bool) -> BatchTimes:
        """The times of passes with or without gradients."""
        return self.gradients if gradients else self.forward

    @property
    def query_rows(self) -> int:
        """How many rows of one query pay off, with and without gradients; QUERY_ROWS before the first measurement."""
        return min(self.forward.knee or QUERY_ROWS, self.gradients.knee or QUERY_ROWS)

    def measure(self, network: Network, *, size: tuple[int, int], most: int, gradients: bool = True) -> None:
        """Measure passes with grey pictures of `size` (height, width), at most `most` of them at once.

        Those with `gradients` are left out for a network that has none. It takes about MEASURE_S for each kind of pass,
        or one pass where it takes longer. Warm the network up before.
        """
        for with_gradients in (False, True) if gradients else (False,):
            run = partial(self.run_grey, network, size=size, gradients=with_gradients)
            self.of(gradients=with_gradients).measure(run, most)

    def run_grey(self, network: Network, rows: int, *, size: tuple[int, int], gradients: bool) -> float:
        """Run a batch of so many grey pictures of `size` (height, width), and return the seconds that it took."""
        grey = torch.full((rows, 3, *size), 0.5, device=self._device)
        return self._timed(network, [Query(grey, _first_logit if gradients else None)])[1]

    def answer(self, network: Network, queries: list[Query]) -> list[Answer]:
        """The network's answers to a batch, from whose time the estimates learn.

        An accelerator works while Python goes on, and a clock has to wait for it: there one of SAMPLED batches is
        timed. Batches that read or differentiate a layer take another time, and are not counted.
        """
        self._batches += 1
        if any(query.layer for query in queries) or not (self.repeatable or self._batches % SAMPLED == 0):
            return list(network.answer(queries))
        answers, seconds = self._timed(network, queries)
        rows = sum(query.pixels.shape[0] for query in queries)
        self.of(gradients=queries[0].objective is not None).observe(rows, seconds)
        return answers

    def _timed(self, network: Network, queries: list[Query]) -> tuple[list[Answer], float]:
        self._synchronise()
        begun = time.perf_counter()
        answers = list(network.answer(queries))
        self._synchronise()
        return answers, time.perf_counter() - begun

    def _synchronise(self) -> None:
        if self._device.type != "cpu":
            torch.accelerator.synchronize(self._device)


@runtime_checkable
class Timed(Protocol):
    """A network that carries the times of its passes."""

    pass_times: PassTimes


def times_of(network: Network | None) -> PassTimes | None:
    """The pass times that a network carries; None for one that carries none, such as a stand-in in a test."""
    return network.pass_times if isinstance(network, Timed) else None


def answer_batch(network: Network, queries: list[Query]) -> list[Answer]:
    """The network's answers to a batch; a network that carries its pass times learns from the time of this one."""
    times = times_of(network)
    return list(network.answer(queries)) if times is None else times.answer(network, queries)


def most_rows(query: Query, times: PassTimes | None) -> int | None:
    """How many rows of a query the network answers at once; None where nothing limits them.

    The answer to a query that is marked `apart` shall be the same byte for byte at any time, so its limit must not
    depend on a measurement, unless the device does not repeat its bytes anyway.
    """
    if query.apart and (times is None or times.repeatable):
        return APART_ROWS
    return None if times is None else times.of(gradients=query.objective is not None).knee


def _first_logit(logits: Tensor) -> Tensor:
    return logits[:, 0]


def _gains(seconds: dict[int, float], rows: int) -> bool:
    """Whether a batch of this many rows brings noticeably more rows per second than one of half as many."""
    return 2 * seconds[rows // 2] > GAIN * seconds[rows]


def _power_below(rows: int) -> int:
    """The largest power of two that is at most `rows`."""
    return 1 << (rows.bit_length() - 1)
