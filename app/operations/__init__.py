"""The simple operations: /classify, /models, /health and /metrics."""
