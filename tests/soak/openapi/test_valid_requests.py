"""What completes a valid request, and which refusals of one are about rules beyond its schema."""

import base64
from typing import Any

import pytest

from app.web.problems import problem
from models import architectures
from models.attacks.options import BadAttack
from models.pictures import decode
from soak.openapi.valid_requests import NAMES, PICTURE, breaks_a_rule, completed
from soak.tiny_model import NAME, SPEC


def test_the_picture_and_the_names_are_real() -> None:
    assert decode(base64.b64decode(PICTURE.partition(",")[2])).shape == (3, 8, 8)
    layers = dict(architectures.build(SPEC.architecture, len(SPEC.classes)).named_modules())
    assert NAMES["model"] == NAME and NAMES["layer"] in layers


@pytest.mark.parametrize(
    ("body", "query", "expected"),
    [
        ({"image": "AAAA", "mask": "", "top": 3}, {}, {"image": PICTURE, "mask": "", "top": 3}),
        ({"image": ["AAAA", "BBBB"]}, {}, {"image": [PICTURE, PICTURE]}),
        ({"model": "cats-dogs", "layer": "x"}, {}, {"model": "tiny", "layer": "features"}),
        ({"top": 5, "model": "x"}, {"top": 1}, {"model": "tiny"}),
        ({"layer": "x", "model": "y"}, {"layer": "classifier", "model": ""}, {"layer": "classifier", "model": "tiny"}),
        ({"model": ""}, {}, {"model": ""}),
    ],
)
def test_the_body_of_a_valid_request_is_completed(
    body: dict[str, Any], query: dict[str, Any], expected: dict[str, Any]
) -> None:
    """An option stands in one place; a name may stand in both, with the same value unless one is empty."""
    assert completed(body, query) == expected


def test_only_rules_beyond_the_schema_excuse_a_refusal() -> None:
    """The types are those that the service really gives its problems."""
    assert breaks_a_rule(problem(BadAttack("ddn takes no epsilon")).model_dump())
    assert breaks_a_rule({"type": "x", "detail": "separate: a png response is a single picture and cannot"})
    assert breaks_a_rule({"type": "x", "detail": "top: the request has two values of this option, '1' and '5': send"})
    assert breaks_a_rule({"type": "x", "detail": "layer: this option is required: add it"})
    assert not breaks_a_rule({"type": "urn:mirage:problem:unprocessable-content", "detail": "top: too large"})
    assert not breaks_a_rule(["bad-attack"])
