"""Random placements of a patch on pictures: moved, turned, scaled and lit as in a photo, and differentiable."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from models.attacks.geometry import Pictures
from models.attacks.goal import Goal
from models.attacks.methods.windows import Window

Squares = Float[Tensor, "n 3 side side"]


@dataclass(frozen=True)
class Placement:
    """How a square is placed: its centre in pixels from the top (`down`) and the left (`across`), its angle in radians.

    `scale`, `brightness` and `contrast` are factors; 1 changes nothing.
    """

    down: float
    across: float
    scale: float = 1.0
    angle: float = 0.0
    brightness: float = 1.0
    contrast: float = 1.0


@dataclass(frozen=True)
class PlacementArea:
    """The part of a picture that the model sees, in which squares with a given side are placed; all in pixels."""

    top: int
    left: int
    height: int
    width: int
    side: int

    @staticmethod
    def of(start: Pictures, goal: Goal, size: float) -> "PlacementArea":
        """For squares of `size` times the picture's shorter side, at most as large as what the model sees."""
        sides = start.shape[2:]
        inputs = goal.preprocess(start[:1]).shape[2:]
        height, width = (
            min(max(1, round(goal.scale * input_side)), side) for input_side, side in zip(inputs, sides, strict=True)
        )
        side = min(max(1, round(size * min(sides))), height, width)
        return PlacementArea((sides[0] - height) // 2, (sides[1] - width) // 2, height, width, side)

    def corners(self) -> list[tuple[int, int]]:
        """Top and left of squares in a 3 x 3 grid, the middle one first, without duplicates."""
        downs, acrosses = ((spare // 2, 0, spare) for spare in (self.height - self.side, self.width - self.side))
        return list(dict.fromkeys((self.top + down, self.left + across) for down in downs for across in acrosses))

    def random(self, count: int, random: torch.Generator, *, jitter: bool) -> list[Placement]:
        """Random placements inside; without `jitter` they are on whole pixels, and only moved."""
        draw = self._jittered if jitter else self._moved
        return [draw(*numbers) for numbers in torch.rand(count, 6, generator=random).tolist()]

    def _moved(self, down: float, across: float, *_: float) -> Placement:
        # The random numbers are from [0, 1), so each whole position is equally likely.
        top = self.top + math.floor(down * (self.height - self.side + 1))
        left = self.left + math.floor(across * (self.width - self.side + 1))
        return Placement(top + self.side / 2, left + self.side / 2)

    def _jittered(
        self, down: float, across: float, scale: float, angle: float, brightness: float, contrast: float
    ) -> Placement:
        turned, scaled = math.radians(30 * angle - 15), 0.8 + 0.4 * scale
        # A square that is too large to fit when turned sticks out equally on both sides.
        reach = scaled * self.side * (math.cos(turned) + abs(math.sin(turned)))
        return Placement(
            self.top + self.height / 2 + (down - 0.5) * max(0.0, self.height - reach),
            self.left + self.width / 2 + (across - 0.5) * max(0.0, self.width - reach),
            scaled,
            turned,
            0.8 + 0.4 * brightness,
            0.8 + 0.4 * contrast,
        )


class PlacedSquares:
    """Every row's square on its picture: `pictures` [placements * n, 3, h, w], rows of the first placement first."""

    def __init__(self, start: Pictures, squares: Squares, placements: list[Placement]) -> None:
        self.squares = squares.detach().requires_grad_()
        self.pictures = start.repeat(len(placements), 1, 1, 1)
        self.pieces = []
        for picture, placement in zip(self.pictures.split(len(start)), placements, strict=True):
            piece, window, covered = _place(self.squares, placement, start)
            part = picture[..., *window]
            part.copy_(torch.where(covered, piece.detach(), part))
            self.pieces.append((piece, window, covered))

    def gradients(self, at_pictures: Float[Tensor, "placed 3 h w"]) -> Squares:
        """Gradients at each row's square of the mean over placements, from the gradients at `pictures`."""
        parts = at_pictures.split(len(self.squares))
        outer = [part[..., *window] * covered for part, (_, window, covered) in zip(parts, self.pieces, strict=True)]
        (gradients,) = torch.autograd.grad([piece for piece, _, _ in self.pieces], self.squares, outer)
        return gradients / len(self.pieces)


def _place(squares: Squares, placement: Placement, start: Pictures) -> tuple[Tensor, Window, Tensor]:
    """The placed squares in a window of the pictures, that window, and which of its pixels they cover."""
    half = placement.scale * squares.shape[-1] / 2
    cosine, sine = math.cos(placement.angle), math.sin(placement.angle)
    reach = half * (cosine + abs(sine))
    middles = zip((placement.down, placement.across), start.shape[2:], strict=True)
    (top, bottom), (left, right) = (
        (max(0, math.floor(middle - reach)), min(side, math.ceil(middle + reach))) for middle, side in middles
    )
    down = (torch.arange(top, bottom, device=start.device) + (0.5 - placement.down)).unsqueeze(1)
    across = torch.arange(left, right, device=start.device) + (0.5 - placement.across)
    grid = torch.stack([cosine * across + sine * down, cosine * down - sine * across], dim=-1) / half
    lit = ((squares - 0.5) * placement.contrast + 0.5).mul(placement.brightness).clamp(0, 1)
    grids = grid.expand(len(squares), *grid.shape)
    piece = grid_sample(lit, grids, mode="bilinear", padding_mode="border", align_corners=False)
    return piece, (slice(top, bottom), slice(left, right)), (grid.abs() <= 1).all(dim=-1)
