"""Exit codes, by which scripts tell what happened."""

import pytest

from mirage import errors
from mirage.command_line.exits import code_of
from mirage.errors import MirageError, of_problem
from mirage.problem import Problem


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BadPicture(), 2), (errors.BadOption(), 2), (errors.BadAddress(), 2), (errors.NotReached(), 3),
        (errors.ConnectionLost(), 3), (errors.UnexpectedResponse(), 3), (errors.ProxyFailed(), 3),
        *((of_problem(Problem("", "", status, "", "")), code) for status, code in
          [(404, 2), (422, 2), (413, 2), (401, 4), (403, 4), (429, 3), (500, 3), (503, 3), (504, 3)]),
    ],
)  # fmt: skip
def test_every_error_has_a_code(error: MirageError, code: int) -> None:
    assert code_of(error) == code
