"""Attacks on large photos at the model's own size, since the model sees only a small picture of a photo.

A photo of twelve megapixels is reduced to the model's input by two matrices, A_h x A_w', and one step of an attack at
full size takes as long as many passes of the network. So the attack runs on a small variable u instead, which stands
for a change of the photo. In Linf the change has the norm of u; in L2 its norm is `unit` times as large, since the
photo has more pixels:

- L2: change = unit A_h' G_h^-1/2 u G_w^-1/2 A_w with G = A A', the smallest change that the model sees as
  unit G_h^1/2 u G_w^1/2, which is nearly u;
- Linf: every pixel moves by as much as the nearest pixel of the small picture.

u is a picture as well, from 0 to 1 around grey, so no value of the model's input can move by much more than 0.5.
"""

from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from models.attacks.geometry import Norm, Pictures
from models.attacks.goal import Goal
from models.preprocessing import input_matrices, input_sides, reduction
from models.query import Progress
from models.spec import Spec

LARGE = 1_000_000
"""Number of pixels from which on an attack is reduced: a step at full size then takes as long as a network pass."""
GREY = 128 / 255
"""Start of the small variable: on the lattice, and far from both of its bounds."""

Matrix = Float[Tensor, "_ _"]
Small = Float[Tensor, "n 3 i j"]


@dataclass(frozen=True)
class Reduced:
    """A small problem in place of a large one: its start, how the model sees it, and the change that it stands for.

    `base` is the model's input for the unchanged photo. `input_matrices` lead from the small variable to the model's
    input, and `lift_matrices` to the photo; each pair is for rows and columns.
    """

    base: Small
    input_matrices: tuple[Matrix, Matrix]
    lift_matrices: tuple[Matrix, Matrix]
    unit: float

    @property
    def start(self) -> Small:
        """The small variable of no change: grey [1, 3, i, j]."""
        return torch.full_like(self.base, GREY)

    def view(self, pictures: Small) -> Small:
        """What the model sees of the changed photo, if no pixel of the photo has to be clamped to black or white."""
        down, across = self.input_matrices
        return (self.base + self.unit * (down @ (pictures - GREY) @ across.T)).clamp(0, 1)

    def lift(self, pictures: Small) -> Float[Tensor, "n 3 h w"]:
        """The change of the photo, [1, 3, h, w], that the small variable stands for."""
        down, across = self.lift_matrices
        return self.unit * (down @ (pictures - GREY) @ across.T)

    def lower(self, change: Float[Tensor, "n 3 h w"]) -> Small:
        """The small variable whose change of the photo is nearest to this one (least squares)."""
        # The columns of each matrix are orthogonal: its pseudoinverse is the transpose, divided by their squared norms.
        down, across = (matrix / matrix.square().sum(dim=0).clamp(min=1e-12) for matrix in self.lift_matrices)
        return (GREY + (down.T @ change @ across) / self.unit).clamp(0, 1)

    def goal(self, goal: Goal) -> Goal:
        """The same goal for the small problem, whose picture has the model's size."""
        return replace(goal, preprocess=self.view, scale=1.0)

    def show_model_input(self, report: Progress) -> Progress:
        """The report with what the model sees as its preview and its start, in place of the small variable."""
        if report.picture is None:
            return report
        return replace(report, picture=partial(self._model_input, report), start=self._model_start)

    def _model_input(self, report: Progress) -> Float[Tensor, "3 i j"]:
        preview = report.render()
        assert preview is not None, "the report has a preview"
        return self.view(preview.unsqueeze(0))[0]

    def _model_start(self) -> Float[Tensor, "3 i j"]:
        return self.base[0]


def is_reduced(start: Pictures, norm: Norm, spec: Spec) -> bool:
    """Whether an attack on this photo should run on the small problem."""
    height, width = start.shape[-2:]
    shrinks = all(side.length > side.resized for side in input_sides((height, width), spec))
    return norm in ("l2", "linf") and height * width >= LARGE and shrinks


def reduce(start: Pictures, norm: Norm, spec: Spec) -> Reduced:
    """The small problem of a photo [1, 3, h, w] in `l2` or `linf`."""
    size = (start.shape[-2], start.shape[-1])
    rows, columns, padding = input_matrices(size, spec)
    base = rows.to(start) @ start @ columns.to(start).T
    base = (base if padding is None else base + padding.to(start)).clamp(0, 1)
    if norm == "l2":
        parts = [_whitened(matrix) for matrix in (rows, columns)]
    else:
        parts = [_nearest(matrix) for matrix in (rows, columns)]
    # The matrices are computed on the CPU: not every device has float64.
    (input_rows, lift_rows), (input_columns, lift_columns) = (
        (to_input.to(start), lift.to(start)) for to_input, lift in parts
    )
    unit = reduction(size, spec) if norm == "l2" else 1.0
    return Reduced(base, (input_rows, input_columns), (lift_rows, lift_columns), unit)


def _whitened(matrix: Matrix) -> tuple[Matrix, Matrix]:
    """G^1/2 and A' G^-1/2."""
    values, vectors = torch.linalg.eigh(matrix.double() @ matrix.double().T)
    root = vectors * values.clamp(min=1e-12).sqrt() @ vectors.T
    inverse = vectors / values.clamp(min=1e-12).sqrt() @ vectors.T
    return root.to(matrix), (matrix.double().T @ inverse).to(matrix)


def _nearest(matrix: Matrix) -> tuple[Matrix, Matrix]:
    """A U and U: each row of U has a 1 at the nearest value of the small picture, or zeros if it is cropped away."""
    nearest = torch.zeros(matrix.shape[1], matrix.shape[0]).to(matrix)
    visible = matrix.abs().sum(dim=0) > 0
    nearest[torch.arange(matrix.shape[1], device=matrix.device)[visible], matrix.argmax(dim=0)[visible]] = 1
    return matrix @ nearest, nearest
