"""Where a run's figures go after each epoch, beside history.csv."""

from collections.abc import Callable
from typing import Any

from training.prepare import Job

Logger = Callable[[dict[str, Any]], None]


class NoLogger(RuntimeError):
    """A logger that is not installed was asked for."""


def loggers(job: Job) -> list[Logger]:
    """Those that the job asks for; raises NoLogger."""
    return [tensorboard(job)] if job.tensorboard else []


def tensorboard(job: Job) -> Logger:
    """Scalars per epoch in the run's folder: `tensorboard --logdir runs` draws them."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise NoLogger("--tensorboard needs a package more: pip install 'mirage-vision[tensorboard]'") from error
    writer = SummaryWriter(str(job.folder.path))

    def log(row: dict[str, Any]) -> None:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name, value, row["epoch"])
        writer.flush()

    return log
