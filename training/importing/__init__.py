"""Makes checkpoints of models that were trained elsewhere."""
