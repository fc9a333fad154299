"""Decodes uploaded pictures in child processes, so that a hostile file costs its own request and no other."""
