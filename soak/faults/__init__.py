"""Faults that are planted in and around a running service: docs/reference/operations.md has the answer of each."""
