"""The operations that take a while, for asyncio: each can be awaited, or watched step by step."""

import asyncio
from typing import Unpack

from mirage import calls
from mirage.connection import Connection
from mirage.options import ClassName, CurveOptions, ExplainOptions, FeaturesOptions, FoolOptions, IdealOptions
from mirage.pictures import PictureLike
from mirage.results.adversarial import AdversarialResult
from mirage.results.curves import CurveResult
from mirage.results.ideal import IdealResult
from mirage.results.inside import ExplainResult, FeaturesResult
from mirage.stream import AsyncSteps


class AsyncFool:
    """Changes a picture so little that a person sees the same, and the model another class."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __call__(self, picture: PictureLike, **options: Unpack[FoolOptions]) -> AdversarialResult:
        """Change the picture as little as possible, so that the model sees `target` or, without one, any other class.

        Raises the errors of `mirage.errors`.
        """
        call = await asyncio.to_thread(calls.fool, picture, options)
        return await self._connection.result(call)

    def stream(
        self, picture: PictureLike, *, previews: bool = False, **options: Unpack[FoolOptions]
    ) -> AsyncSteps[AdversarialResult]:
        """The same step by step: enter it with `async with`, and go through its steps.

        The preview of a step shows the picture so far, and its `change` the perturbation so far, amplified.
        """
        return AsyncSteps(self._connection, lambda: calls.fool(picture, {**options, "previews": previews}))


class AsyncIdeal:
    """Draws the picture that the model finds most typical of a class, or that activates one channel of a layer most."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __call__(
        self,
        target: ClassName | None = None,
        *,
        layer: str | None = None,
        channel: int | None = None,
        **options: Unpack[IdealOptions],
    ) -> IdealResult:
        """Draw the ideal picture of a class, or of one channel of a layer: give `target`, or `layer` and `channel`.

        Raises the errors of `mirage.errors`.
        """
        call = await asyncio.to_thread(calls.ideal, target, layer, channel, options)
        return await self._connection.result(call)

    def stream(
        self,
        target: ClassName | None = None,
        *,
        layer: str | None = None,
        channel: int | None = None,
        previews: bool = False,
        **options: Unpack[IdealOptions],
    ) -> AsyncSteps[IdealResult]:
        """The same step by step: enter it with `async with`, and go through its steps.

        The preview of a step shows the picture so far.
        """
        return AsyncSteps(
            self._connection, lambda: calls.ideal(target, layer, channel, {**options, "previews": previews})
        )


class AsyncExplain:
    """Shows on which parts of a picture a prediction depends."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __call__(self, picture: PictureLike, **options: Unpack[ExplainOptions]) -> ExplainResult:
        """Compute a heat map of what the score of `target`, by default the most probable class, depends on.

        Raises the errors of `mirage.errors`.
        """
        call = await asyncio.to_thread(calls.explain, picture, options)
        return await self._connection.result(call)

    def stream(self, picture: PictureLike, **options: Unpack[ExplainOptions]) -> AsyncSteps[ExplainResult]:
        """The same step by step: enter it with `async with`, and go through its steps."""
        return AsyncSteps(self._connection, lambda: calls.explain(picture, options))


class AsyncFeatures:
    """Shows the feature maps of one layer for a picture."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __call__(self, picture: PictureLike, layer: str, **options: Unpack[FeaturesOptions]) -> FeaturesResult:
        """Show the feature maps of the layer; `Mirage.model` lists the layers of a model.

        Raises the errors of `mirage.errors`.
        """
        call = await asyncio.to_thread(calls.features, picture, layer, options)
        return await self._connection.result(call)

    def stream(
        self, picture: PictureLike, layer: str, **options: Unpack[FeaturesOptions]
    ) -> AsyncSteps[FeaturesResult]:
        """The same step by step: enter it with `async with`, and go through its steps."""
        return AsyncSteps(self._connection, lambda: calls.features(picture, layer, options))


class AsyncCurve:
    """Measures how much the model withstands on one picture."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __call__(self, picture: PictureLike, **options: Unpack[CurveOptions]) -> CurveResult:
        """Find the smallest perturbation in each norm, and the probabilities against the budget.

        Raises the errors of `mirage.errors`.
        """
        call = await asyncio.to_thread(calls.curve, picture, options)
        return await self._connection.result(call)

    def stream(self, picture: PictureLike, **options: Unpack[CurveOptions]) -> AsyncSteps[CurveResult]:
        """The same step by step: enter it with `async with`, and go through its steps."""
        return AsyncSteps(self._connection, lambda: calls.curve(picture, options))
