"""Limits how often the tests check the shapes and types in signatures; loaded before anything imports `models`.

`--jaxtyping-packages` in pyproject.toml makes jaxtyping check every call of every function in `models`. A loop of an
attack calls the same functions thousands of times with the same shapes, and half of the time went into these checks.
"""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

import jaxtyping
import pytest
from torch.fx import Proxy

CHECKED_CALLS = 5
"""Number of calls of a function that are checked in each test."""

calls: Counter[int] = Counter()
"""Number of calls in this test, by the identity of a function's code: to hash the code takes as long as some checks."""
made: Counter[int] = Counter()
"""The same for the number of times that a function inside another was made."""
check_every_call = jaxtyping.jaxtyped


def check_first_calls(*, typechecker: Any) -> Callable[[Any], Any]:
    """`jaxtyping.jaxtyped`, whose functions are checked on their first CHECKED_CALLS calls in each test.

    A function that is defined inside another is made, and decorated, anew at each call of the outer one, which takes
    long: the limit is for that, too.
    """

    def decorate(function: Any) -> Any:
        if not hasattr(function, "__code__"):  # a class: its methods are decorated one by one
            return check_every_call(function, typechecker=typechecker)
        code = id(function.__code__)
        if "<locals>" in function.__qualname__:
            made[code] += 1
            if made[code] > CHECKED_CALLS or calls[code] >= CHECKED_CALLS:
                return function
        checked = check_every_call(function, typechecker=typechecker)

        @wraps(function)
        def check_or_call(*args: Any, **kwargs: Any) -> Any:
            calls[code] += 1
            if calls[code] > CHECKED_CALLS or any(isinstance(argument, Proxy) for argument in args):
                return function(*args, **kwargs)  # a Proxy, where torch.fx follows a network, is no tensor
            return checked(*args, **kwargs)

        return check_or_call

    return decorate


jaxtyping.jaxtyped = check_first_calls  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def check_again() -> None:
    """Begin to count anew, so that each test checks what it calls."""
    calls.clear()
    made.clear()
