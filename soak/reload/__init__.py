"""A checkpoint that is replaced again and again while the service answers from it."""
