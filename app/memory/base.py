"""What the process itself takes of the memory budget, with its models."""

import logging

from app.memory.budget import MemoryBudget
from app.memory.costs import DECODER_PROCESS, LEAST, SPARE
from app.memory.machine import peak_bytes, resident_bytes

logger = logging.getLogger(__name__)


class Base:
    """Leaves to requests what the process, with its models and one batch, and the decoder processes do not need.

    Make it when the models have been loaded: the highest peak until then stands for the process, since batches of the
    sizes that pay off have been timed; or else what it holds now with the largest batch, of `batch_bytes`.
    `model_bytes` are those of the models that are loaded.
    """

    def __init__(self, budget: MemoryBudget, decoder_processes: int, model_bytes: int, batch_bytes: int = 0) -> None:
        self._budget = budget
        self._peak, self._resident = peak_bytes(), resident_bytes()
        self._beside = decoder_processes * DECODER_PROCESS - model_bytes
        base = self.update(model_bytes, batch_bytes)
        if base + LEAST > budget.total:
            logger.warning(
                "MIRAGE_MEMORY is %d MB, and the service with its models takes %d MB: it may take more than that, and "
                "serves small pictures only; raise MIRAGE_MEMORY, serve fewer models, or lower MIRAGE_MAX_ROWS",
                budget.total // 10**6,
                base // 10**6,
            )

    def update(self, model_bytes: int, batch_bytes: int = 0) -> int:
        """Take account of the models that are loaded now and their largest batch, and return the bytes of the base."""
        process = round(SPARE * max(self._peak, self._resident + batch_bytes))
        base = process + self._beside + model_bytes
        self._budget.set_base(min(base, self._budget.total - LEAST))
        return base
