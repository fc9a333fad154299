"""Measurements: each script prints its figures with the machine, the versions and the spread, and gates nothing."""
