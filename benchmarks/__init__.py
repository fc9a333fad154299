"""Measurements: each script prints figures with the machine, the versions and the spread. No test depends on them."""
