"""The web service: settings, HTTP endpoints, and the engine that runs their tasks on the network in batches."""

from importlib.util import find_spec
from pathlib import Path

# Not a function of `models`: that may be another package of this name.
_models = find_spec("models")
if _models is None or Path(str(_models.origin)).parent != Path(__file__).parents[1] / "models":
    raise ImportError(
        f"Mirage needs its own package `models`, but Python finds {_models and (_models.origin or _models.name)!r} "
        "first: run from a folder that has no `models`, or with `python -P`, which leaves the working directory out"
    )
