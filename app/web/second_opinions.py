"""What other served models say about the pictures of a finished request."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.web.service import Service
from models.query import Task
from models.store import Model

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")
TIMEOUT_S = 10.0
"""Seconds to wait for the answers of all other models together."""


@dataclass(frozen=True)
class ModelTasks(Generic[Answer]):
    """The tasks that one other model is to run, each of a few forward passes."""

    model: Model
    tasks: Sequence[Task[Answer]]


async def second_opinions(service: Service, tasks_by_model: Sequence[ModelTasks[Answer]]) -> list[list[Answer] | None]:
    """The answers of each model, in the order of the argument; None for a model that fails or is too slow.

    A request that has got so far has cost hundreds of passes, and its result must not be lost. So the tasks are
    admitted even if the service is full, a failure is only logged, and answers that are missing after TIMEOUT_S are
    left out.
    """
    return list(await asyncio.gather(*(_ask(service, model_tasks) for model_tasks in tasks_by_model)))


async def _ask(service: Service, model_tasks: ModelTasks[Answer]) -> list[Answer] | None:
    futures: list[asyncio.Future[Answer]] = []
    try:
        async with asyncio.timeout(TIMEOUT_S):
            for task in model_tasks.tasks:
                network = model_tasks.model.classifier
                answer = service.engine.submit(task, network, deadline_s=TIMEOUT_S, sequel=True)
                futures.append(asyncio.wrap_future(answer))
            return list(await asyncio.gather(*futures))
    except Exception:
        logger.exception("%s could not be asked for a second opinion", model_tasks.model.name)
        return None
    finally:
        for future in futures:
            future.cancel()  # has no effect where it is done
