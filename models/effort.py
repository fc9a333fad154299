"""How much work the default searches put in: the default attack, the curve and the ideal pictures."""

from typing import Literal

Effort = Literal["quick", "standard", "thorough"]
"""quick: a good result soon. standard: nearly the best result. thorough: the best result, in several times the time."""
