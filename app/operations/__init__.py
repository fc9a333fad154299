"""The endpoints beside the core: /classify, /models, /health and /metrics."""
