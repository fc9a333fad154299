"""Loggers that receive the metrics of a run after each epoch, in addition to history.csv."""

from collections.abc import Callable
from typing import Any

from training.options import FitOptions

Logger = Callable[[dict[str, Any]], None]


class MissingLogger(RuntimeError):
    """The package of a requested logger is not installed."""


def loggers(options: FitOptions) -> list[Logger]:
    """The loggers that the options ask for; raises MissingLogger."""
    return [tensorboard(options)] if options.tensorboard else []


def tensorboard(options: FitOptions) -> Logger:
    """Writes scalars per epoch into the folder of the run; `tensorboard --logdir runs` shows them."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingLogger("--tensorboard needs another package: pip install tensorboard") from error
    writer = SummaryWriter(str(options.folder.path))

    def log(row: dict[str, Any]) -> None:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name, value, row["epoch"])
        writer.flush()

    return log
