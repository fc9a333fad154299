"""What the server of workers imports before the first of them is asked for, so that each has it at once."""

from training.data.loading.workers import quick_imports

with quick_imports():
    import training.data.loading.batches  # noqa: F401
