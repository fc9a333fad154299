"""The runs about memory, by name."""

from collections.abc import Callable
from functools import partial

from soak.memory.container import container
from soak.memory.many_photos import BUDGET, MIXED, Request, photos, send_at_once
from soak.memory.slopes import measure_slopes
from soak.outcome import Outcome

COME_BACK_S = 240
"""Seconds for which attacks and explanations are sent again, of which there is room for one at a time."""


def memory_parts(count: int) -> dict[str, Callable[[], Outcome]]:
    """Large photos and attacks at once, `count` photos; the same in a container; and what each operation takes."""
    return {
        "memory of photos": partial(send_at_once, photos(count)),
        "memory of attacks": partial(send_at_once, MIXED, come_back_s=COME_BACK_S),
        **container_parts(count),
        "memory per pixel": measure_slopes,
    }


def container_parts(count: int) -> dict[str, Callable[[], Outcome]]:
    """Large photos and attacks at once, in a container with as much memory as the service may take."""
    return {
        "memory of photos in a container": partial(_in_a_container, photos(count)),
        "memory of attacks in a container": partial(_in_a_container, MIXED, come_back_s=COME_BACK_S),
    }


def _in_a_container(requests: list[Request], come_back_s: float = 0) -> Outcome:
    with container(BUDGET) as inside:
        return send_at_once(requests, come_back_s=come_back_s, inside=inside)
