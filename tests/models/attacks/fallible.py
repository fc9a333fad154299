"""Attacks that tests allow to fail. A new attack that is weaker than the others is added to one of these sets."""

BASELINES: frozenset[str] = frozenset()
"""Attacks that may fail on every picture of the tests: baselines for comparison. What they report is still checked."""

FALLIBLE = BASELINES | {"fgsm", "bim", "mi_fgsm", "square", "patch", "deepfool"}
"""Attacks that may fail on single photos: with one or few small steps, few queries, or a linear approximation."""
