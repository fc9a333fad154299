"""Inspection of every file: what is wrong with it, which pictures are duplicates, and which photos are used."""
