"""What Schemathesis is told about this service; soak/openapi/schemathesis.toml names this module.

Requests that are meant to be valid are made so where their schema cannot say what is. A refusal of such a request is a
failure unless it is about a rule that is beyond the schema.
"""

from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData

from soak.openapi.valid_requests import breaks_a_rule, completed

PICTURE = "/properties/image"
"""How the message of a failure names the field of the picture."""


def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Complete the JSON of a request that is meant to be valid in all its parts.

    Nothing else is changed: Schemathesis validates what a hook has changed, and takes all bytes for invalid, and the
    texts of a query for values of a wrong type.
    """
    if case.meta is None or any(part.mode.is_negative for part in case.meta.components.values()):
        return
    if case.media_type == "application/json" and isinstance(case.body, dict):
        case.body = completed(case.body, case.query or {})


def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    """Drop the failure that a valid request was refused, if a rule beyond the schema was the reason.

    And that an invalid picture of a batch was accepted, if the response has its problem in its place.
    """
    try:
        answer = response.json()
    except ValueError:
        return True
    if isinstance(failure, AcceptedNegativeData) and PICTURE in failure.message:
        results = answer.get("results", []) if isinstance(answer, dict) else []
        return not any("problem" in result for result in results)
    return not (isinstance(failure, RejectedPositiveData) and breaks_a_rule(answer))


for hook in (before_call, filter_failure):
    schemathesis.hook(hook)  # which knows each by its name
