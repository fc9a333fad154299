"""Ideal pictures (feature visualisation): what a class, or a channel of a layer, of a model responds to most."""

from models.ideal.library import imagine
from models.ideal.options import METHODS, BadIdeal
from models.ideal.score import Score
from models.ideal.task import Ideal, IdealPicture, ideal

__all__ = ["METHODS", "BadIdeal", "Ideal", "IdealPicture", "Score", "ideal", "imagine"]
