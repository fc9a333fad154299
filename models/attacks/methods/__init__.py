"""The attacks themselves, one paper per file."""
