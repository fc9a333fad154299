"""A progress bar over results that arrive one by one."""

from collections.abc import Iterator, Sized
from typing import TypeVar

Item = TypeVar("Item")


def with_progress_bar(items: Iterator[Item], pictures: object) -> Iterator[Item]:
    """Give the items on, with a bar on the terminal or in the notebook that counts them among the pictures."""
    from rich.progress import track  # late: not everybody wants a bar, and it takes a tenth of a second

    total = len(pictures) if isinstance(pictures, Sized) else None
    return iter(track(items, description="Classifying", total=total))
