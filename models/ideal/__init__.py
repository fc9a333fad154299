"""Pictures that a model holds ideal, of a class or of a channel of one of its layers."""

from models.ideal.library import imagine
from models.ideal.options import METHODS, BadIdeal
from models.ideal.score import Score
from models.ideal.task import Drawn, Ideal, ideal

__all__ = ["METHODS", "BadIdeal", "Drawn", "Ideal", "Score", "ideal", "imagine"]
