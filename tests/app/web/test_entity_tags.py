"""Tests entity tags (RFC 9110, section 8.8.3) and their comparison with If-None-Match (section 13.1.2)."""

import re

import pytest

from app.web.entity_tags import entity_tag, tag_matches
from app.web.formats import Format


@pytest.mark.parametrize(
    ("headers", "matches"),
    [
        ([], False),
        ([""], False),
        (['W/"abc"'], True),
        (['"abc"'], True),
        (["*"], True),
        ([" * "], True),
        (['"abcd"'], False),
        (['W/"abcd"'], False),
        (["abc"], False),
        (['"ABC"'], False),
        (['"x", W/"abc" ,"y"'], True),
        (['"x","abc"'], True),
        (['"x", "y"'], False),
        (['"x"', 'W/"abc"'], True),
        (['"x"', '"y"'], False),
        (['"*"'], False),
    ],
)
def test_the_tag_is_weakly_compared_with_every_tag_of_the_headers(headers: list[str], matches: bool) -> None:
    for tag in ('W/"abc"', '"abc"'):
        assert tag_matches(tag, headers) is matches


def test_a_tag_is_weak_and_quoted_and_short() -> None:
    assert re.fullmatch(r'W/"[0-9a-f]{32}"', entity_tag("key", Format.png))


def test_every_key_and_format_has_its_own_constant_tag() -> None:
    tags = [entity_tag(key, format) for key in ("key", "another", "") for format in Format]
    assert len(set(tags)) == len(tags)
    assert tags == [entity_tag(key, format) for key in ("key", "another", "") for format in Format]
