"""Tests of soak.openapi."""
