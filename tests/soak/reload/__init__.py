"""Tests of soak/reload."""
