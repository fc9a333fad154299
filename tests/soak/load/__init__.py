"""Tests of soak/load."""
