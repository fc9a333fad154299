"""Tests of soak/traffic."""
