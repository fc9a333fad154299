"""A progress bar over results that arrive one by one."""

import sys
from collections.abc import Generator, Sized
from typing import TypeVar

Item = TypeVar("Item")


def with_progress_bar(items: Generator[Item, None, None], pictures: object) -> Generator[Item]:
    """Give the items on, with a bar that counts them among the pictures: on standard error, or in the notebook."""
    from rich.console import Console  # late: not everybody wants a bar, and it takes a tenth of a second
    from rich.progress import Progress

    total = len(pictures) if isinstance(pictures, Sized) else None
    # Only where both are the terminal: else what the program prints would go to standard error.
    same = sys.stdout.isatty()
    try:
        with Progress(console=Console(stderr=True), redirect_stdout=same) as bar:
            yield from bar.track(items, description="Classifying", total=total)
    finally:
        items.close()
