"""Picture files that are damaged or hostile, and what decoding them costs."""
