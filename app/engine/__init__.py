"""The engine that drives every task, and what lives as long as the service: models, cache, shared computations."""
