"""What happens when a model's outputs are no numbers: each time is logged, and one that keeps doing so has failed."""

import logging

from app.engine.catalogue import Catalogue
from models.query import Network

logger = logging.getLogger(__name__)
MOST_IN_A_ROW = 3
"""Batches in a row with such outputs, after which a model is no longer served."""


class FailingModels:
    """Hears of outputs that are no numbers, as `app.engine.outputs.Report`; `catalogue` has the models."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def __call__(self, network: Network, in_a_row: int) -> None:
        """Log it, and mark the model as failed after MOST_IN_A_ROW batches in a row."""
        model = next((model for model in self._catalogue.ready() if model.classifier is network), None)
        if model is None:  # replaced or marked already
            logger.error("a model that is no longer served gave outputs that are not numbers")
            return
        logger.error("%s (version %s) gave outputs that are not numbers (NaN or infinite)", model.name, model.version)
        if in_a_row >= MOST_IN_A_ROW:
            self._catalogue.mark_failed(
                model, "its outputs are not numbers (NaN or infinite): replace its file by one that works"
            )
