"""Limits how often the tests check the shapes and types in signatures; loaded before anything imports `models`.

`--jaxtyping-packages` in pyproject.toml makes jaxtyping check every call of every function in `models`. A loop of an
attack calls the same functions thousands of times with the same shapes, and half of the time went into these checks.
"""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from types import CodeType
from typing import Any

import jaxtyping
import pytest
from torch.fx import Proxy

CHECKED_CALLS = 50
"""Number of calls of a function that are checked in each test."""

calls: Counter[CodeType] = Counter()
check_every_call = jaxtyping.jaxtyped


def check_first_calls(*, typechecker: Any) -> Callable[[Any], Any]:
    """`jaxtyping.jaxtyped`, whose functions are checked on their first CHECKED_CALLS calls in each test.

    A function that is defined inside another is made, and decorated, anew at each call of the outer one: its code
    counts, and beyond the limit it is left as it is.
    """

    def decorate(function: Any) -> Any:
        code = getattr(function, "__code__", None)
        if code is None:  # a class: its methods are decorated one by one
            return check_every_call(function, typechecker=typechecker)
        if "<locals>" in function.__qualname__:
            calls[code] += 1
            return function if calls[code] > CHECKED_CALLS else check_every_call(function, typechecker=typechecker)
        checked = check_every_call(function, typechecker=typechecker)

        @wraps(function)
        def check_or_call(*args: Any, **kwargs: Any) -> Any:
            if any(isinstance(argument, Proxy) for argument in args):  # torch.fx follows a network
                return function(*args, **kwargs)
            calls[code] += 1
            return (function if calls[code] > CHECKED_CALLS else checked)(*args, **kwargs)

        return check_or_call

    return decorate


jaxtyping.jaxtyped = check_first_calls  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def check_again() -> None:
    """Begin to count anew, so that each test checks what it calls."""
    calls.clear()
