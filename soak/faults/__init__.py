"""Faults that are planted in and around a running service: each has the answer that docs/operations.md promises."""
