"""Tests of soak.faults."""
