"""Cheap scans of picture files, one module per format: what is read of a file before a library opens it.

A scan reads the structure of a file (segments, chunks, boxes, tags) and no pixels. It returns the file with only what
the pixels and the orientation of its first picture need, and refuses files that would take a decoder far more time or
memory than the size of their picture suggests (docs/decisions/0054-scans-before-decoding.md).
"""
