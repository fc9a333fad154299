"""Tests of soak.pictures."""
