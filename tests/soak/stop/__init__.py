"""Tests of soak/stop."""
