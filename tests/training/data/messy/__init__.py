"""Random data sets as messy as people's are, with an oracle that knows how each must be read, and the tests of both."""

import pytest

pytest.register_assert_rewrite("tests.training.data.messy.reading")
