"""Modules that the fork server imports before it starts the first worker process, so that workers start quickly."""

from training.data.loading.workers import quick_imports

with quick_imports():
    import training.data.loading.batches  # noqa: F401
