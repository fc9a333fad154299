"""The processes of a browser: their types, which of a machine's processes they are, and what they have used."""

import pytest

from benchmarks.browser_processes import Process, kind_of, tree, used_by_kind

MAIN, FORK, TAB, OTHER = (
    Process(10, 1, "browser"),
    Process(11, 10, "zygote"),
    Process(12, 11, "renderer"),
    Process(20, 1, "browser"),
)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("/usr/bin/chromium\0--no-sandbox\0--headless\0", "browser"),
        ("/usr/bin/chromium\0--type=gpu-process\0--no-sandbox\0", "gpu-process"),
        ("/usr/bin/chromium --type=renderer --lang=en-US --utility-sub-type=none", "renderer"),
        ("", "browser"),
    ],
)
def test_the_command_line_says_the_type(command: str, kind: str) -> None:
    """Chromium's children write spaces between the parts of theirs; its first process has no type."""
    assert kind_of(command) == kind


def test_the_tree_has_children_of_children_and_no_other_browser() -> None:
    assert tree(10, [TAB, OTHER, MAIN, FORK]) == [MAIN, FORK, TAB]


def test_what_was_used_is_added_up_by_type() -> None:
    """The second tab began in between, with nothing used; the fork has ended, and is left out."""
    second = Process(13, 11, "renderer")
    before = {MAIN: 4.0, FORK: 1.0, TAB: 2.0}
    after = {MAIN: 4.5, TAB: 5.0, second: 0.25}
    assert used_by_kind(before, after) == {"browser": 0.5, "renderer": 3.25}
