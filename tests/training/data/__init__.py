"""Tests of how data is read; helpers that assert say what differed, as tests do."""

import pytest

pytest.register_assert_rewrite("tests.training.data.messy_holding")
