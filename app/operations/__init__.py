"""The endpoints that belong to no other package: /classify, /models, /health and /metrics."""
