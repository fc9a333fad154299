"""Where a run's figures go after each epoch, beside history.csv."""

from collections.abc import Callable
from typing import Any

from training.options import FitOptions

Logger = Callable[[dict[str, Any]], None]


class MissingLogger(RuntimeError):
    """A logger that is not installed was asked for."""


def loggers(options: FitOptions) -> list[Logger]:
    """Those that the options ask for; raises MissingLogger."""
    return [tensorboard(options)] if options.tensorboard else []


def tensorboard(options: FitOptions) -> Logger:
    """Scalars per epoch in the run's folder: `tensorboard --logdir runs` draws them."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingLogger("--tensorboard needs a package more: pip install 'mirage-vision[tensorboard]'") from error
    writer = SummaryWriter(str(options.folder.path))

    def log(row: dict[str, Any]) -> None:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name, value, row["epoch"])
        writer.flush()

    return log
