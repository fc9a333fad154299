"""Tests of soak.pictures.mutations."""
