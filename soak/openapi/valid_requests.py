"""What no schema can say of a valid request: pictures are pictures, an option has one value, and further rules."""

import re
from collections.abc import Mapping
from typing import Any

PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAGUlEQVR42mNkYGhQYGDARCwMCgxYweCUAABobwJ"
    "ednxjlwAAAABJRU5ErkJggg=="
)
"""A picture of 8 x 8 pixels."""
PICTURE_FIELDS = ("image", "mask")
"""Names of the fields that are pictures."""
NAMES = {"model": "tiny", "layer": "features"}
"""Names that the service knows: other ones get 404 and would test nothing else."""
RULES = frozenset(
    f"urn:mirage:problem:{name}"
    for name in (
        "not-a-picture",  # the bytes of a file are no picture
        "broken-picture",  # or break off
        "bad-attack",  # an option that the chosen attack does not have, or values that contradict each other
        "bad-ideal",  # the same for methods of ideal pictures
        "bad-explanation",  # the same for methods of explanations, and layers that a method cannot use
        "bad-survival",  # the text of `survive`
        "bad-mask",  # the text of `box`, or a mask that does not fit the picture
        "already-target",  # the picture is of the target class already
        "no-label",  # the model finds no label in the picture
    )
)
"""Types of the problems about rules that are beyond JSON Schema. A request that breaks one may match its schema."""
DETAILS = re.compile(
    r"separate: a \w+ response is a single picture"
    r"|\w+: the request has two values of this option"  # in the body and in the query
    r"|layer: this option is required"  # in one of the two
)
"""Beginnings of the details of such problems that have no type of their own."""


def completed(body: Mapping[str, Any], query: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of a body with real pictures and names, and without options that stand in the query, too.

    Names stay, of which the body may need one, with the value that they have in the query. An empty value counts as
    left out, and remains.
    """
    return {
        name: _completed(name, value, query)
        for name, value in body.items()
        if name not in query or name in (*NAMES, *PICTURE_FIELDS)
    }


def _completed(name: str, value: object, query: Mapping[str, Any]) -> object:
    if name in NAMES:
        return query.get(name) or (NAMES[name] if value else value)
    if name not in PICTURE_FIELDS:
        return value
    if isinstance(value, list):
        return [PICTURE for _ in value]
    return PICTURE if value else value


def breaks_a_rule(problem: object) -> bool:
    """Whether the problem details of a refusal are about a rule that is beyond the schema."""
    if not isinstance(problem, Mapping):
        return False
    return problem.get("type") in RULES or DETAILS.match(str(problem.get("detail", ""))) is not None
