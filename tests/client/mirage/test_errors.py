"""Which exception a problem becomes."""

import pickle

import pytest

from mirage import errors
from mirage.errors import of_problem
from mirage.problem import Problem


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.RequestRefused), (401, errors.KeyRefused), (403, errors.KeyRefused), (404, errors.NotFound),
        (405, errors.RequestRefused), (413, errors.RequestRefused), (415, errors.RequestRefused),
        (422, errors.RequestRefused), (429, errors.Overloaded), (431, errors.RequestRefused),
        (500, errors.ServiceFailed), (503, errors.Overloaded), (504, errors.DeadlinePassed),
    ],
)  # fmt: skip
def test_the_status_decides(status: int, kind: type[Exception]) -> None:
    error = of_problem(Problem("urn:mirage:problem:a-kind", "Title", status, "do this next", "id7"), 2.0)
    assert type(error) is kind
    assert str(error) == "do this next (request id7)" and error.kind == "a-kind" and error.retry_after_s == 2


def test_an_error_survives_the_way_between_processes() -> None:
    error = of_problem(Problem("urn:x", "Title", 503, "do this next", "id7"), 2.0)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # its own bytes
    assert type(copy) is errors.Overloaded and copy.problem == error.problem and copy.retry_after_s == 2
