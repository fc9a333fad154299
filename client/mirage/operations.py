"""The operations that take a while: each can be called, or watched step by step."""

from typing import Unpack

from mirage.async_operations import AsyncCurve, AsyncExplain, AsyncFeatures, AsyncFool, AsyncIdeal
from mirage.background import Background
from mirage.options import ClassName, CurveOptions, ExplainOptions, FeaturesOptions, FoolOptions, IdealOptions
from mirage.pictures import PictureLike
from mirage.results.adversarial import AdversarialResult
from mirage.results.curves import CurveResult
from mirage.results.ideal import IdealResult
from mirage.results.inside import ExplainResult, FeaturesResult
from mirage.stream import Steps


class Fool:
    """Changes a picture so little that a person sees the same, and the model another class."""

    def __init__(self, background: Background, operation: AsyncFool) -> None:
        self._background, self._operation = background, operation

    def __call__(self, picture: PictureLike, **options: Unpack[FoolOptions]) -> AdversarialResult:
        """Change the picture as little as possible, so that the model sees `target` or, without one, any other class.

        Raises the errors of `mirage.errors`.
        """
        return self._background.run(self._operation(picture, **options))

    def stream(
        self, picture: PictureLike, *, previews: bool = False, **options: Unpack[FoolOptions]
    ) -> Steps[AdversarialResult]:
        """The same step by step: enter it with `with`, and go through its steps.

        The preview of a step shows the picture so far, and its `change` the perturbation so far, amplified.
        """
        return Steps(self._background, self._operation.stream(picture, previews=previews, **options))


class Ideal:
    """Draws the picture that the model finds most typical of a class, or that activates one channel of a layer most."""

    def __init__(self, background: Background, operation: AsyncIdeal) -> None:
        self._background, self._operation = background, operation

    def __call__(
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
        return self._background.run(self._operation(target, layer=layer, channel=channel, **options))

    def stream(
        self,
        target: ClassName | None = None,
        *,
        layer: str | None = None,
        channel: int | None = None,
        previews: bool = False,
        **options: Unpack[IdealOptions],
    ) -> Steps[IdealResult]:
        """The same step by step: enter it with `with`, and go through its steps.

        The preview of a step shows the picture so far.
        """
        return Steps(
            self._background, self._operation.stream(target, layer=layer, channel=channel, previews=previews, **options)
        )


class Explain:
    """Shows on which parts of a picture a prediction depends."""

    def __init__(self, background: Background, operation: AsyncExplain) -> None:
        self._background, self._operation = background, operation

    def __call__(self, picture: PictureLike, **options: Unpack[ExplainOptions]) -> ExplainResult:
        """Compute a heat map of what the score of `target`, by default the most probable class, depends on.

        Raises the errors of `mirage.errors`.
        """
        return self._background.run(self._operation(picture, **options))

    def stream(self, picture: PictureLike, **options: Unpack[ExplainOptions]) -> Steps[ExplainResult]:
        """The same step by step: enter it with `with`, and go through its steps."""
        return Steps(self._background, self._operation.stream(picture, **options))


class Features:
    """Shows the feature maps of one layer for a picture."""

    def __init__(self, background: Background, operation: AsyncFeatures) -> None:
        self._background, self._operation = background, operation

    def __call__(self, picture: PictureLike, layer: str, **options: Unpack[FeaturesOptions]) -> FeaturesResult:
        """Show the feature maps of the layer; `Mirage.model` lists the layers of a model.

        Raises the errors of `mirage.errors`.
        """
        return self._background.run(self._operation(picture, layer, **options))

    def stream(self, picture: PictureLike, layer: str, **options: Unpack[FeaturesOptions]) -> Steps[FeaturesResult]:
        """The same step by step: enter it with `with`, and go through its steps."""
        return Steps(self._background, self._operation.stream(picture, layer, **options))


class Curve:
    """Measures how much the model withstands on one picture."""

    def __init__(self, background: Background, operation: AsyncCurve) -> None:
        self._background, self._operation = background, operation

    def __call__(self, picture: PictureLike, **options: Unpack[CurveOptions]) -> CurveResult:
        """Find the smallest perturbation in each norm, and the probabilities against the budget.

        Raises the errors of `mirage.errors`.
        """
        return self._background.run(self._operation(picture, **options))

    def stream(self, picture: PictureLike, **options: Unpack[CurveOptions]) -> Steps[CurveResult]:
        """The same step by step: enter it with `with`, and go through its steps."""
        return Steps(self._background, self._operation.stream(picture, **options))
