"""Tests of soak.memory."""
