"""How much work the default searches put in: the default attack, the curve and the ideal pictures."""

from typing import Literal

Effort = Literal["quick", "standard", "thorough"]
"""quick: a usable result soonest. standard: nearly the best result. thorough: the best result, which takes about five
times as long as standard for the default attack, and two to three times as long for an ideal picture."""
