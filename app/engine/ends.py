"""When tasks that share one network will have ended, from the work that each of them still has to do."""

from collections.abc import Sequence


def side_by_side(work: Sequence[float]) -> list[float]:
    """In how many seconds each of several tasks ends that get equal shares of the time, soonest first.

    `work` has the seconds that each would still take alone. A task with the least work ends when all of them have had
    as much; then the others share the time among fewer (processor sharing: Kleinrock, 1967).
    """
    ends: list[float] = []
    ended_s = done = 0.0
    for number, seconds in enumerate(sorted(work)):
        ended_s += (len(work) - number) * (seconds - done)
        done = seconds
        ends.append(ended_s)
    return ends
